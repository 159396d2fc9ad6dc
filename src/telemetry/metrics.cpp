// SPDX-License-Identifier: Apache-2.0
// The only file that sees prometheus-cpp.
#include "base/utf8.hpp"

#include <polypool/telemetry.hpp>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <utility>

namespace polypool {
namespace {

using labels = std::vector<prometheus::ClientMetric::Label>;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

double seconds(std::chrono::nanoseconds value) { return std::chrono::duration<double>(value).count(); }

labels name_and_type(const connection_sample& sample) {
  return {{"name", to_valid_utf8(sample.name)}, {"type", to_valid_utf8(sample.type)}};
}
labels with(labels all, std::string name, std::string value) {
  all.push_back({std::move(name), std::move(value)});
  return all;
}

void add_number(MetricFamily& family, labels all, double value) {
  ClientMetric metric;
  metric.label = std::move(all);
  if (family.type == MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  family.metric.push_back(std::move(metric));
}

void add_histogram(MetricFamily& family, labels all, const histogram_snapshot& taken) {
  ClientMetric metric;
  metric.label = std::move(all);
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < duration_buckets.size(); ++i) {
    so_far += taken.counts[i];
    metric.histogram.bucket.push_back({so_far, duration_buckets[i]});
  }
  metric.histogram.sample_count = so_far + taken.counts.back();
  metric.histogram.sample_sum = seconds(taken.sum);
  family.metric.push_back(std::move(metric));
}

// Each family with how one connection's sample adds to it.
class families {
 public:
  std::vector<MetricFamily> collect(const std::vector<connection_sample>& samples, const whole_sample& whole) {
    std::map<std::string, double> by_type;
    for (const auto& sample : samples) {
      if (!sample.metrics_enabled) continue;
      if (!sample.members.empty()) {
        add_group(sample);
        continue;
      }
      ++by_type[to_valid_utf8(sample.type)];
      add(sample);
    }
    for (const auto& [type, count] : by_type) add_number(total_, {{"type", type}}, count);
    add_number(build_, {{"version", std::string(build_version())}}, 1);
    total_places_.add({}, whole.places);
    add_webhooks(whole.webhooks);
    return {build_,
            total_,
            status_,
            pool_size_,
            wait_count_,
            wait_seconds_,
            health_check_,
            health_checks_,
            reconnects_,
            lifetime_closed_,
            idle_closed_,
            retries_,
            breaker_state_,
            breaker_open_,
            breaker_refused_,
            places_.limit,
            places_.calls,
            places_.refused,
            places_.timed_out,
            total_places_.limit,
            total_places_.calls,
            total_places_.refused,
            total_places_.timed_out,
            failovers_,
            primary_,
            member_calls_,
            member_failures_,
            ejections_,
            ejected_,
            hooks_sent_,
            hooks_failed_,
            hooks_retries_,
            hooks_dropped_,
            hooks_pending_};
  }

 private:
  void add_group(const connection_sample& sample) {
    const labels group{{"group", to_valid_utf8(sample.name)}};
    if (sample.healthy) add_number(status_, name_and_type(sample), *sample.healthy ? 1 : 0);
    if (!sample.balances) add_number(failovers_, group, static_cast<double>(sample.failovers));
    for (const auto& each : sample.members) {
      const auto who = with(group, "member", to_valid_utf8(each.name));
      if (!sample.balances) add_number(primary_, who, each.primary ? 1 : 0);
      add_number(member_calls_, who, static_cast<double>(each.calls));
      add_number(member_failures_, who, static_cast<double>(each.failures));
      add_number(ejections_, who, static_cast<double>(each.ejections));
      add_number(ejected_, who, each.ejected ? 1 : 0);
    }
  }

  // Two webhooks may go to one host; a series may be there only once.
  void add_webhooks(const std::vector<webhook_sample>& all) {
    std::map<std::string, webhook_sample> by_name;
    for (const auto& each : all) {
      auto& sum = by_name[to_valid_utf8(each.name)];
      sum.sent += each.sent;
      sum.failed += each.failed;
      sum.retries += each.retries;
      sum.dropped += each.dropped;
      sum.pending += each.pending;
    }
    for (const auto& [name, sum] : by_name) {
      const labels who{{"webhook", name}};
      add_number(hooks_sent_, who, static_cast<double>(sum.sent));
      add_number(hooks_failed_, who, static_cast<double>(sum.failed));
      add_number(hooks_retries_, who, static_cast<double>(sum.retries));
      add_number(hooks_dropped_, who, static_cast<double>(sum.dropped));
      add_number(hooks_pending_, who, static_cast<double>(sum.pending));
    }
  }

