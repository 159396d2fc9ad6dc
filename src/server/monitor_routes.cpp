// SPDX-License-Identifier: Apache-2.0
// The monitor, the history of its checks, and events.
#include "server/bodies.hpp"
#include "server/context.hpp"
#include "server/envelope.hpp"
#include "server/event_stream.hpp"
#include "server/health_json.hpp"
#include "server/query.hpp"
#include "telemetry/log_line.hpp"

#include <boost/json.hpp>

#include <utility>

namespace polypool::server {
namespace {

namespace json = boost::json;

json::object monitor_data(const context& shared) {
  json::array connections;
  for (const auto& each : shared.manager.health().databases) {
    auto entry = health_json(each);
    entry["name"] = json_text(each.name);
    connections.push_back(std::move(entry));
  }
  json::object data;
  data["running"] = shared.manager.monitoring();
  data["healthy"] = shared.manager.is_healthy();
  data["connections"] = std::move(connections);
  return data;
}

response monitor_answer(const context& shared, std::string_view message) {
  return success(message, monitor_data(shared));
}

response monitor_status(const context& shared) {
  return monitor_answer(shared, shared.manager.monitoring() ? "The monitor is running" : "The monitor is stopped");
}

task<response> steer_monitor(context& shared, const request& asked) {
  const auto action = decode_action(asked.body, "start, stop, status or check", shared.max_json_depth);
  auto& mgr = shared.manager;
  if (action == "start") {
    mgr.start_monitor();
    shared.log.info("server", "started the monitor");
    co_return monitor_answer(shared, "Started the monitor");
  }
  if (action == "stop") {
    mgr.stop_monitor();
    shared.log.info("server", "stopped the monitor");
    co_return monitor_answer(shared, "Stopped the monitor");
  }
  if (action == "check") {
    shared.health.forget();
    co_await shared.health.check();
    co_return monitor_answer(shared, "Checked all connections");
  }
  if (action == "status") co_return monitor_status(shared);
  throw http_failure(400, "Action must be one of start, stop, status or check", "'action' is something else");
}

json::object record_json(const health_record& one) {
  json::object out;
  out["at"] = telemetry::iso_time(one.at);
  out["found"] = to_string(one.found);
  out["status"] = to_string(one.status);
  out["latencyMs"] = milliseconds(one.latency);
  if (!one.detail.empty()) out["detail"] = json_text(one.detail);
  return out;
}

json::object history_of(const connection& target) {
  json::array checks;
  for (const auto& each : target.health_history()) checks.push_back(record_json(each));
  json::object out;
  out["name"] = json_text(target.name());
  out["type"] = config::to_string(target.type());
  out["health"] = to_string(target.health());
  out["checks"] = std::move(checks);
  return out;
}

response history_answer(const context& shared, const request& asked) {
  std::vector<connection> targets;
  for (const auto& [name, value] : parse_query(asked.query)) {
    if (name != "connection") throw http_failure(400, "Bad request", "there is no '" + name + "'; allowed: connection");
    targets.push_back(find_connection(shared, value));
  }
  if (targets.empty()) targets = shared.manager.get_all();
  json::array connections;
  for (const auto& each : targets) connections.push_back(history_of(each));
  json::object data;
  data["connections"] = std::move(connections);
  return success("Health history", std::move(data));
}

json::object events_data(const context& shared, const event_query& wanted) {
  std::vector<connection_event> found;
  auto& bus = shared.manager.events();
  for (auto& each : bus.recent(event_bus::kept, wanted.since.value_or(0))) {
    if (wanted.filter.takes(each)) found.push_back(std::move(each));
  }
  json::array events;
  const std::size_t skipped = found.size() > wanted.limit ? found.size() - wanted.limit : 0;
  for (std::size_t i = skipped; i < found.size(); ++i) events.push_back(event_json(found[i]));
  json::object data;
  data["events"] = std::move(events);
  data["lastId"] = bus.last_id();
  return data;
}

response events_answer(context& shared, const request& asked) {
  constexpr std::string_view stream_type = "text/event-stream";
  constexpr std::string_view json_type = "application/json";
  auto wanted = decode_event_query(asked);
  const bool stream = accepts(asked.accept, stream_type, true);
  if (!stream && accepts(asked.accept, json_type, true)) return success("Events", events_data(shared, wanted));
  if (!stream && !accepts(asked.accept, stream_type)) {
    throw http_failure(406, "Not acceptable", "events come as text/event-stream or as application/json",
                       "NOT_ACCEPTABLE");
  }
  response out(200, "", stream_type);
  out.stream = std::make_shared<event_stream>(shared.events, std::move(wanted));
  return out;
}

}  // namespace

void add_monitor_routes(router& routes, context& shared) {
  const std::string base = "/api/admin/connections/";
  using enum http_method;
  routes.add(get, base + "monitor", [&shared](const request&) { return ready_made(monitor_status(shared)); });
  routes.add(post, base + "monitor", [&shared](const request& asked) { return steer_monitor(shared, asked); });
  routes.add(get, base + "health/history",
             [&shared](const request& asked) { return ready_made(history_answer(shared, asked)); });
  routes.add(get, "/api/events", [&shared](const request& asked) { return ready_made(events_answer(shared, asked)); });
}

}  // namespace polypool::server
