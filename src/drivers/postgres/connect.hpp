// SPDX-License-Identifier: Apache-2.0
// Making a connection without blocking.
#pragma once

#include "drivers/postgres/native.hpp"

#include <polypool/driver.hpp>
#include <polypool/waits.hpp>

#include <string>
#include <utility>
#include <vector>

namespace polypool::postgres {

/// Where an endpoint is, for messages: "host:port", or the path of a Unix socket.
std::string place_of(const endpoint& where);

/// What libpq is told, except the password. Throws invalid_configuration for an option libpq does not know.
using connect_settings = std::vector<std::pair<std::string, std::string>>;
connect_settings settings_for(const endpoint& where);

/// One attempt to connect, within the task's deadline.
class connector {
 public:
  /// @param where outlives it @param own_limit the deadline is connect_timeout, not the caller's
  connector(const endpoint& where, bool own_limit) : where_(where), place_(place_of(where)), own_limit_(own_limit) {}
  task<connection_ptr> run();

 private:
  task<std::string> resolve();
  task<void> complete(PGconn* connection);
  void start(connect_settings settings);
  error hung(wait_result how, PGconn* connection) const;

  const endpoint& where_;
  std::string place_;
  bool own_limit_;
  connection_ptr connection_;
  socket_slot slot_;
};

}  // namespace polypool::postgres
