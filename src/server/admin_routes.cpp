// SPDX-License-Identifier: Apache-2.0
// /api/admin/connections/…: look at connections, test and reconnect them.
#include "server/bodies.hpp"
#include "server/context.hpp"
#include "server/envelope.hpp"
#include "server/health_json.hpp"

#include <boost/json.hpp>

#include <optional>
#include <utility>

namespace polypool::server {
namespace {

namespace json = boost::json;

response status_answer(const context& shared) {
  const auto all = shared.manager.statistics();
  json::array connections;
  for (const auto& each : all.connections) connections.push_back(statistics_json(each));
  json::object summary;
  summary["total"] = all.total;
  summary["healthy"] = all.healthy;
  summary["unhealthy"] = all.unhealthy;
  summary["degraded"] = all.degraded;
  json::object data;
  data["connections"] = std::move(connections);
  data["summary"] = std::move(summary);
  return success("Connection status", std::move(data));
}

response list_answer(const context& shared) {
  json::array databases;
  json::array redis;
  for (const auto& each : shared.manager.list()) {
    (is_database(each.type) ? databases : redis).push_back(summary_json(each));
  }
  json::object data;
  data["databases"] = std::move(databases);
  data["redis"] = std::move(redis);
  return success("Connections", std::move(data));
}

response active_answer(const context& shared) {
  json::object data;
  data["database"] = nullptr;
  data["redis"] = nullptr;
  for (const auto& each : shared.manager.list()) {
    if (each.active) data[is_database(each.type) ? "database" : "redis"] = summary_json(each);
  }
  return success("Active connections", std::move(data));
}

response test_answer(const std::vector<connection_health>& results) {
  json::array connections;
  std::size_t healthy = 0;
  for (const auto& each : results) {
    auto entry = health_json(each);
    entry["name"] = json_text(each.name);
    connections.push_back(std::move(entry));
    if (is_serving(each.status)) ++healthy;
  }
  json::object data;
  data["connections"] = std::move(connections);
  data["total"] = results.size();
  data["healthy"] = healthy;
  return success(std::to_string(healthy) + " of " + std::to_string(results.size()) + " connections are healthy",
                 std::move(data));
}

task<response> test_all(context& shared) {
  auto report = co_await shared.manager.async_health_check();
  co_return test_answer(report.databases);
}

task<response> test(context& shared, const request& asked) {
  const auto name = decode_optional_name(asked.body, shared.max_json_depth);
  if (!name || name->empty()) {
    auto all = co_await test_all(shared);
    co_return all;
  }
  auto tested = find_connection(shared, *name);
  auto result = co_await tested.async_health_check();
  std::vector<connection_health> one;
  one.push_back(std::move(result));
  co_return test_answer(one);
}

response reconnected_answer(const std::string& name) {
  json::object data;
  data["connectionName"] = json_text(name);
  return success("Reconnected '" + name + "'", std::move(data));
}

// What is closed is opened; what is open gets new sessions.
task<void> renew(connection& target) {
  if (target.phase() == connection_phase::connected) {
    co_await target.async_reconnect();
  } else {
    co_await target.async_connect();
  }
}

task<response> reconnect(context& shared, const request& asked) {
  const auto name = decode_connection_name(asked.body, shared.max_json_depth);
  auto target = find_connection(shared, name);
  std::optional<error> cause;
  try {
    co_await renew(target);
  } catch (const error& thrown) {
    cause = thrown;
  }
  shared.health.forget();
  if (cause) co_return failure(*cause, "Failed to reconnect '" + target.name() + "'");
  shared.log.info("server", "reconnected", {{"connection", target.name()}});
  co_return reconnected_answer(target.name());
}

}  // namespace

void add_admin_routes(router& routes, context& shared) {
  const std::string base = "/api/admin/connections/";
  using enum http_method;
  routes.add(get, base + "status", [&shared](const request&) { return ready_made(status_answer(shared)); });
  routes.add(get, base + "list", [&shared](const request&) { return ready_made(list_answer(shared)); });
  routes.add(get, base + "active", [&shared](const request&) { return ready_made(active_answer(shared)); });
  routes.add(get, base + "test", [&shared](const request&) { return test_all(shared); });
  routes.add(post, base + "test", [&shared](const request& asked) { return test(shared, asked); });
  routes.add(post, base + "reconnect", [&shared](const request& asked) { return reconnect(shared, asked); });
}

}  // namespace polypool::server
