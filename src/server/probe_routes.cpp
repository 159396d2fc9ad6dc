// SPDX-License-Identifier: Apache-2.0
// Health probes, metrics, and the index.
#include "server/context.hpp"
#include "server/envelope.hpp"
#include "server/health_json.hpp"

#include <boost/json.hpp>

#include <utility>

namespace polypool::server {
namespace {

namespace json = boost::json;

double uptime_seconds(const context& shared) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - shared.started).count();
}

bool closing(const context& shared) { return shared.shutting_down || shared.manager.closing(); }

// While starting or shutting down nothing is asked of the databases: what was known last counts, and it is not healthy.
task<std::shared_ptr<const health_report>> report_for_probe(context& shared) {
  if (!shared.starting && !shared.manager.closing()) {
    auto checked = co_await shared.health.check();
    co_return checked;
  }
  auto last = shared.manager.health();
  last.healthy = false;
  co_return std::make_shared<const health_report>(std::move(last));
}

response health_answer(const health_report& report) {
  json::object databases;
  for (const auto& each : report.databases) databases[json_text(each.name)] = health_json(each);
  json::object out;
  out["healthy"] = report.healthy;
  out["databases"] = std::move(databases);
  out["timestamp"] = timestamp();
  return document(report.healthy ? 200 : 503, out);
}

response detailed_answer(const context& shared, const health_report& report) {
  json::object databases;
  for (const auto& each : report.databases) databases[json_text(each.name)] = health_json(each);
  for (const auto& numbers : shared.manager.statistics().connections) {
    auto& entry = databases[json_text(numbers.name)];
    if (!entry.is_object()) entry = json::object();
    auto& fields = entry.as_object();
    fields["phase"] = to_string(numbers.phase);
    fields["queries"] = numbers.queries;
    fields["errors"] = numbers.errors;
    fields["pool"] = pool_json(numbers.pool);
  }
  json::object out;
  out["healthy"] = report.healthy;
  out["status"] = report.healthy ? "ok" : "error";
  out["version"] = std::string(build_version());
  out["uptimeSeconds"] = uptime_seconds(shared);
  out["databases"] = std::move(databases);
  out["timestamp"] = timestamp();
  return document(report.healthy ? 200 : 503, out);
}

task<response> health(context& shared) {
  const auto report = co_await report_for_probe(shared);
  co_return health_answer(*report);
}

task<response> detailed(context& shared) {
  const auto report = co_await report_for_probe(shared);
  co_return detailed_answer(shared, *report);
}

response ready_answer(const context& shared) {
  json::array reasons;
  if (shared.starting) reasons.push_back("starting");
  if (closing(shared)) reasons.push_back("shutting down");
  for (const auto& each : shared.manager.health().databases) {
    if (each.critical && each.status == health_status::unhealthy) {
      reasons.push_back(json_text("critical connection '" + each.name + "' is unhealthy"));
    }
  }
  const bool ready = reasons.empty();
  json::object out;
  out["ready"] = ready;
  if (!ready) out["reasons"] = std::move(reasons);
  out["timestamp"] = timestamp();
  return document(ready ? 200 : 503, out);
}

task<response> ready(context& shared) { return ready_made(ready_answer(shared)); }

task<response> live(context& shared) {
  json::object out;
  out["status"] = "ok";
  out["uptimeSeconds"] = uptime_seconds(shared);
  co_return document(200, out);
}

task<response> metrics(context& shared) {
  response out(200, shared.metrics.text(), "text/plain; version=0.0.4; charset=utf-8");
  co_return out;
}

response index_answer(const std::vector<std::string>& endpoints) {
  json::object out;
  out["name"] = "polypool";
  out["version"] = std::string(build_version());
  json::array all;
  for (const auto& each : endpoints) all.push_back(json::string(each));
  out["endpoints"] = std::move(all);
  return document(200, out);
}

task<response> index(const router& routes) { return ready_made(index_answer(routes.list())); }

}  // namespace

void add_probe_routes(router& routes, context& shared) {
  const auto get = [&](std::string path, task<response> (*answer)(context&)) {
    routes.add(http_method::get, std::move(path), [&shared, answer](const request&) { return answer(shared); });
  };
  get("/health", health);
  get("/health/detailed", detailed);
  get("/health/ready", ready);
  get("/health/live", live);
  get("/metrics", metrics);
  routes.add(http_method::get, "/", [&routes](const request&) { return index(routes); });
}

}  // namespace polypool::server
