// SPDX-License-Identifier: Apache-2.0
#include "server/bodies.hpp"

#include "server/http_types.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace polypool::server {
namespace {

namespace json = boost::json;

constexpr std::string_view name_required = "Connection name is required";

// Null and absent are the same. @param missing the whole error text when it is no string
std::optional<std::string> optional_string(const json::object& from, std::string_view field, std::string_view missing) {
  const auto* value = from.if_contains(field);
  if (!value || value->is_null()) return std::nullopt;
  if (!value->is_string()) {
    throw http_failure(400, std::string(missing), "'" + std::string(field) + "' has to be a string");
  }
  return std::string(value->as_string());
}

std::string required_string(const json::object& from, std::string_view field, std::string_view missing) {
  auto value = optional_string(from, field, missing);
  if (!value || value->empty()) {
    throw http_failure(400, std::string(missing), "'" + std::string(field) + "' is missing or empty");
  }
  return std::move(*value);
}

creation decode_creation(const json::value& item, const std::string& where) {
  if (!item.is_object()) {
    throw http_failure(400, "Connections array is required", where + " has to be an object with name and url");
  }
  const auto& fields = item.as_object();
  creation out;
  out.name = required_string(fields, "name", name_required);
  for (const auto* field : {"url", "databaseUrl", "redisUrl"}) {
    if (auto url = optional_string(fields, field, "Connection url is required")) out.url = std::move(*url);
    if (!out.url.empty()) break;
  }
  if (out.url.empty()) throw http_failure(400, "Connection url is required", where + " has no 'url'");
  if (const auto* active = fields.if_contains("setAsActive"); active && !active->is_null()) {
    if (!active->is_bool()) throw http_failure(400, "Invalid setAsActive", where + ".setAsActive has to be a boolean");
    out.activate = active->as_bool();
  }
  out.activate = out.activate || out.name == "default";
  return out;
}

}  // namespace

std::string_view to_string(connection_kind kind) noexcept {
  return kind == connection_kind::redis ? "redis" : "database";
}
std::string_view in_a_sentence(connection_kind kind) noexcept {
  return kind == connection_kind::redis ? "Redis" : "database";
}

std::vector<creation> decode_creations(std::string_view body, std::size_t max_depth) {
  const auto fields = parse_body(body, max_depth);
  const auto* list = fields.if_contains("connections");
  if (!list || !list->is_array()) {
    throw http_failure(400, "Connections array is required", "'connections' has to be an array of {name, url}");
  }
  std::vector<creation> all;
  for (const auto& item : list->as_array()) {
    all.push_back(decode_creation(item, "connections[" + std::to_string(all.size()) + "]"));
  }
  return all;
}

std::string decode_connection_name(std::string_view body, std::size_t max_depth) {
  return required_string(parse_body(body, max_depth), "connectionName", name_required);
}

std::string decode_environment(std::string_view body, std::size_t max_depth) {
  return required_string(parse_body(body, max_depth), "environment", "Environment is required");
}

std::optional<std::string> decode_optional_name(std::string_view body, std::size_t max_depth) {
  return optional_string(parse_body(body, max_depth), "connectionName", name_required);
}

std::string decode_field(std::string_view body, std::string_view field, std::string_view missing,
                         std::size_t max_depth) {
  return required_string(parse_body(body, max_depth), field, missing);
}

std::string decode_action(std::string_view body, std::string_view allowed, std::size_t max_depth) {
  return required_string(parse_body(body, max_depth), "action", "Action is required: " + std::string(allowed));
}

removal decode_removal(std::string_view body, std::size_t max_depth) {
  constexpr std::string_view both_required = "Type and connection name are required";
  const auto fields = parse_body(body, max_depth);
  const auto type = required_string(fields, "type", both_required);
  removal out;
  out.name = required_string(fields, "connectionName", both_required);
  if (type != "database" && type != "redis") {
    throw http_failure(400, "Type must be either database or redis", "'type' is something else");
  }
  out.kind = type == "redis" ? connection_kind::redis : connection_kind::database;
  return out;
}

test_request decode_test(std::string_view body, std::size_t max_depth) {
  constexpr std::string_view one_required = "At least one connection name (database or redis) is required";
  const auto fields = parse_body(body, max_depth);
  test_request out;
  out.database = optional_string(fields, "database", one_required);
  out.redis = optional_string(fields, "redis", one_required);
  if (out.database && out.database->empty()) out.database.reset();
  if (out.redis && out.redis->empty()) out.redis.reset();
  if (!out.database && !out.redis) throw http_failure(400, std::string(one_required), "both are missing or empty");
  return out;
}

failover_request decode_failover(std::string_view body, std::size_t max_depth) {
  const auto fields = parse_body(body, max_depth);
  failover_request out;
  out.group = required_string(fields, "group", "Group name is required");
  out.to = optional_string(fields, "to", "Member name has to be a string").value_or("");
  return out;
}

std::string problem_of_name(std::string_view name) {
  constexpr std::size_t longest = 128;
  if (name.empty()) return "a connection's name cannot be empty";
  if (name.size() > longest) return "a connection's name has at most " + std::to_string(longest) + " bytes";
  const bool printable = std::all_of(name.begin(), name.end(), [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
  return printable ? "" : "a connection's name cannot hold control characters";
}

std::string lines_of(const config::configuration_error& wrong) {
  std::string lines;
  for (const auto& each : wrong.problems()) lines += (lines.empty() ? "" : "\n") + each.to_string();
  return lines;
}

}  // namespace polypool::server
