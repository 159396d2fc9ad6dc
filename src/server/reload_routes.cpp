// SPDX-License-Identifier: Apache-2.0
// /api/admin/reload and …/switch/environment: another configuration for the daemon at work.
#include "server/bodies.hpp"
#include "server/context.hpp"
#include "server/envelope.hpp"

#include <polypool/config_changes.hpp>
#include <polypool/waits.hpp>

#include <boost/json.hpp>

#include <functional>
#include <memory>
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
  return {400, "The configuration is not valid; nothing was changed", lines_of(wrong)};
}

// A configuration and what puts its part beside the manager in force. No aggregate: g++ 12 miscompiles those here.
class candidate {
 public:
  candidate(config::settings whole, std::function<void()> rest) : next(std::move(whole)), commit(std::move(rest)) {}
  config::settings next;
  std::function<void()> commit;
};

// Files are read on a thread that may wait for them.
task<candidate> read_again(std::shared_ptr<configuration_source> source, std::string environment) {
  auto read = [&] {
    auto next = source->read(environment);
    try {
      auto commit = source->prepare(next);
      return candidate(std::move(next), std::move(commit));
    } catch (const error& why) {
      error refused(why);
      throw refused.with_hint("nothing was changed");
    }
  };
  offload<decltype(read)> reading(std::move(read));
  co_return co_await reading;
}

// The same for a reload: that it came to nothing is news.
task<candidate> read_or_refuse(manager& served, std::shared_ptr<configuration_source> source, std::string environment) {
  try {
    task<candidate> reading = read_again(std::move(source), std::move(environment));
    co_return co_await std::move(reading);
  } catch (const error& why) {
    connection_event refused;
    refused.kind = event_kind::configuration;
    refused.to = "refused";
    refused.detail = why.what();
    served.events().publish(refused);
    throw;
  }
}

task<response> preview(context& shared) {
  task<candidate> reading = read_again(shared.source, {});
  const candidate found = co_await std::move(reading);
  co_return changes_answer(shared.manager.preview(found.next), " to apply");
}

task<response> put_in_force(context& shared, std::string environment, bool all_or_nothing) {
  task<std::vector<config::change>> reloading =
      async_reload(shared.manager, shared.source, std::move(environment), all_or_nothing);
  const auto changes = co_await std::move(reloading);
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

namespace polypool {

task<std::vector<config::change>> async_reload(manager& served, std::shared_ptr<configuration_source> source,
                                               std::string environment, bool all_or_nothing) {
  task<server::candidate> reading = server::read_or_refuse(served, source, environment);
  server::candidate found = co_await std::move(reading);
  apply_options how;
  how.all_or_nothing = all_or_nothing;
  how.committed = [source, environment, commit = std::move(found.commit)] {
    if (commit) commit();
    if (!environment.empty()) source->adopt(environment);
  };
  task<std::vector<config::change>> applying = served.async_apply(std::move(found.next), how);
  co_return co_await std::move(applying);
}

}  // namespace polypool
