// SPDX-License-Identifier: Apache-2.0
#include <polypool/metrics.hpp>

#include <map>
#include <utility>

namespace polypool {
namespace {

// A connection that was never opened is neither healthy nor ill: showing 0 would raise a false alarm.
std::optional<bool> health_of(const connection_statistics& statistics) {
  switch (statistics.health) {
    case health_status::healthy:
    case health_status::degraded:  // it serves
      return true;
    case health_status::unhealthy:
      return false;
    case health_status::unknown:
      break;
  }
  if (statistics.phase == connection_phase::connected) return true;
  return std::nullopt;
}

bulkhead_sample to_sample(const bulkhead_snapshot& seen) {
  bulkhead_sample out;
  out.limit = seen.limit;
  out.at_work = seen.at_work;
  out.waiting = seen.waiting;
  out.refused = seen.refused;
  out.timed_out = seen.timed_out;
  return out;
}

}  // namespace

connection_sample to_sample(const connection_statistics& statistics) {
  connection_sample sample;
  sample.name = statistics.name;
  sample.type = config::to_string(statistics.type);
  sample.metrics_enabled = statistics.metrics_enabled;
  sample.healthy = health_of(statistics);
  sample.open = statistics.pool.open;
  sample.idle = statistics.pool.idle;
  sample.in_use = statistics.pool.in_use;
  sample.wait_count = statistics.pool.wait_count;
  sample.wait_time = statistics.pool.wait_time;
  sample.lifetime_closed = statistics.pool.closed_for(close_cause::lifetime);
  sample.idle_closed = statistics.pool.closed_for(close_cause::idle_time);
  sample.reconnects_succeeded = statistics.reconnects_succeeded;
  sample.reconnects_failed = statistics.reconnects_failed;
  sample.retries = statistics.retries;
  sample.retries_left_out = statistics.retries_left_out;
  sample.breaker_state = static_cast<std::uint8_t>(statistics.breaker.state);
  sample.breaker_opened = statistics.breaker.opened;
  sample.breaker_refused = statistics.breaker.refused;
  sample.health_checks = statistics.health_check_durations;
  sample.health_checks_failed = statistics.health_checks_failed;
  sample.places = to_sample(statistics.places);
  return sample;
}

namespace {

void add_group(connection_sample& sample, const group_status& now) {
  sample.balances = now.type == config::group_type::balance;
  sample.failovers = now.failovers;
  for (const auto& each : now.members) {
    connection_sample::member one;
    one.name = each.name;
    one.primary = each.current;
    one.ejected = each.ejected;
    one.calls = each.choices;
    one.failures = each.failures;
    one.ejections = each.ejections;
    sample.members.push_back(std::move(one));
  }
}

}  // namespace

std::vector<connection_sample> metrics_samples(const manager& source) {
  std::vector<connection_sample> samples;
  std::map<std::string, group_status> groups;
  for (const auto& each : source.groups()) {
    try {
      groups.emplace(each.name(), each.status());
    } catch (const error&) {
      continue;  // it was removed just now
    }
  }
  for (const auto& each : source.statistics().connections) {
    auto sample = to_sample(each);
    if (each.group) {
      const auto found = groups.find(each.name);
      if (found == groups.end()) continue;
      add_group(sample, found->second);
    }
    samples.push_back(std::move(sample));
  }
  return samples;
}

whole_sample metrics_of_the_whole(const manager& source) {
  whole_sample out;
  out.places = to_sample(source.total_places());
  return out;
}

metrics_exporter make_metrics_exporter(const manager& source) {
  return metrics_exporter([&source] { return metrics_samples(source); },
                          [&source] { return metrics_of_the_whole(source); });
}

std::string metrics_text(const manager& source) { return make_metrics_exporter(source).text(); }

}  // namespace polypool
