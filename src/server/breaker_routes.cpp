// SPDX-License-Identifier: Apache-2.0
// Circuit breakers: what they have seen, and forcing them.
#include "server/bodies.hpp"
#include "server/context.hpp"
#include "server/envelope.hpp"
#include "server/health_json.hpp"

#include <boost/json.hpp>

#include <utility>

namespace polypool::server {
namespace {

namespace json = boost::json;

json::object entry_for(const std::string& name, const breaker_snapshot& seen) {
  auto entry = breaker_json(seen);
  entry["name"] = json_text(name);
  return entry;
}

response breakers_answer(const context& shared) {
  json::array breakers;
  for (const auto& each : shared.manager.statistics().connections) {
    if (!each.group) breakers.push_back(entry_for(each.name, each.breaker));
  }
  json::object data;
  data["breakers"] = std::move(breakers);
  return success("Circuit breakers", std::move(data));
}

response force(context& shared, const request& asked) {
  constexpr std::string_view allowed = "open, close or release";
  const auto name = decode_field(asked.body, "connection", "Connection name is required", shared.max_json_depth);
  const auto action = decode_action(asked.body, allowed, shared.max_json_depth);
  auto target = find_connection(shared, name);
  std::string done;
  if (action == "open") {
    target.force_breaker(breaker_action::open);
    done = "Holding open";
  } else if (action == "close") {
    target.force_breaker(breaker_action::close);
    done = "Holding closed";
  } else if (action == "release") {
    target.force_breaker(breaker_action::release);
    done = "Released";
  } else {
    throw http_failure(400, "Action must be one of open, close or release", "'action' is something else");
  }
  shared.log.info("server", "forced a circuit breaker", {{"connection", target.name()}, {"action", action}});
  json::object data;
  data["breaker"] = entry_for(target.name(), target.breaker_snapshot());
  return success(done + " the circuit breaker of '" + target.name() + "'", std::move(data));
}

}  // namespace

void add_breaker_routes(router& routes, context& shared) {
  const std::string base = "/api/admin/connections/";
  using enum http_method;
  routes.add(get, base + "breakers", [&shared](const request&) { return ready_made(breakers_answer(shared)); });
  routes.add(post, base + "breaker", [&shared](const request& asked) { return ready_made(force(shared, asked)); });
}

}  // namespace polypool::server