  void add(const connection_sample& sample) {
    const auto who = name_and_type(sample);
    places_.add(who, sample.places);
    if (sample.healthy) add_number(status_, who, *sample.healthy ? 1 : 0);
    add_number(pool_size_, with(who, "state", "open"), static_cast<double>(sample.open));
    add_number(pool_size_, with(who, "state", "idle"), static_cast<double>(sample.idle));
    add_number(pool_size_, with(who, "state", "in_use"), static_cast<double>(sample.in_use));
    add_number(wait_count_, who, static_cast<double>(sample.wait_count));
    add_number(wait_seconds_, who, seconds(sample.wait_time));
    add_histogram(health_check_, who, sample.health_checks);
    const auto failed = sample.health_checks_failed;
    const auto checks = std::max(sample.health_checks.count(), failed);  // they are not read at one moment
    add_number(health_checks_, with(who, "result", "success"), static_cast<double>(checks - failed));
    add_number(health_checks_, with(who, "result", "failure"), static_cast<double>(failed));
    add_number(reconnects_, with(who, "result", "success"), static_cast<double>(sample.reconnects_succeeded));
    add_number(reconnects_, with(who, "result", "failure"), static_cast<double>(sample.reconnects_failed));
    add_number(lifetime_closed_, who, static_cast<double>(sample.lifetime_closed));
    add_number(idle_closed_, who, static_cast<double>(sample.idle_closed));
    add_number(retries_, with(who, "result", "made"), static_cast<double>(sample.retries));
    add_number(retries_, with(who, "result", "left_out"), static_cast<double>(sample.retries_left_out));
    if (!sample.members.empty()) return;  // a group has no breaker, its members have
    // A connection without a tenant is a project of its own.
    const labels breaker{{"database_type", to_valid_utf8(sample.type)}, {"project_id", to_valid_utf8(sample.name)}};
    add_number(breaker_state_, breaker, sample.breaker_state);
    add_number(breaker_open_, breaker, static_cast<double>(sample.breaker_opened));
    add_number(breaker_refused_, who, static_cast<double>(sample.breaker_refused));
  }

