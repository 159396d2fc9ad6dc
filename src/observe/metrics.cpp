// SPDX-License-Identifier: Apache-2.0
#include <polypool/metrics.hpp>

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
  sample.health_checks = statistics.health_check_durations;
  return sample;
}

std::vector<connection_sample> metrics_samples(const manager& source) {
  std::vector<connection_sample> samples;
  for (const auto& each : source.statistics().connections) samples.push_back(to_sample(each));
  return samples;
}

metrics_exporter make_metrics_exporter(const manager& source) {
  return metrics_exporter([&source] { return metrics_samples(source); });
}

std::string metrics_text(const manager& source) { return make_metrics_exporter(source).text(); }

}  // namespace polypool
