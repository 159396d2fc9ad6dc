// SPDX-License-Identifier: Apache-2.0
#include "drivers/mysql/native.hpp"

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

}  // namespace polypool::mysql
