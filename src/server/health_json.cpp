// SPDX-License-Identifier: Apache-2.0
#include "server/health_json.hpp"

#include "base/utf8.hpp"
#include "server/envelope.hpp"
#include "telemetry/log_line.hpp"

#include <chrono>

namespace polypool::server {

namespace json = boost::json;

json::string json_text(std::string_view value) { return json::string(to_valid_utf8(value)); }

bool is_database(config::database_type type) noexcept { return type != config::database_type::redis; }

json::object health_json(const connection_health& health) {
  json::object out;
  out["healthy"] = is_serving(health.status);
  out["status"] = to_string(health.status);
  out["detail"] = json_text(health.detail);
  out["latencyMs"] = milliseconds(health.latency);
  out["type"] = config::to_string(health.type);
  if (!health.server.version.empty()) out["version"] = json_text(health.server.version);
  out["role"] = to_string(health.server.role);
  if (health.server.lag) out["lagMs"] = milliseconds(*health.server.lag);
  out["critical"] = health.critical;
  out["active"] = health.active;
  if (health.checked_at != std::chrono::system_clock::time_point{}) {
    out["checkedAt"] = telemetry::iso_time(health.checked_at);
  }
  return out;
}

json::object pool_json(const pool_statistics& numbers) {
  json::object out;
  out["maxOpen"] = numbers.max_open;
  out["open"] = numbers.open;
  out["inUse"] = numbers.in_use;
  out["idle"] = numbers.idle;
  out["opening"] = numbers.opening;
  out["waiting"] = numbers.waiting;
  out["leases"] = numbers.leases;
  out["waitCount"] = numbers.wait_count;
  out["waitDurationMs"] = milliseconds(numbers.wait_time);
  out["timeouts"] = numbers.timeouts;
  out["refused"] = numbers.refused;
  out["opened"] = numbers.opened;
  out["connectFailures"] = numbers.connect_failures;
  out["leaks"] = numbers.leaks;
  json::object closed;
  for (std::size_t i = 0; i < close_cause_count; ++i)
    closed[to_string(static_cast<close_cause>(i))] = numbers.closed[i];
  out["closed"] = std::move(closed);
  return out;
}

// Of all time; buckets as [upper bound in ms, count], so that whoever asks twice knows what was in between.
json::object latency_json(const latency_snapshot& times) {
  json::object out;
  out["count"] = times.count();
  out["p50Ms"] = milliseconds(times.quantile(0.5));
  out["p95Ms"] = milliseconds(times.quantile(0.95));
  out["p99Ms"] = milliseconds(times.quantile(0.99));
  json::array buckets;
  for (std::size_t i = 0; i < latency_snapshot::size; ++i) {
    if (times.counts[i] > 0) {
      buckets.push_back(json::array{milliseconds(latency_snapshot::lower_bound(i + 1)), times.counts[i]});
    }
  }
  out["buckets"] = std::move(buckets);
  return out;
}

json::object breaker_json(const breaker_snapshot& breaker) {
  json::object out;
  out["state"] = to_string(breaker.state);
  out["forced"] = breaker.forced;
  out["calls"] = breaker.calls;
  out["failures"] = breaker.failures;
  out["slow"] = breaker.slow;
  out["opened"] = breaker.opened;
  out["refused"] = breaker.refused;
  out["reason"] = json_text(breaker.reason);
  return out;
}

json::object statistics_json(const connection_statistics& numbers) {
  json::object out;
  out["name"] = json_text(numbers.name);
  out["type"] = config::to_string(numbers.type);
  out["phase"] = to_string(numbers.phase);
  out["health"] = to_string(numbers.health);
  out["isActive"] = numbers.active;
  out["queries"] = numbers.queries;
  out["errors"] = numbers.errors;
  out["reconnectsSucceeded"] = numbers.reconnects_succeeded;
  out["reconnectsFailed"] = numbers.reconnects_failed;
  out["healthChecks"] = numbers.health_checks;
  out["healthChecksFailed"] = numbers.health_checks_failed;
  out["lastHealthCheckMs"] = milliseconds(numbers.last_health_check);
  out["latency"] = latency_json(numbers.query_times);
  if (numbers.group) out["group"] = true;  // its members have breakers and sessions
  if (!numbers.group) out["breaker"] = breaker_json(numbers.breaker);
  out["pool"] = pool_json(numbers.pool);
  return out;
}

json::object summary_json(const connection_summary& summary) {
  json::object out;
  out["name"] = json_text(summary.name);
  out["isActive"] = summary.active;
  out["type"] = config::to_string(summary.type);
  out["phase"] = to_string(summary.phase);
  out["health"] = to_string(summary.health);
  out["critical"] = summary.critical;
  out["target"] = json_text(summary.target);
  json::object tags;
  for (const auto& [key, value] : summary.tags) tags[json_text(key)] = json_text(value);
  out["tags"] = std::move(tags);
  if (summary.group) out["group"] = true;
  return out;
}

}  // namespace polypool::server
