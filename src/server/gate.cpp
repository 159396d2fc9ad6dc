// SPDX-License-Identifier: Apache-2.0
#include "server/gate.hpp"

#include "base/loopback.hpp"
#include "base/utf8.hpp"
#include "base/words.hpp"
#include "server/envelope.hpp"

#include <algorithm>
#include <utility>

namespace polypool::server {
namespace {

bool is_port(std::string_view text) noexcept {
  return text.size() <= 5 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Splits `http://authority/path`; a proxy's form of the target, which servers have to take too.
bool split_absolute(std::string_view& target, std::string_view& authority) noexcept {
  constexpr std::string_view scheme = "http://";
  if (target.size() < scheme.size() || !same_word(target.substr(0, scheme.size()), scheme)) return false;
  target.remove_prefix(scheme.size());
  const auto end = std::min(target.find_first_of("/?"), target.size());
  authority = target.substr(0, end);
  target.remove_prefix(end);
  if (target.empty()) target = "/";
  return true;
}

std::optional<response> check_host(const request_head& head, std::string_view in_target) {
  if (head.hosts.size() > 1) return failure(400, "Bad request", "more than one Host header");
  if (head.hosts.empty() && !head.http_1_0) return failure(400, "Bad request", "HTTP/1.1 needs a Host header");
  const bool wanted = (head.hosts.empty() || is_loopback_authority(head.hosts.front())) &&
                      (in_target.empty() || is_loopback_authority(in_target));
  if (wanted) return std::nullopt;
  return failure(
      403, "Forbidden",
      "this server answers only to localhost, 127.0.0.1 (and all of 127.0.0.0/8) and [::1]; the request names "
      "another host");
}

std::optional<response> check_route(const router& routes, http_method method, const std::string& path) {
  if (!routes.knows(path)) {
    std::string details = "there is no '" + to_valid_utf8(std::string_view(path).substr(0, 200)) + "' here";
    if (const auto similar = routes.closest(path); !similar.empty()) details += "; did you mean '" + similar + "'?";
    return failure(404, "Not found", details);
  }
  if (method == http_method::options) {
    response answer(204, "");
    answer.allow = routes.allowed(path);
    return answer;
  }
  if (routes.find(method, path)) return std::nullopt;
  auto answer = failure(405, "Method not allowed", "'" + path + "' takes " + routes.allowed(path));
  answer.allow = routes.allowed(path);
  return answer;
}

// A web page can make a browser send forms and plain text anywhere, but not JSON without asking first.
std::optional<response> check_type(const request_head& head, http_method method) {
  const bool reads_only = method == http_method::get || method == http_method::head;
  if (reads_only || (method == http_method::del && !head.has_body)) return std::nullopt;
  if (head.content_type && is_json_type(*head.content_type)) return std::nullopt;
  return failure(415, "Unsupported media type", "send the header 'Content-Type: application/json'");
}

}  // namespace

bool is_loopback_authority(std::string_view authority) noexcept {
  authority = trimmed(authority);
  std::string_view name = authority;
  std::string_view rest;
  if (authority.starts_with('[')) {
    const auto end = std::min(authority.find(']'), authority.size() - 1) + 1;
    name = authority.substr(0, end);
    rest = authority.substr(end);
  } else if (const auto colon = authority.find(':'); colon != std::string_view::npos) {
    name = authority.substr(0, colon);
    rest = authority.substr(colon);
  }
  if (!rest.empty() && (rest.front() != ':' || !is_port(rest.substr(1)))) return false;
  return is_loopback_host(name);
}

bool is_json_type(std::string_view content_type) noexcept {
  return same_word(trimmed(content_type.substr(0, content_type.find(';'))), "application/json");
}

admission admit(const request_head& head, const router& routes) {
  admission out;
  out.method = parse_method(head.method);
  std::string_view target = head.target;
  std::string_view authority;
  const bool absolute = split_absolute(target, authority);
  if (auto refused = check_host(head, authority)) {
    out.refusal = std::move(*refused);
  } else if (!target.starts_with('/') || (absolute && authority.empty())) {
    out.refusal = failure(400, "Bad request", "the request target has to be a path");
  } else {
    out.path = target.substr(0, target.find('?'));
    if (out.path.size() < target.size()) out.query = target.substr(out.path.size() + 1);
    if (out.path.size() > 1 && out.path.ends_with('/')) out.path.pop_back();
    if (auto no_route = check_route(routes, out.method, out.path)) {
      out.refusal = std::move(*no_route);
    } else if (auto wrong_type = check_type(head, out.method)) {
      out.refusal = std::move(*wrong_type);
    } else if (!head.expect.empty() && !same_word(head.expect, "100-continue")) {
      out.refusal = failure(417, "Expectation failed", "only 'Expect: 100-continue' is known");
    } else {
      out.answer = routes.find(out.method, out.path);
    }
  }
  return out;
}

}  // namespace polypool::server
