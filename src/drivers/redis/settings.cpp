// SPDX-License-Identifier: Apache-2.0
#include "drivers/redis/settings.hpp"

#include "base/host_port.hpp"

#include <polypool/error.hpp>

#include <algorithm>
#include <charconv>
#include <limits>

namespace polypool::redis {
namespace {

constexpr std::uint16_t redis_port = 6379;
constexpr std::uint16_t sentinel_port = 26379;

[[noreturn]] void refuse(std::string_view key, std::string_view why) {
  throw error(errc::invalid_configuration,
              "option '" + std::string(key) + "' of a Redis connection " + std::string(why));
}

template <class Number>
Number number(std::string_view key, std::string_view text, Number least, Number most) {
  Number out{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (failed != std::errc() || end != text.data() + text.size() || out < least || out > most) {
    refuse(key, "is a number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return out;
}

bool flag(std::string_view key, std::string_view text) {
  for (const std::string_view yes : {"true", "yes", "on", "1"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"false", "no", "off", "0"}) {
    if (text == no) return false;
  }
  refuse(key, "is neither true nor false");
}

std::string word(std::string_view key, const std::string& text) {
  const bool plain = !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
  if (!plain) refuse(key, "is a word without blanks");
  return text;
}

void apply(session_settings& out, const std::string& key, const std::string& value) {
  using std::size_t;
  if (key == "client_name") {
    out.client_name = word(key, value);
  } else if (key == "protocol") {
    out.protocol = number(key, value, 2, 3);
  } else if (key == "max_reply_bytes") {
    out.limits.max_bytes = number<size_t>(key, value, 1024, size_t{64} << 30);
  } else if (key == "max_reply_depth") {
    out.limits.max_depth = number<size_t>(key, value, 1, 10000);
  } else if (key == "sslrootcert") {
    out.root_certificates = value;
  } else if (key == "sslcert") {
    out.certificate = value;
  } else if (key == "sslkey") {
    out.key = value;
  } else if (key == "sslsni") {
    out.server_name = word(key, value);
  } else if (key == "cluster") {
    out.cluster = flag(key, value);
  } else if (key == "sentinel") {
    out.sentinel_master = word(key, value);
  } else if (key == "sentinel_user") {
    out.sentinel_user = value;
  } else if (key == "sentinel_password") {
    out.sentinel_password = secret(value);
  } else {
    refuse(key,
           "is not known; there are client_name, protocol, max_reply_bytes, max_reply_depth, sslrootcert, sslcert, "
           "sslkey, sslsni, cluster, sentinel, sentinel_user, sentinel_password");
  }
}

void apply_servers(session_settings& out, const endpoint& where) {
  const std::uint16_t usual = out.sentinel_master.empty() ? redis_port : sentinel_port;
  const std::uint16_t port = where.port != 0 ? where.port : usual;
  std::string_view rest = where.host;
  if (rest.empty()) rest = "localhost";
  while (!rest.empty()) {
    const auto one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    if (!one.empty()) out.servers.push_back(parse_address(one, port));
  }
  if (out.servers.empty()) throw error(errc::invalid_configuration, "a Redis connection needs a host");
  if (out.servers.size() > 1 && !out.cluster && out.sentinel_master.empty()) {
    throw error(errc::invalid_configuration, "a Redis connection has one host, unless it is a cluster or has sentinels")
        .with_hint("set the option cluster=true, or use sentinel://host1,host2/master-name/0");
  }
}

}  // namespace

std::string server_address::text() const {
  if (host.starts_with('/')) return host;
  return host_and_port(host, std::to_string(port));
}

server_address parse_address(std::string_view text, std::uint16_t default_port) {
  server_address out;
  out.port = default_port;
  if (text.starts_with('/')) {
    out.host = text;
    return out;
  }
  auto host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    host = text.substr(1, end == std::string_view::npos ? end : end - 1);
    if (end != std::string_view::npos && text.substr(end + 1).starts_with(':')) port = text.substr(end + 2);
  } else if (std::ranges::count(text, ':') == 1) {
    host = text.substr(0, text.find(':'));
    port = text.substr(text.find(':') + 1);
  }
  if (!port.empty()) out.port = number<std::uint16_t>("port", port, 1, std::numeric_limits<std::uint16_t>::max());
  out.host = host;
  return out;
}

session_settings settings_for(const endpoint& where) {
  session_settings out;
  out.user = where.user;
  out.password = where.password;
  out.tls = where.tls;
  if (out.tls == tls_mode::allow || out.tls == tls_mode::prefer) {
    throw error(errc::invalid_configuration, "a Redis server does not negotiate TLS, so that it cannot be left open")
        .with_hint("set sslmode to disable, require, verify-ca or verify-full");
  }
  if (!where.database.empty()) out.database = number<std::int64_t>("database", where.database, 0, 65535);
  for (const auto& [key, value] : where.options) apply(out, key, value);
  apply_servers(out, where);
  if (out.cluster && !out.sentinel_master.empty()) refuse("cluster", "does not go together with sentinels");
  if (out.cluster && out.database != 0) {
    throw error(errc::invalid_configuration, "a Redis cluster has only database 0");
  }
  return out;
}

}  // namespace polypool::redis
