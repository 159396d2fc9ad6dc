// SPDX-License-Identifier: Apache-2.0
#include "cli/top_model.hpp"

#include "cli/daemon_call.hpp"

#include <algorithm>

namespace polypool::cli {

namespace json = boost::json;

namespace {

constexpr double least_seconds = 0.05;  // two answers that are closer tell nothing of rates

// The bound below which this share of all lies.
std::optional<double> quantile(const std::map<double, double>& counts, double share) {
  double all = 0;
  for (const auto& [bound, count] : counts) all += count;
  if (all <= 0) return std::nullopt;
  double left = share * all;
  for (const auto& [bound, count] : counts) {
    left -= count;
    if (left <= 0) return bound;
  }
  return counts.rbegin()->first;
}

std::map<double, double> read_buckets(const json::array& list) {
  std::map<double, double> out;
  for (const auto& each : list) {
    if (!each.is_array() || each.as_array().size() != 2) continue;
    const auto& pair = each.as_array();
    if (pair[0].is_number() && pair[1].is_number()) out[pair[0].to_number<double>()] += pair[1].to_number<double>();
  }
  return out;
}

std::map<double, double> difference(std::map<double, double> now, const std::map<double, double>& before) {
  for (const auto& [bound, count] : before) {
    const auto found = now.find(bound);
    if (found == now.end() || found->second < count) return now;  // it was restarted
    found->second -= count;
  }
  return now;
}

std::uint64_t count_field(const json::object& from, std::string_view name) {
  return static_cast<std::uint64_t>(std::max(number_field(from, name), 0.0));
}

}  // namespace

top_row top_model::row_of(const json::object& one, double seconds) {
  top_row out;
  out.name = text_field(one, "name");
  out.type = text_field(one, "type");
  out.health = text_field(one, "health");
  out.phase = text_field(one, "phase");
  out.active = flag_field(one, "isActive");
  out.redis = out.type == "redis";
  out.group = flag_field(one, "group");
  out.breaker = text_field(object_field(one, "breaker"), "state");
  const auto& pool = object_field(one, "pool");
  out.in_use = count_field(pool, "inUse");
  out.idle = count_field(pool, "idle");
  out.open = count_field(pool, "open");
  out.max = count_field(pool, "maxOpen");
  out.waiting = count_field(pool, "waiting");
  totals now;
  now.queries = number_field(one, "queries");
  now.errors = number_field(one, "errors");
  now.times = read_buckets(array_field(object_field(one, "latency"), "buckets"));
  const auto key = out.type + '/' + out.name;
  auto recent = now.times;
  if (const auto found = before_.find(key); found != before_.end() && seconds >= least_seconds) {
    const auto& before = found->second;
    if (now.queries >= before.queries) out.queries_per_second = (now.queries - before.queries) / seconds;
    if (now.errors >= before.errors) out.errors_per_second = (now.errors - before.errors) / seconds;
    recent = difference(now.times, before.times);
  }
  out.p50_ms = quantile(recent, 0.5);
  out.p95_ms = quantile(recent, 0.95);
  if (!out.p50_ms) out.p50_ms = quantile(now.times, 0.5);
  if (!out.p95_ms) out.p95_ms = quantile(now.times, 0.95);
  before_[key] = std::move(now);
  return out;
}

std::string top_row::shown_name() const {
  for (const auto& each : places) {
    if (each.itself && each.failover) return name + " → " + (each.primary.empty() ? "nobody" : each.primary);
    const auto role = each.role.substr(0, each.role.find(" of "));  // "primary of orders"
    if (!each.itself && role != "member") return name + " (" + role + ")";
  }
  return name;
}

void top_model::update(const json::object& status, const json::object& events, const json::object& groups,
                       std::chrono::steady_clock::time_point now) {
  const double seconds = last_ ? std::chrono::duration<double>(now - *last_).count() : 0;
  if (last_ && seconds < least_seconds) return;
  last_ = now;
  events_.clear();
  const auto& happened = array_field(events, "events");
  for (auto it = happened.rbegin(); it != happened.rend(); ++it) {
    if (it->is_object()) events_.push_back(line_of(it->as_object()));
  }
  rows_.clear();
  const auto places = places_of(array_field(groups, "groups"));
  for (const auto& each : array_field(status, "connections")) {
    if (!each.is_object()) continue;
    auto row = row_of(each.as_object(), seconds);
    const auto found = std::ranges::find(events_, row.name, &event_line::connection);
    if (found != events_.end()) row.last_event = found->time + " " + found->kind;
    if (const auto its = places.find(row.name); its != places.end()) row.places = its->second;
    rows_.push_back(std::move(row));
  }
}

}  // namespace polypool::cli