  MetricFamily build_{"polypool_build_info", "The running build; always 1", MetricType::Gauge, {}};
  MetricFamily total_{"dbmanager_connections_total", "Configured connections by type", MetricType::Gauge, {}};
  MetricFamily status_{"dbmanager_connection_status", "Health: 1 healthy, 0 unhealthy", MetricType::Gauge, {}};
  MetricFamily pool_size_{"dbmanager_connection_pool_size", "Sessions of the pool by state", MetricType::Gauge, {}};
  MetricFamily wait_count_{
      "dbmanager_connection_wait_count", "Times a caller waited for a session", MetricType::Counter, {}};
  MetricFamily wait_seconds_{"dbmanager_connection_wait_duration_seconds",
                             "Time that callers waited for a session, all together",
                             MetricType::Counter,
                             {}};
  MetricFamily health_check_{
      "dbmanager_health_check_duration_seconds", "Time that health checks took", MetricType::Histogram, {}};
  MetricFamily health_checks_{"dbmanager_health_checks_total", "Health checks by result", MetricType::Counter, {}};
  MetricFamily reconnects_{
      "dbmanager_reconnect_attempts_total", "Attempts to reconnect by result", MetricType::Counter, {}};
  MetricFamily lifetime_closed_{"dbmanager_connection_lifetime_closed_total",
                                "Sessions closed because they reached their greatest age",
                                MetricType::Counter,
                                {}};
  MetricFamily failovers_{
      "polypool_group_failovers_total", "Times that writes of a group went to another member", MetricType::Counter, {}};
  MetricFamily primary_{
      "polypool_group_primary", "1 for the member that writes of a group go to, else 0", MetricType::Gauge, {}};
  MetricFamily member_calls_{
      "polypool_group_member_calls_total", "Calls that a group sent to a member", MetricType::Counter, {}};
  MetricFamily member_failures_{"polypool_group_member_failures_total",
                                "Calls of a group that failed at a member by its fault",
                                MetricType::Counter,
                                {}};
  MetricFamily ejections_{"polypool_group_member_ejections_total",
                          "Times that a member got no calls for a while because too many had failed",
                          MetricType::Counter,
                          {}};
  MetricFamily ejected_{
      "polypool_group_member_ejected", "1 for a member that is ejected now, else 0", MetricType::Gauge, {}};
  MetricFamily retries_{"dbmanager_retries_total",
                        "Calls made again, and those left out because too many had failed lately",
                        MetricType::Counter,
                        {}};
  MetricFamily breaker_state_{
      "circuit_breaker_state", "The circuit breaker: 0 closed, 1 half-open, 2 open", MetricType::Gauge, {}};
  MetricFamily breaker_open_{"circuit_breaker_open_total", "Times the circuit breaker opened", MetricType::Counter, {}};
  MetricFamily breaker_refused_{
      "dbmanager_circuit_refused_total", "Calls that an open circuit breaker answered", MetricType::Counter, {}};
  // The four families of a bulkhead.
  struct bulkhead_families {
    MetricFamily limit, calls, refused, timed_out;
    explicit bulkhead_families(const std::string& stem, const std::string& what)
        : limit{stem + "_limit", "Most calls at once" + what, MetricType::Gauge, {}},
          calls{stem + "_calls", "Calls that are at work, and that wait for a place" + what, MetricType::Gauge, {}},
          refused{stem + "_refused_total", "Calls refused because too many waited" + what, MetricType::Counter, {}},
          timed_out{stem + "_timed_out_total",
                    "Calls whose time was over while they waited for a place" + what,
                    MetricType::Counter,
                    {}} {}
    void add(const labels& who, const bulkhead_sample& sample) {
      if (sample.limit == 0) return;
      add_number(limit, who, static_cast<double>(sample.limit));
      add_number(calls, with(who, "state", "at_work"), static_cast<double>(sample.at_work));
      add_number(calls, with(who, "state", "waiting"), static_cast<double>(sample.waiting));
      add_number(refused, who, static_cast<double>(sample.refused));
      add_number(timed_out, who, static_cast<double>(sample.timed_out));
    }
  };
  bulkhead_families places_{"dbmanager_bulkhead", ""};
  bulkhead_families total_places_{"polypool_bulkhead", ", over all connections"};
  MetricFamily hooks_sent_{"polypool_webhook_sent_total", "Events that a webhook took", MetricType::Counter, {}};
  MetricFamily hooks_failed_{"polypool_webhook_failed_total",
                             "Events given up, because a webhook refused them or every attempt failed",
                             MetricType::Counter,
                             {}};
  MetricFamily hooks_retries_{
      "polypool_webhook_retries_total", "Attempts that will be made again", MetricType::Counter, {}};
  MetricFamily hooks_dropped_{"polypool_webhook_dropped_total",
                              "Events never sent, because too many waited or came at once",
                              MetricType::Counter,
                              {}};
  MetricFamily hooks_pending_{"polypool_webhook_pending", "Events that wait to be sent", MetricType::Gauge, {}};
  MetricFamily idle_closed_{"dbmanager_connection_idle_closed_total",
                            "Sessions closed because they were idle too long",
                            MetricType::Counter,
                            {}};
};

class collector final : public prometheus::Collectable {
 public:
  collector(sample_source source, whole_source whole) : source_(std::move(source)), whole_(std::move(whole)) {}
  std::vector<MetricFamily> Collect() const override {
    const auto samples = source_();
    auto all = families().collect(samples, whole_ ? whole_() : whole_sample());
    std::erase_if(all, [](const MetricFamily& family) { return family.metric.empty(); });
    return all;
  }

 private:
  const sample_source source_;
  const whole_source whole_;
};

}  // namespace

std::string_view build_version() noexcept { return POLYPOOL_VERSION; }

metrics_exporter::metrics_exporter(sample_source source, whole_source whole)
    : metrics_(std::make_shared<collector>(std::move(source), std::move(whole))) {}
metrics_exporter::~metrics_exporter() = default;

std::string metrics_exporter::text() const { return prometheus::TextSerializer().Serialize(metrics_->Collect()); }

std::shared_ptr<prometheus::Collectable> metrics_exporter::collectable() const { return metrics_; }

}  // namespace polypool
