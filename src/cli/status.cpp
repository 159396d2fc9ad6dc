// SPDX-License-Identifier: Apache-2.0
#include "base/plain_json.hpp"
#include "cli/commands.hpp"
#include "cli/daemon_call.hpp"
#include "cli/exit_codes.hpp"
#include "cli/group_places.hpp"
#include "cli/status_source.hpp"
#include "cli/table.hpp"

#include <polypool/duration.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <map>
#include <string>
#include <unistd.h>
#include <vector>

namespace polypool::cli {
namespace {

namespace json = boost::json;

std::string count_of(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  return value != nullptr && value->is_number() ? plain_json(*value) : "-";
}
std::string time_of(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  if (value == nullptr || !value->is_number()) return "-";
  const std::chrono::duration<double, std::milli> time(value->to_number<double>());
  return format_duration_short(std::chrono::round<std::chrono::nanoseconds>(time));
}
// A version without what the packager adds to it.
std::string first_word(const std::string& text) { return text.substr(0, text.find(' ')); }
cell health_cell(const std::string& health) { return {.text = health, .how = style_of_health(health)}; }

std::string joined_tags(const json::object& tags) {
  std::string out;
  for (const auto& each : tags) {
    const std::string_view key(each.key());
    out += (out.empty() ? "" : " ") + printable(key) + "=" + text_field(tags, key);
  }
  return out;
}

// What it is in groups, if the daemon has any.
std::map<std::string, std::vector<group_place>> places_in(const json::array& connections, const std::string& url) {
  const bool some = std::ranges::any_of(
      connections, [](const json::value& each) { return each.is_object() && flag_field(each.as_object(), "group"); });
  if (!some || url.empty()) return {};
  return places_of(array_field(data_of(ask(url, "/api/admin/connections/groups")), "groups"));
}

std::string role_of(const json::object& connection, const std::map<std::string, std::vector<group_place>>& places) {
  std::string out;
  const auto add = [&out](const std::string& word) { out += (out.empty() ? "" : ", ") + word; };
  if (flag_field(connection, "isActive")) add("active");
  if (flag_field(connection, "critical")) add("critical");
  const auto found = places.find(text_field(connection, "name"));
  if (found == places.end()) return out;
  for (const auto& each : found->second) {
    if (each.itself == flag_field(connection, "group")) add(each.role);
  }
  return out;
}

void print_json(const json::value& what) { std::cout << plain_json(what) << '\n'; }

}  // namespace

int list(const arguments& given) {
  const auto connections = list_source(given);
  if (given.format == row_format::json) {
    print_json(connections);
    return success;
  }
  const bool running = !given.url.empty();  // only a daemon's connections have a life to tell of
  std::vector<table::heading> headings{{"NAME"}, {"TYPE"}, {"TARGET"}};
  if (running) headings.insert(headings.end(), {{"PHASE"}, {"HEALTH"}});
  headings.insert(headings.end(), {{"ROLE"}, {"TAGS"}});
  table rows(std::move(headings));
  const auto places = places_in(connections, given.url);
  for (const auto& each : connections) {
    if (!each.is_object()) continue;
    const auto& one = each.as_object();
    std::vector<cell> line{{text_field(one, "name")}, {text_field(one, "type")}, {text_field(one, "target")}};
    if (running) {
      line.push_back({text_field(one, "phase")});
      line.push_back(health_cell(text_field(one, "health")));
    }
    line.push_back({role_of(one, places)});
    line.push_back({joined_tags(object_field(one, "tags"))});
    rows.add(std::move(line));
  }
  rows.print(std::cout, terminal::of(STDOUT_FILENO));
  return success;
}

int health(const arguments& given) {
  const auto report = health_source(given);
  const auto& databases = object_field(report, "databases");
  bool all_healthy = !databases.empty();
  table rows({{"NAME"}, {"TYPE"}, {"VERSION"}, {"ROLE"}, {"HEALTH"}, {"LATENCY", true}, {"DETAIL"}});
  for (const auto& each : databases) {
    if (!each.value().is_object()) continue;
    const auto& one = each.value().as_object();
    all_healthy = all_healthy && flag_field(one, "healthy");
    rows.add({{printable(std::string_view(each.key()))},
              {text_field(one, "type")},
              {first_word(text_field(one, "version"))},
              {text_field(one, "role")},
              health_cell(text_field(one, "status")),
              {time_of(one, "latencyMs")},
              {text_field(one, "detail")}});
  }
  if (given.format == row_format::json) {
    print_json(report);
  } else {
    rows.print(std::cout, terminal::of(STDOUT_FILENO));
  }
  const bool good = given.only_critical ? flag_field(report, "healthy") : all_healthy;
  return good ? success : failed;
}

int stats(const arguments& given) {
  const auto numbers = stats_source(given);
  if (given.format == row_format::json) {
    print_json(numbers);
    return success;
  }
  table rows({{"NAME"},
              {"TYPE"},
              {"HEALTH"},
              {"OPEN", true},
              {"IN USE", true},
              {"IDLE", true},
              {"MAX", true},
              {"WAITING", true},
              {"WAITS", true},
              {"WAITED", true},
              {"QUERIES", true},
              {"ERRORS", true}});
  const auto* connections = numbers.if_contains("connections");
  if (connections == nullptr || !connections->is_array())
    throw command_error(failed, "the answer lists no connections");
  for (const auto& each : connections->as_array()) {
    if (!each.is_object()) continue;
    const auto& one = each.as_object();
    const json::object none;  // a group has no sessions
    const auto& pool = flag_field(one, "group") ? none : object_field(one, "pool");
    rows.add({{text_field(one, "name")},
              {text_field(one, "type")},
              health_cell(text_field(one, "health")),
              {count_of(pool, "open")},
              {count_of(pool, "inUse")},
              {count_of(pool, "idle")},
              {count_of(pool, "maxOpen")},
              {count_of(pool, "waiting")},
              {count_of(pool, "waitCount")},
              {time_of(pool, "waitDurationMs")},
              {count_of(one, "queries")},
              {count_of(one, "errors")}});
  }
  rows.print(std::cout, terminal::of(STDOUT_FILENO));
  return success;
}

}  // namespace polypool::cli
