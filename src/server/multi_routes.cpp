// SPDX-License-Identifier: Apache-2.0
// /api/admin/connections/multi/…: create, switch, list, test and remove connections.
#include "server/bodies.hpp"
#include "server/context.hpp"
#include "server/creation.hpp"
#include "server/envelope.hpp"
#include "server/health_json.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <utility>

namespace polypool::server {
namespace {

namespace json = boost::json;

json::array names_json(const std::vector<std::string>& names) {
  json::array out;
  for (const auto& name : names) out.push_back(json_text(name));
  return out;
}

json::array failed_json(const batch_outcome& outcome) {
  json::array out;
  for (const auto& each : outcome.failed) {
    json::object entry;
    entry["name"] = json_text(each.name);
    entry["error"] = json_text(each.error);
    entry["code"] = code_word_of(each.code);
    out.push_back(std::move(entry));
  }
  return out;
}

// One success makes it a success. When all fail, the status is theirs if it is the same for all, else the worst.
response batch_answer(const batch_outcome& outcome, std::string_view done_word, std::string_view what,
                      const std::string& failed_message) {
  const auto total = outcome.successful.size() + outcome.failed.size();
  json::object data;
  data[done_word == "Created" ? "successful" : "disconnected"] = names_json(outcome.successful);
  data["failed"] = failed_json(outcome);
  if (!outcome.successful.empty() || total == 0) {
    const auto text = std::string(done_word) + ' ' + std::to_string(outcome.successful.size()) + " of " +
                      std::to_string(total) + ' ' + std::string(what);
    return success(text, std::move(data));
  }
  const auto worse = [](const auto& a, const auto& b) { return status_of(a.code) < status_of(b.code); };
  const auto worst = std::max_element(outcome.failed.begin(), outcome.failed.end(), worse);
  std::string details;
  for (const auto& each : outcome.failed) details += (details.empty() ? "" : "; ") + each.name + ": " + each.error;
  return failure(status_of(worst->code), failed_message, details, code_word_of(worst->code), std::move(data));
}

task<response> create(context& shared, const request& asked, connection_kind kind) {
  auto wanted = decode_creations(asked.body, shared.max_json_depth);
  const auto outcome = co_await create_all(shared, std::move(wanted), kind);
  shared.health.forget();
  for (const auto& name : outcome.successful) shared.log.info("server", "created", {{"connection", name}});
  const auto what = std::string(in_a_sentence(kind)) + " connections";
  co_return batch_answer(outcome, "Created", what, "Failed to create " + what);
}

response switched_answer(context& shared, const std::string& name, connection_kind kind) {
  auto& manager = shared.manager;
  const bool redis = kind == connection_kind::redis;
  const auto target = find_connection(shared, name, kind);
  redis ? manager.switch_active_redis(target.name()) : manager.switch_active(target.name());
  shared.health.forget();
  shared.log.info("server", "switched the active " + std::string(in_a_sentence(kind)), {{"connection", name}});
  json::object data;
  data["activeConnection"] = json_text(redis ? manager.active_redis() : manager.active());
  return success("Switched to " + std::string(in_a_sentence(kind)) + " connection '" + name + "'", std::move(data));
}

json::object list_data(const std::vector<connection_summary>& all) {
  json::array databases;
  json::array redis;
  std::size_t active_databases = 0;
  std::size_t active_redis = 0;
  for (const auto& each : all) {
    json::object entry;
    entry["name"] = json_text(each.name);
    entry["isActive"] = each.active;
    (is_database(each.type) ? databases : redis).push_back(std::move(entry));
    (is_database(each.type) ? active_databases : active_redis) += each.active ? 1 : 0;
  }
  json::object summary;
  summary["totalDatabases"] = databases.size();
  summary["activeDatabases"] = active_databases;
  summary["totalRedis"] = redis.size();
  summary["activeRedis"] = active_redis;
  json::object data;
  data["databases"] = std::move(databases);
  data["redis"] = std::move(redis);
  data["summary"] = std::move(summary);
  return data;
}

// How many of one kind are healthy; nothing of a kind counts as all of it.
struct tally {
  std::size_t total = 0;
  std::size_t healthy = 0;
  json::object by_name;
  double ratio() const noexcept { return total == 0 ? 1.0 : static_cast<double>(healthy) / static_cast<double>(total); }
  void add(const connection_health& one) {
    const bool good = one.status != health_status::unhealthy;  // a lazy one that nobody used is not ill
    by_name[json_text(one.name)] = good;
    ++total;
    healthy += good ? 1 : 0;
  }
  json::object summary() const {
    json::object out;
    out["healthy"] = healthy == total;
    out["total"] = total;
    out["healthyCount"] = healthy;
    return out;
  }
};

json::object health_data(const health_report& report) {
  tally databases;
  tally redis;
  json::object details;
  for (const auto& one : report.databases) {
    (is_database(one.type) ? databases : redis).add(one);
    details[json_text(one.name)] = json_text(one.detail);
  }
  json::object overall;
  overall["isHealthy"] = databases.healthy == databases.total && redis.healthy == redis.total;
  overall["databaseHealth"] = databases.ratio();
  overall["redisHealth"] = redis.ratio();
  json::object summary;
  summary["totalDatabases"] = databases.total;
  summary["healthyDatabases"] = databases.healthy;
  summary["totalRedis"] = redis.total;
  summary["healthyRedis"] = redis.healthy;
  json::object data;
  data["overall"] = std::move(overall);
  data["summary"] = std::move(summary);
  data["database"] = databases.summary();
  data["databases"] = std::move(databases.by_name);
  auto redis_part = redis.summary();  // the key stands for both the whole and the names, as callers expect
  for (auto& entry : redis.by_name) redis_part.insert(json::key_value_pair(entry.key(), entry.value()));
  data["redis"] = std::move(redis_part);
  data["details"] = std::move(details);
  return data;
}

task<response> health_of_all(context& shared) {
  const auto report = co_await shared.health.check();
  co_return success("Connection health", health_data(*report));
}

json::object tested_json(const connection_health& result) {
  auto tested = health_json(result);
  tested["name"] = json_text(result.name);
  return tested;
}

task<response> test_specific(context& shared, const request& asked) {
  const auto wanted = decode_test(asked.body, shared.max_json_depth);
  using enum connection_kind;
  std::vector<std::pair<connection_kind, connection>> targets;  // all are found before any is tested
  if (wanted.database) targets.emplace_back(database, find_connection(shared, *wanted.database, database));
  if (wanted.redis) targets.emplace_back(redis, find_connection(shared, *wanted.redis, redis));
  json::object data;
  std::string message;
  for (auto& [kind, target] : targets) {
    const auto result = co_await target.async_health_check();
    data[to_string(kind)] = tested_json(result);
    message += (message.empty() ? "" : "; ") + result.detail;
  }
  co_return success(message, std::move(data));
}

response removed_answer(context& shared, const removal& gone) {
  shared.health.forget();
  shared.log.info("server", "removed", {{"connection", gone.name}});
  json::object data;
  data["type"] = to_string(gone.kind);
  data["connectionName"] = json_text(gone.name);
  const auto active = gone.kind == connection_kind::redis ? shared.manager.active_redis() : shared.manager.active();
  data["activeConnection"] = active.empty() ? json::value(nullptr) : json::value(json_text(active));
  return success("Removed " + std::string(in_a_sentence(gone.kind)) + " connection '" + gone.name + "'",
                 std::move(data));
}

task<response> remove(context& shared, const request& asked) {
  const auto wanted = decode_removal(asked.body, shared.max_json_depth);
  const auto target = find_connection(shared, wanted.name, wanted.kind);
  if (target.name() != wanted.name) throw_not_found(wanted.name, wanted.kind);  // `default` is no name to remove by
  if (wanted.kind == connection_kind::redis) {
    co_await shared.manager.async_remove_redis(wanted.name);
  } else {
    co_await shared.manager.async_remove(wanted.name);
  }
  co_return removed_answer(shared, wanted);
}

task<response> disconnect(context& shared) {
  const auto outcome = co_await disconnect_all(shared);
  shared.health.forget();
  shared.log.info("server", "disconnected all", {{"count", std::to_string(outcome.successful.size())}});
  co_return batch_answer(outcome, "Disconnected", "connections", "Failed to disconnect");
}

}  // namespace

void add_multi_routes(router& routes, context& shared) {
  const std::string base = "/api/admin/connections/multi/";
  using enum http_method;
  for (const auto kind : {connection_kind::database, connection_kind::redis}) {
    const std::string word(to_string(kind));
    routes.add(post, base + word, [&shared, kind](const request& asked) { return create(shared, asked, kind); });
    routes.add(post, base + "switch/" + word, [&shared, kind](const request& asked) {
      return ready_made(switched_answer(shared, decode_connection_name(asked.body, shared.max_json_depth), kind));
    });
  }
  routes.add(get, base + "list", [&shared](const request&) {
    return ready_made(success("Connections", list_data(shared.manager.list())));
  });
  routes.add(get, base + "health", [&shared](const request&) { return health_of_all(shared); });
  routes.add(post, base + "test/specific", [&shared](const request& asked) { return test_specific(shared, asked); });
  routes.add(del, base + "remove", [&shared](const request& asked) { return remove(shared, asked); });
  routes.add(del, base + "disconnect/all", [&shared](const request&) { return disconnect(shared); });
}

}  // namespace polypool::server
