// SPDX-License-Identifier: Apache-2.0
// Health and numbers as JSON.
#pragma once

#include <polypool/manager.hpp>

#include <boost/json.hpp>

#include <string_view>

namespace polypool::server {

/// Any text as a JSON string: what is not UTF-8 is replaced.
boost::json::string json_text(std::string_view value);
/// `{healthy, status, detail, latencyMs, type, critical, active, checkedAt}`
boost::json::object health_json(const connection_health& health);
boost::json::object pool_json(const pool_statistics& numbers);
boost::json::object latency_json(const latency_snapshot& times);
boost::json::object breaker_json(const breaker_snapshot& breaker);
boost::json::object statistics_json(const connection_statistics& numbers);
boost::json::object summary_json(const connection_summary& summary);

/// Whether it counts among databases rather than Redis.
bool is_database(config::database_type type) noexcept;

}  // namespace polypool::server
