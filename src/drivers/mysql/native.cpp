// SPDX-License-Identifier: Apache-2.0
#include "drivers/mysql/native.hpp"

#include <cstddef>
#include <ma_pvio.h>
#include <sys/socket.h>

namespace polypool::mysql {

void finish_abandoned(library_call& call, MYSQL* connection) noexcept {
  // A host may have many addresses, and each one is another wait.
  for (int attempt = 0; call.waiting() && attempt < 1000; ++attempt) {
    const int descriptor = mysql_get_socket(connection);
    if (descriptor >= 0) ::shutdown(descriptor, SHUT_RDWR);
    call.give_up();
  }
}

bool packet_is_here(const MYSQL* connection) noexcept {
  const auto* const io = connection->net.pvio;
  if (io == nullptr || io->cache == nullptr || connection->net.compress != 0) return false;
  const unsigned char* const end = io->cache + io->cache_size;
  constexpr std::ptrdiff_t header = 4;  // three bytes of length, one of number
  if (io->cache_pos == nullptr || end - io->cache_pos < header) return false;
  const auto* const at = io->cache_pos;
  const std::ptrdiff_t length = at[0] | at[1] << 8 | at[2] << 16;
  constexpr std::ptrdiff_t longest = 0xFFFFFF;  // then another packet goes on with it
  return length < longest && end - at >= header + length;
}

}  // namespace polypool::mysql
