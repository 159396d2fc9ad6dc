// SPDX-License-Identifier: Apache-2.0
// From an address to a wire: name, network, TLS.
#pragma once

#include "drivers/redis/settings.hpp"
#include "drivers/redis/wire.hpp"

#include <polypool/task.hpp>

#include <memory>
#include <string_view>

namespace polypool::redis {

/// One attempt to reach a server, within the task's deadline.
class dialer {
 public:
  /// @param settings outlives it @param own_limit the deadline is connect_timeout, not the caller's
  dialer(const session_settings& settings, server_address to, duration connect_timeout, bool own_limit)
      : settings_(settings), to_(std::move(to)), connect_timeout_(connect_timeout), own_limit_(own_limit) {}

  /// A wire that nothing has been said on. Throws connect_failed.
  task<std::unique_ptr<wire>> dial();
  /// A failure of what was said on the wire, as one to connect.
  error explained(error failure) const;
  /// What the connection is waiting for, for messages.
  void stage(std::string_view now) noexcept { stage_ = now; }
  const server_address& to() const noexcept { return to_; }

 private:
  struct socket_address;
  struct resolution;
  static resolution look_up(const server_address& where);
  task<socket_descriptor> reach();
  task<int> try_one(const socket_address& where, socket_descriptor& socket);
  task<std::unique_ptr<tls_stream>> set_up_tls(int descriptor);
  task<std::unique_ptr<wire>> dial_with(tls_mode mode);
  error refused(std::string_view why) const;
  error hung(wait_result how) const;

  const session_settings& settings_;
  server_address to_;
  duration connect_timeout_;
  bool own_limit_;
  std::string_view stage_ = "the name is not resolved";
};

}  // namespace polypool::redis
