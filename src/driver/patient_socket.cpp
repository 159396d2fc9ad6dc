// SPDX-License-Identifier: Apache-2.0
#include "driver/patient_socket.hpp"

#include <polypool/waits.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace polypool {

bool patient_socket::let_reads_wait(int descriptor, socket_slot& slot) noexcept {
  if (slot.registration) {
    slot.reset();
    nonblocking_ = true;
  }
  if (!nonblocking_) return true;
  timeval limit{};
  limit.tv_usec = std::chrono::microseconds(longest_read).count();
  const int flags = ::fcntl(descriptor, F_GETFL);
  nonblocking_ = flags < 0 || ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
                 ::fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK) != 0;
  return !nonblocking_;
}

}  // namespace polypool
