// SPDX-License-Identifier: Apache-2.0
// Steering a running daemon: switch, failover, breaker.
#include "base/plain_json.hpp"
#include "cli/commands.hpp"
#include "cli/daemon_call.hpp"
#include "cli/exit_codes.hpp"
#include "cli/steering.hpp"
#include "cli/table.hpp"

#include <iostream>
#include <unistd.h>

namespace polypool::cli {

namespace json = boost::json;

namespace {

const std::string base = "/api/admin/connections/";

int print(const arguments& given, const json::object& answer) {
  if (given.format == row_format::json) {
    std::cout << plain_json(object_field(answer, "data")) << '\n';
  } else {
    std::cout << text_field(answer, "message") << '\n';
  }
  return success;
}

int list_breakers(const arguments& given) {
  const auto data = data_of(ask(given.url, base + "breakers"));
  const auto& breakers = array_field(data, "breakers");
  if (given.format == row_format::json) {
    std::cout << plain_json(breakers) << '\n';
    return success;
  }
  table rows({{"NAME"},
              {"BREAKER"},
              {"CALLS", true},
              {"FAILURES", true},
              {"SLOW", true},
              {"OPENED", true},
              {"REFUSED", true},
              {"REASON"}});
  for (const auto& each : breakers) {
    if (!each.is_object()) continue;
    const auto& one = each.as_object();
    const auto name = text_field(one, "name");
    if (!given.name.empty() && name != given.name) continue;
    const auto state = text_field(one, "state");
    const auto count = [&](std::string_view field) {
      return cell{.text = std::to_string(static_cast<std::uint64_t>(number_field(one, field)))};
    };
    rows.add({{name},
              {state + (flag_field(one, "forced") ? " (forced)" : ""), style_of_breaker(state)},
              count("calls"),
              count("failures"),
              count("slow"),
              count("opened"),
              count("refused"),
              {text_field(one, "reason")}});
  }
  if (!given.name.empty() && rows.size() == 0) {
    throw command_error(not_found, "the daemon has no connection '" + given.name + "'");
  }
  rows.print(std::cout, terminal::of(STDOUT_FILENO));
  return success;
}

}  // namespace

json::object switch_to(const std::string& url, const std::string& name, bool redis) {
  json::object body;
  body["connectionName"] = name;
  return tell(url, base + "multi/switch/" + (redis ? "redis" : "database"), body);
}

json::object fail_over(const std::string& url, const std::string& group, const std::string& to) {
  json::object body;
  body["group"] = group;
  if (!to.empty()) body["to"] = to;
  return tell(url, base + "failover", body);
}

json::object fail_back(const std::string& url, const std::string& group) {
  json::object body;
  body["group"] = group;
  return tell(url, base + "failback", body);
}

json::object renew(const std::string& url, const std::string& name) {
  json::object body;
  body["connectionName"] = name;
  return tell(url, base + "reconnect", body);
}

style style_of_breaker(std::string_view state) noexcept {
  return state == "open" ? style::red : state == "half-open" ? style::yellow : style::plain;
}

// A name that only a Redis has means that.
int switch_active(const arguments& given) {
  if (given.redis) return print(given, switch_to(given.url, given.name, true));
  std::string refusal;
  try {
    return print(given, switch_to(given.url, given.name, false));
  } catch (const command_error& problem) {
    if (problem.code() != not_found) throw;
    refusal = problem.what();
  }
  try {
    return print(given, switch_to(given.url, given.name, true));
  } catch (const command_error& problem) {
    if (problem.code() != not_found) throw;
    throw command_error(not_found, refusal, "polypool list --url URL shows the names");
  }
}

int failover(const arguments& given) {
  return print(given, given.back ? fail_back(given.url, given.name) : fail_over(given.url, given.name, given.to));
}

int breaker(const arguments& given) {
  if (given.text.empty()) return list_breakers(given);
  json::object body;
  body["connection"] = given.name;
  body["action"] = given.text;
  return print(given, tell(given.url, base + "breaker", body));
}

}  // namespace polypool::cli
