// SPDX-License-Identifier: Apache-2.0
// An endpoint in libmongoc's words.
#pragma once

#include "drivers/mongodb/native.hpp"
#include "drivers/mongodb/tls.hpp"

#include <polypool/document.hpp>

#include <optional>
#include <string>

namespace polypool::mongodb {

/// What an endpoint asks for, checked.
struct settings {
  native_ptr<mongoc_uri_t> uri;  ///< without TLS, which is ours (see channel.hpp)
  std::string place;             ///< for messages, such as "127.0.0.1:27017"
  std::string database;
  tls_settings tls;
  secret password;  ///< for hiding it in messages
  duration connect_timeout = std::chrono::seconds(10);
  duration server_selection = std::chrono::seconds(10);  ///< how long a call waits for a replica set to have a primary
  duration socket_timeout = std::chrono::seconds(30);
  bool socket_timeout_configured = false;
  bool retry_reads = true;
  bool compresses = false;
  bool several_servers = false;  ///< a replica set or a sharded cluster: servers have to be chosen
};

/// Throws invalid_configuration that names the option, and what it allows.
settings read_settings(const endpoint& where);

}  // namespace polypool::mongodb
