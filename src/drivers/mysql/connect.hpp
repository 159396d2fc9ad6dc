// SPDX-License-Identifier: Apache-2.0
// Making a connection without blocking.
#pragma once

#include "drivers/mysql/native.hpp"
#include "drivers/mysql/settings.hpp"

#include <polypool/driver.hpp>
#include <polypool/waits.hpp>

#include <optional>
#include <string>

namespace polypool::mysql {

/// One connection to make, within the task's deadline.
class connector {
 public:
  /// @param how @param where outlive it @param own_limit the deadline is connect_timeout, not the caller's
  connector(const settings& how, const endpoint& where, bool own_limit);
  connector(const connector&) = delete;
  ~connector();
  /// With or without TLS, as the mode says. Throws why it cannot be made.
  task<connection_ptr> run();
  /// What went wrong with the first statements of a new session, as a failure to connect.
  error login_failed(const error& why);

 private:
  task<void> attempt(bool with_tls);
  task<void> ready(int descriptor, socket_interest interest);
  task<void> require_tls_offer(int descriptor);
  template <class Work>
  task<void> step(Work work);
  bool may_block() const noexcept;
  bool another_way(bool with_tls, const error& why) const;
  error hung(wait_result how) const;
  void discard() noexcept;

  const settings& how_;
  const endpoint& where_;
  std::string place_;
  bool own_limit_;
  bool with_tls_ = false;
  connection_ptr connection_;
  library_call call_;
  socket_slot slot_;
  std::string_view stage_;
};

}  // namespace polypool::mysql
