// SPDX-License-Identifier: Apache-2.0
// What is said first on a wire: who we are, which protocol, which database.
#pragma once

#include "drivers/redis/settings.hpp"
#include "drivers/redis/wire.hpp"

#include <string>

namespace polypool::redis {

/// What the server said of itself.
struct server_facts {
  int protocol = 2;
  std::string version;      ///< empty where it did not say
  bool knows_reset = true;  ///< where nothing is known, it is tried
};

/// As whom to log in, and what to set.
struct introduction {
  std::string user;
  const secret* password;
  std::string client_name;
  std::int64_t database = 0;
  int protocol = 3;
};
introduction introduction_of(const session_settings& settings);

/// The commands that make a fresh connection ours, in the words of this protocol.
redis_batch introduction_commands(const introduction& who, int protocol);
/// Reads what HELLO answered.
server_facts facts_of(const redis_value& hello);

/// Introduces us; falls back to RESP2 where the server knows nothing newer.
/// Throws authentication_failed, too_many_connections, connect_failed.
task<server_facts> introduce(wire& on, introduction who);

}  // namespace polypool::redis
