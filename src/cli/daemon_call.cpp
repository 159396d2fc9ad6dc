// SPDX-License-Identifier: Apache-2.0
#include "cli/daemon_call.hpp"

#include "cli/exit_codes.hpp"
#include "cli/http_client.hpp"
#include "cli/terminal.hpp"

#include <utility>

namespace polypool::cli {

namespace json = boost::json;

namespace {

constexpr std::string_view default_url = "http://127.0.0.1:8080";

json::object read_answer(const std::string& where, const http_reply& reply) {
  boost::system::error_code wrong;
  auto parsed = json::parse(reply.body, wrong);
  if (wrong || !parsed.is_object()) {
    throw command_error(failed,
                        where + " answers, but not like a polypool daemon (HTTP " + std::to_string(reply.status) + ")");
  }
  auto out = std::move(parsed.as_object());
  if (const auto* refusal = out.if_contains("error"); refusal != nullptr && refusal->is_string()) {
    throw command_error(reply.status == 404 ? not_found : failed,
                        "the daemon says: " + std::string(refusal->as_string()), text_field(out, "details"));
  }
  return out;
}

}  // namespace

std::string daemon_url(const std::string& given) { return given.empty() ? std::string(default_url) : given; }

json::object ask(const std::string& url, std::string_view path) {
  const auto where = daemon_url(url);
  return read_answer(where, http_get(where, path));
}

json::object tell(const std::string& url, std::string_view path, const json::object& body) {
  const auto where = daemon_url(url);
  return read_answer(where, http_post(where, path, json::serialize(body)));
}

json::object data_of(json::object answer) {
  auto* data = answer.if_contains("data");
  if (data == nullptr || !data->is_object()) throw command_error(failed, "the daemon's answer has no data");
  return std::move(data->as_object());
}

std::string text_field(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  return value != nullptr && value->is_string() ? printable(std::string_view(value->as_string())) : std::string();
}
double number_field(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  return value != nullptr && value->is_number() ? value->to_number<double>() : 0;
}
bool flag_field(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  return value != nullptr && value->is_bool() && value->as_bool();
}
const json::object& object_field(const json::object& from, std::string_view name) {
  static const json::object none;
  const auto* value = from.if_contains(name);
  return value != nullptr && value->is_object() ? value->as_object() : none;
}
const json::array& array_field(const json::object& from, std::string_view name) {
  static const json::array none;
  const auto* value = from.if_contains(name);
  return value != nullptr && value->is_array() ? value->as_array() : none;
}

}  // namespace polypool::cli
