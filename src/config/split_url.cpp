// SPDX-License-Identifier: Apache-2.0
#include "config/split_url.hpp"

#include "base/hex.hpp"
#include "config/vocabulary.hpp"

#include <algorithm>
#include <cctype>

namespace polypool::config {
namespace {

constexpr std::string_view escape_hint =
    "; special characters in a user or password are written as %40 for @, %2F for /, %3F for ?, %3A for :, %25 for %";

using failure = std::unexpected<std::string>;

failure with_hint(std::string what) { return failure(std::move(what) + std::string(escape_hint)); }

bool has_strange_character(std::string_view host) {
  return std::ranges::any_of(host, [](unsigned char c) {
    return c <= 0x20 || c == 0x7F ||
           std::string_view("@?#<>\"'\\^`{}|[],;()").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

/// `host`, `host:port`, `[::1]:port`.
std::expected<host_and_port, std::string> split_host(std::string_view text) {
  host_and_port out;
  std::string_view host = text;
  std::optional<std::string_view> port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return with_hint("the URL has an IPv6 address without its ']'");
    host = text.substr(1, end - 1);
    const auto rest = text.substr(end + 1);
    if (!rest.empty() && !rest.starts_with(':')) return with_hint("the URL has something between ']' and the port");
    if (!rest.empty()) port = rest.substr(1);
    const auto address = host.substr(0, host.find('%'));
    if (address.find(':') == std::string_view::npos ||
        address.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos) {
      return with_hint("the URL has no IPv6 address between '[' and ']'");
    }
  } else if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  if (port && !port->empty()) {
    const auto number = read_port(*port);
    if (!number) return with_hint("the URL's port is not a number from 1 to 65535");
    out.port = *number;
  }
  auto decoded = percent_decoded(host);
  if (!decoded || has_strange_character(*decoded)) return with_hint("the URL's host has a character that no host has");
  out.host = std::move(*decoded);
  return out;
}

std::expected<std::vector<host_and_port>, std::string> split_hosts(std::string_view text) {
  std::vector<host_and_port> out;
  if (text.empty()) return out;
  constexpr std::size_t most_hosts = 64;
  while (true) {
    const auto comma = text.find(',');
    auto one = split_host(text.substr(0, comma));
    if (!one) return failure(std::move(one.error()));
    out.push_back(std::move(*one));
    if (out.size() > most_hosts) return failure("the URL has more than 64 hosts");
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\0') return std::nullopt;
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0 || high + low == 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::expected<pairs, std::string> split_query(std::string_view query) {
  pairs out;
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto pair = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return with_hint("the URL's query is not a list of name=value");
    }
    auto key = percent_decoded(pair.substr(0, equals));
    auto value = percent_decoded(pair.substr(equals + 1));
    if (!key || !value) return failure("the URL's query has a '%' without two hexadecimal digits");
    out.emplace_back(std::move(*key), std::move(*value));
  }
  return out;
}

std::expected<url_parts, std::string> split_url(std::string_view text) {
  url_parts out;
  const auto end = text.find_first_of("/?");
  auto authority = text.substr(0, end);
  const auto rest = end == std::string_view::npos ? std::string_view() : text.substr(end);
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    const auto login = authority.substr(0, at);
    authority.remove_prefix(at + 1);
    const auto colon = login.find(':');
    out.user = percent_decoded(login.substr(0, colon));
    if (!out.user) return with_hint("the URL's user has a '%' without two hexadecimal digits");
    if (colon != std::string_view::npos) {
      out.password = percent_decoded(login.substr(colon + 1));
      if (!out.password) return with_hint("the URL's password has a '%' without two hexadecimal digits");
    }
  }
  auto hosts = split_hosts(authority);
  if (!hosts) return failure(std::move(hosts.error()));
  out.hosts = std::move(*hosts);
  const auto question = rest.find('?');
  auto path = rest.substr(0, question);
  if (path.starts_with('/')) path.remove_prefix(1);
  // `user:123/45@host`: the password's slash ended the authority, and what is left of it looks like a host.
  if (!out.user && path.find('@') != std::string_view::npos) {
    return with_hint("the URL has an '@' in its path; a '/' in the user or password was probably not escaped");
  }
  auto decoded = percent_decoded(path);
  if (!decoded) return failure("the URL's path has a '%' without two hexadecimal digits");
  out.path = std::move(*decoded);
  if (question != std::string_view::npos) {
    auto query = split_query(rest.substr(question + 1));
    if (!query) return failure(std::move(query.error()));
    out.query = std::move(*query);
  }
  return out;
}

std::expected<pairs, std::string> split_words(std::string_view text) {
  pairs out;
  std::size_t at = 0;
  const auto is_space = [&] { return std::isspace(static_cast<unsigned char>(text[at])) != 0; };
  const auto skip_spaces = [&] {
    while (at < text.size() && is_space()) ++at;
  };
  for (skip_spaces(); at < text.size(); skip_spaces()) {
    const auto equals = text.find('=', at);
    const auto key = trimmed(text.substr(at, equals == std::string_view::npos ? equals : equals - at));
    if (equals == std::string_view::npos || key.empty() || key.find_first_of(" \t\r\n'") != std::string_view::npos) {
      return failure(
          "the connection string is neither a URL nor a list of name=value; a value with spaces needs quotes: "
          "password='a b'");
    }
    at = equals + 1;
    skip_spaces();
    const bool quoted = at < text.size() && text[at] == '\'';
    if (quoted) ++at;
    std::string value;
    for (; at < text.size() && (quoted ? text[at] != '\'' : !is_space()); ++at) {
      if (text[at] == '\\' && at + 1 < text.size()) ++at;
      value += text[at];
    }
    if (quoted && at >= text.size()) return failure("the connection string has a quote that is not closed");
    if (quoted) ++at;
    out.emplace_back(lower_case(key), std::move(value));
  }
  return out;
}

std::expected<pairs, std::string> split_semicolons(std::string_view text) {
  pairs out;
  while (!(text = trimmed(text)).empty()) {
    if (text.front() == ';') {
      text.remove_prefix(1);
      continue;
    }
    const auto equals = text.find('=');
    const auto key = trimmed(text.substr(0, equals));
    if (equals == std::string_view::npos || key.empty() || key.find(';') != std::string_view::npos) {
      return failure("the connection string is not a list of name=value, separated by ';'");
    }
    text = text.substr(equals + 1);
    while (text.starts_with(' ')) text.remove_prefix(1);
    std::string value;
    if (text.starts_with('{')) {
      std::size_t at = 1;
      for (; at < text.size() && (text[at] != '}' || text.substr(at + 1, 1) == "}"); ++at) {
        value += text[at];
        if (text[at] == '}') ++at;
      }
      if (at >= text.size()) return failure("the connection string has a '{' that is not closed");
      text.remove_prefix(at + 1);
    } else {
      const auto end = std::min(text.find(';'), text.size());
      value = trimmed(text.substr(0, end));
      text.remove_prefix(end);
    }
    out.emplace_back(std::string(key), std::move(value));
  }
  return out;
}

}  // namespace polypool::config
