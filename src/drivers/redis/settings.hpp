// SPDX-License-Identifier: Apache-2.0
// An endpoint as the Redis driver reads it.
#pragma once

#include "driver/resp_parser.hpp"

#include <polypool/driver.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace polypool::redis {

/// Where one server listens.
struct server_address {
  std::string host;  ///< a name, an address, or the path of a Unix socket
  std::uint16_t port = 6379;
  /// "127.0.0.1:6379", or the path.
  std::string text() const;
  bool operator==(const server_address&) const = default;
};

/// Reads "host", "host:port", "[::1]:port" or a path.
server_address parse_address(std::string_view text, std::uint16_t default_port);

struct session_settings {
  std::string user;
  secret password;
  std::int64_t database = 0;
  std::string client_name = "polypool";
  int protocol = 3;  ///< what is asked for; a server that knows only 2 gets that
  tls_mode tls = tls_mode::disable;
  std::string root_certificates;
  std::string certificate;
  std::string key;
  std::string server_name;  ///< for TLS, instead of the host
  resp_limits limits;
  std::vector<server_address> servers;
  bool cluster = false;
  std::string sentinel_master;  ///< its name; then `servers` are sentinels
  std::string sentinel_user;
  secret sentinel_password;
};

/// Throws invalid_configuration.
session_settings settings_for(const endpoint& where);

}  // namespace polypool::redis
