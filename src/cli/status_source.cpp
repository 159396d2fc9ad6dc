// SPDX-License-Identifier: Apache-2.0
#include "cli/status_source.hpp"

#include "cli/configuration.hpp"
#include "cli/daemon_call.hpp"
#include "cli/exit_codes.hpp"
#include "server/health_json.hpp"

#include <polypool/manager.hpp>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace polypool::cli {
namespace {

namespace json = boost::json;

// Probes these at the same time, connecting first: the slowest decides how long it takes.
health_report probe(std::vector<connection> all) {
  health_report out;
  out.databases.resize(all.size());
  {
    std::vector<std::jthread> probes;
    for (std::size_t i = 0; i < all.size(); ++i) {
      probes.emplace_back([&found = out.databases[i], each = &all[i]] { found = each->health_check(); });
    }
  }
  out.healthy = std::ranges::none_of(
      out.databases, [](const connection_health& each) { return each.critical && !is_serving(each.status); });
  return out;
}

json::object as_json(const health_report& report) {
  json::object databases;
  for (const auto& each : report.databases) databases[each.name] = server::health_json(each);
  json::object out;
  out["healthy"] = report.healthy;
  out["databases"] = std::move(databases);
  return out;
}

}  // namespace

json::array list_source(const arguments& given) {
  json::array out;
  if (given.url.empty()) {
    manager mgr(for_one_command(find_configuration(given.config).settings));
    for (const auto& each : mgr.list()) out.push_back(server::summary_json(each));
    return out;
  }
  auto data = data_of(ask(given.url, "/api/admin/connections/list"));
  for (const char* kind : {"databases", "redis"}) {
    if (auto* some = data.if_contains(kind); some != nullptr && some->is_array()) {
      for (auto& each : some->as_array()) out.push_back(std::move(each));
    }
  }
  return out;
}

json::object health_source(const arguments& given) {
  if (given.url.empty()) {
    manager mgr(for_one_command(find_configuration(given.config).settings));
    return as_json(probe(given.name.empty() ? mgr.get_all() : std::vector{mgr.get(given.name)}));
  }
  auto out = ask(given.url, "/health");
  if (given.name.empty()) return out;
  auto* databases = out.if_contains("databases");
  auto* entry =
      databases != nullptr && databases->is_object() ? databases->as_object().if_contains(given.name) : nullptr;
  if (entry == nullptr) throw command_error(not_found, "the daemon has no connection '" + given.name + "'");
  json::object one;
  one[given.name] = std::move(*entry);
  out["databases"] = std::move(one);
  return out;
}

json::object stats_source(const arguments& given) {
  if (given.config.empty()) return data_of(ask(given.url, "/api/admin/connections/status"));
  manager mgr(for_one_command(find_configuration(given.config).settings));
  probe(mgr.get_all());  // so that there is something to count
  const auto numbers = mgr.statistics();
  json::array connections;
  for (const auto& each : numbers.connections) connections.push_back(server::statistics_json(each));
  json::object summary;
  summary["total"] = numbers.total;
  summary["healthy"] = numbers.healthy;
  summary["unhealthy"] = numbers.unhealthy;
  json::object out;
  out["summary"] = std::move(summary);
  out["connections"] = std::move(connections);
  return out;
}

}  // namespace polypool::cli
