// SPDX-License-Identifier: Apache-2.0
// An endpoint in Connector/C's words.
#pragma once

#include "drivers/mysql/native.hpp"

#include <polypool/driver.hpp>

#include <string>
#include <string_view>

namespace polypool::mysql {

/// What an endpoint's options ask for. Reading it checks them.
struct settings {
  std::string host;         ///< empty with a Unix socket
  std::string unix_socket;  ///< a path; empty with TCP
  std::uint16_t port = 3306;
  tls_mode tls = tls_mode::disable;
  std::string tls_ca, tls_ca_folder, tls_cert, tls_key, tls_key_password, tls_crl, tls_ciphers, tls_version;
  std::string application_name = "polypool";
  std::string time_zone = "+00:00";  ///< empty: the server's own
  std::string sql_mode;              ///< empty: the server's own
  std::string default_auth, plugin_folder, server_public_key;
  bool compress = false;
  bool found_rows = true;  ///< affected rows are those that matched
  bool cleartext = false;  ///< a password may be sent as it is without TLS, too
  bool utc() const noexcept { return time_zone == "+00:00" || time_zone == "UTC"; }
};

/// Throws invalid_configuration for an option the driver does not know, or a value that is not allowed.
settings read_settings(const endpoint& where);

/// Whether the server's certificate has to be one of a known authority. As with libpq, `require` is content with any,
/// unless an authority is named.
bool verifies(const settings& how) noexcept;

/// Where an endpoint is, for messages: "host:port", or the path of a Unix socket.
std::string place_of(const endpoint& where);

/// Sets everything up for an attempt to connect. Throws std::bad_alloc, invalid_configuration.
void apply(const settings& how, bool with_tls, MYSQL* connection);

/// The statement that gives a session the settings the driver counts on; after connecting and after each reset.
std::string session_statement(const settings& how);

}  // namespace polypool::mysql
