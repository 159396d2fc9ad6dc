// SPDX-License-Identifier: Apache-2.0
// /api/admin/connections/groups, failover and failback.
#include "server/bodies.hpp"
#include "server/context.hpp"
#include "server/envelope.hpp"
#include "server/group_body.hpp"
#include "server/health_json.hpp"
#include "telemetry/log_line.hpp"

#include <boost/json.hpp>

#include <optional>
#include <utility>

namespace polypool::server {
namespace {

namespace json = boost::json;

json::object member_json(const group_member_status& member) {
  json::object out;
  out["name"] = json_text(member.name);
  out["declared"] = to_string(member.declared);
  out["observed"] = to_string(member.observed);
  out["reachable"] = member.reachable ? json::value(*member.reachable) : json::value(nullptr);
  out["current"] = member.current;
  out["readable"] = member.readable;
  out["ejected"] = member.ejected;
  out["lagMs"] = member.lag ? json::value(milliseconds(*member.lag)) : json::value(nullptr);
  out["position"] = json_text(member.position);
  out["problem"] = json_text(member.problem);
  out["weight"] = member.weight;
  out["choices"] = member.choices;
  out["failures"] = member.failures;
  out["ejections"] = member.ejections;
  out["latencyMs"] = milliseconds(member.latency);
  return out;
}

json::object group_json(const group_status& group) {
  json::object out;
  out["name"] = json_text(group.name);
  out["type"] = config::to_string(group.type);
  out["strategy"] = config::to_string(group.strategy);
  out["primary"] = group.primary.empty() ? json::value(nullptr) : json::value(json_text(group.primary));
  out["severalPrimaries"] = group.several_primaries;
  out["detail"] = json_text(group.detail);
  out["failovers"] = group.failovers;
  out["changedAt"] = group.changed_at == decltype(group.changed_at)()
                         ? json::value(nullptr)
                         : json::value(telemetry::iso_time(group.changed_at));
  json::array members;
  for (const auto& each : group.members) members.push_back(member_json(each));
  out["members"] = std::move(members);
  return out;
}

task<response> list(const context& shared) {
  json::array groups;
  for (const auto& each : shared.manager.groups()) groups.push_back(group_json(each.status()));
  json::object data;
  data["total"] = groups.size();
  data["groups"] = std::move(groups);
  co_return success("Groups", std::move(data));
}

task<response> create(context& shared, const request& asked) {
  auto wanted = decode_group(asked.body, shared.max_json_depth);
  std::optional<group> made;
  try {
    made = shared.manager.register_group(std::move(wanted));
  } catch (const config::configuration_error& wrong) {
    throw http_failure(400, "The group is not valid", lines_of(wrong));
  }
  task<group_status> looking = made->async_refresh();
  const group_status now = co_await std::move(looking);
  shared.health.forget();
  shared.log.info("server", "created a group", {{"group", now.name}});
  co_return success("Created group '" + now.name + "'", group_json(now));
}

group group_of(const context& shared, const std::string& name) {
  try {
    return shared.manager.group(name);
  } catch (const error& thrown) {
    if (thrown.portable_code() != errc::connection_not_found) throw;
    throw http_failure(404, "Group '" + name + "' not found", thrown.hint());
  }
}

// What somebody asked for by hand and cannot have is a conflict, not a server in trouble.
response refused(const error& cause, std::string_view message) {
  if (cause.portable_code() == errc::no_primary) return failure(409, message, cause.what(), "CONFLICT");
  if (cause.portable_code() == errc::unsupported) return failure(400, message, cause.what(), "INVALID_REQUEST");
  return failure(cause, message);
}

task<response> moved(context& shared, task<group_status> work, std::string name, std::string message) {
  std::optional<error> cause;
  std::optional<group_status> now;
  try {
    now = co_await std::move(work);
  } catch (const error& thrown) {
    cause = thrown;
  }
  shared.health.forget();
  if (cause) co_return refused(*cause, "Failed to move group '" + name + "'");
  shared.log.info("server", message, {{"group", name}, {"primary", now->primary}});
  json::object data = group_json(*now);
  co_return success("Group '" + name + "': writes go to '" + now->primary + "'", std::move(data));
}

task<response> fail_over(context& shared, const request& asked) {
  auto wish = decode_failover(asked.body, shared.max_json_depth);
  auto target = group_of(shared, wish.group);
  task<group_status> work = target.async_fail_over(std::move(wish.to));
  task<response> moving = moved(shared, std::move(work), target.name(), "failed over by hand");
  co_return co_await std::move(moving);
}

task<response> fail_back(context& shared, const request& asked) {
  const auto wish = decode_failover(asked.body, shared.max_json_depth);
  auto target = group_of(shared, wish.group);
  task<group_status> work = target.async_fail_back();
  task<response> moving = moved(shared, std::move(work), target.name(), "failed back by hand");
  co_return co_await std::move(moving);
}

}  // namespace

void add_group_routes(router& routes, context& shared) {
  const std::string base = "/api/admin/connections/";
  using enum http_method;
  routes.add(get, base + "groups", [&shared](const request&) { return list(shared); });
  routes.add(post, base + "groups", [&shared](const request& asked) { return create(shared, asked); });
  routes.add(post, base + "failover", [&shared](const request& asked) { return fail_over(shared, asked); });
  routes.add(post, base + "failback", [&shared](const request& asked) { return fail_back(shared, asked); });
}

}  // namespace polypool::server
