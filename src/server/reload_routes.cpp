// SPDX-License-Identifier: Apache-2.0
// /api/admin/reload and …/switch/environment: another configuration for the daemon at work.
#include "server/bodies.hpp"
#include "server/context.hpp"
#include "server/envelope.hpp"

#include <polypool/config_changes.hpp>
#include <polypool/waits.hpp>

#include <boost/json.hpp>

#include <utility>

namespace polypool::server {
namespace {

namespace json = boost::json;

json::array changes_json(const std::vector<config::change>& changes) {
  json::array out;
  for (const auto& each : changes) {
    json::object entry;
    entry["change"] = std::string(config::to_string(each.kind));
    entry["what"] = each.what;
    if (!each.name.empty()) entry["name"] = each.name;
    json::array fields;
    for (const auto& field : each.fields) fields.push_back(json::string(field));
    if (!fields.empty()) entry["fields"] = std::move(fields);
    entry["needsRestart"] = each.needs_restart;
    entry["text"] = each.to_string();
    out.push_back(std::move(entry));
  }
  return out;
}

response changes_answer(const std::vector<config::change>& changes, std::string_view done) {
  json::object data;
  data["changes"] = changes_json(changes);
  const auto count = std::to_string(changes.size()) + (changes.size() == 1 ? " change" : " changes");
  return success(count + std::string(done), std::move(data));
}

// A configuration that cannot be read or used: all that is wrong with it, a line each.
http_failure refusal_of(const config::configuration_error& wrong) {
  std::string lines;
  for (const auto& each : wrong.problems()) lines += (lines.empty() ? "" : "\n") + each.to_string();
  return {400, "The configuration is not valid; nothing was changed", std::move(lines)};
}

// Files are read on a thread that may wait for them.
task<config::settings> read_again(context& shared, std::string environment) {
  const auto source = shared.source;
  auto read = [&] { return source->read(environment); };
  offload<decltype(read)> reading(std::move(read));
  co_return co_await reading;
}

task<response> preview(context& shared) {
  task<config::settings> reading = read_again(shared, {});
  const config::settings next = co_await std::move(reading);
  co_return changes_answer(shared.manager.preview(next), " to apply");
}

task<response> put_in_force(context& shared, std::string environment, bool all_or_nothing) {
  task<config::settings> reading = read_again(shared, environment);
  config::settings next = co_await std::move(reading);
  apply_options how;
  how.all_or_nothing = all_or_nothing;
  task<std::vector<config::change>> applying = shared.manager.async_apply(std::move(next), how);
  const auto changes = co_await std::move(applying);
  if (!environment.empty()) shared.source->adopt(environment);
  shared.health.forget();
  co_return changes_answer(changes, " applied");
}

// Whatever goes wrong, the daemon goes on with what it has, and says so.
task<response> reporting(context& shared, task<response> work) {
  try {
    task<response> running = std::move(work);
    co_return co_await std::move(running);
  } catch (const config::configuration_error& wrong) {
    shared.log.error("server", "the configuration is not valid; nothing was changed", {{"error", wrong.what()}});
    throw refusal_of(wrong);
  }
}

task<response> switch_environment(context& shared, const request& asked) {
  auto environment = decode_environment(asked.body, shared.max_json_depth);
  shared.log.info("server", "switching the environment", {{"environment", environment}});
  return reporting(shared, put_in_force(shared, std::move(environment), true));
}

}  // namespace

void add_reload_routes(router& routes, context& shared) {
  if (!shared.source) return;  // embedded in a program that configures itself
  using enum http_method;
  const std::string reload = "/api/admin/reload";
  routes.add(get, reload, [&shared](const request&) { return reporting(shared, preview(shared)); });
  routes.add(post, reload, [&shared](const request&) { return reporting(shared, put_in_force(shared, {}, false)); });
  routes.add(post, "/api/admin/connections/switch/environment",
             [&shared](const request& asked) { return switch_environment(shared, asked); });
}

}  // namespace polypool::server
