// SPDX-License-Identifier: Apache-2.0
// What the handlers share.
#pragma once

#include "server/bodies.hpp"
#include "server/event_stream.hpp"
#include "server/router.hpp"
#include "server/shared_health.hpp"

#include <polypool/manager.hpp>
#include <polypool/server.hpp>
#include <polypool/telemetry.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>

namespace polypool::server {

struct context {
  context(polypool::manager& served, log::logger logger, std::size_t json_depth,
          std::shared_ptr<configuration_source> from = nullptr, const webhook_sender* webhooks = nullptr,
          bool still_starting = false);
  polypool::manager& manager;
  log::logger log;
  std::size_t max_json_depth;
  shared_health health;
  metrics_exporter metrics;
  const std::shared_ptr<configuration_source> source;  // null: nothing to read again
  event_feed events;
  std::atomic<bool> starting;  // the manager is being connected by whoever made it, and left alone until then
  std::atomic<bool> shutting_down{false};
  const std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
};

// Each adds its calls. The context outlives the router.
void add_multi_routes(router& routes, context& shared);
void add_admin_routes(router& routes, context& shared);
void add_group_routes(router& routes, context& shared);
void add_breaker_routes(router& routes, context& shared);
void add_monitor_routes(router& routes, context& shared);
void add_probe_routes(router& routes, context& shared);
void add_reload_routes(router& routes, context& shared);

/// The connection of that name, a database before a Redis. Throws http_failure 404 `Database connection 'x' not found`.
connection find_connection(const context& shared, const std::string& name);
/// The one of this kind. Throws http_failure 404 `Redis connection 'x' not found`, or the same of a database.
connection find_connection(const context& shared, const std::string& name, connection_kind kind);
[[noreturn]] void throw_not_found(const std::string& name, connection_kind kind = connection_kind::database);

/// Answers with the handler, whatever it throws; interrupted after the time limit or when told to stop.
task<response> answer(const context& shared, const handler& with, const request& asked, duration limit,
                      std::stop_token stop);

}  // namespace polypool::server
