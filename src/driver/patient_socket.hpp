// SPDX-License-Identifier: Apache-2.0
// A socket whose reads may wait inside of recv(2).
#pragma once

#include <polypool/environment.hpp>

#include <chrono>

namespace polypool {

/// After this time a read that waits returns with or without bytes, so that nothing hangs on it.
inline constexpr auto longest_read = std::chrono::milliseconds(200);

/// A thread that waits for an answer and nothing else does so inside of recv(2), one system call instead of three
/// (a read that finds nothing, poll(2), and another read). Whether it may, may_wait_inside_call() says.
class patient_socket {
 public:
  /// Before a read that waits: takes the socket from the event loop that had it last, which would wake up at every
  /// byte, and makes it block, for `longest_read` at most. @return false when the system refuses
  bool let_reads_wait(int descriptor, socket_slot& slot) noexcept;

  /// Somebody may have made it non-blocking: an event loop does, and a read that came back without a byte hints at it.
  void doubt() noexcept { nonblocking_ = true; }

 private:
  bool nonblocking_ = true;  // for all we know
};

}  // namespace polypool
