// SPDX-License-Identifier: Apache-2.0
#include "drivers/mysql/patient_reads.hpp"

#include <cerrno>
#include <sys/socket.h>
#include <type_traits>
#include <utility>

namespace polypool::mysql {

void patient_reads::attach(MYSQL* connection) noexcept {
  MARIADB_PVIO* const transport = connection->net.pvio;
  if (transport == nullptr || transport->ctls != nullptr || transport->methods->async_read == nullptr) return;
  methods_ = *transport->methods;
  impatient_ = std::exchange(methods_.async_read, &patient_reads::read);
  transport->methods = &methods_;
}

bool patient_reads::waited_in_vain() noexcept { return std::exchange(in_vain_, false); }

ssize_t patient_reads::read(MARIADB_PVIO* transport, unsigned char* buffer, std::size_t length) noexcept {
  static_assert(std::is_standard_layout_v<patient_reads>);  // so that the table is where the object is
  auto& self = *reinterpret_cast<patient_reads*>(transport->methods);
  if (!std::exchange(self.next_may_wait_, false)) return self.impatient_(transport, buffer, length);
  ssize_t count = 0;
  do {
    count = ::recv(mysql_get_socket(transport->mysql), buffer, length, 0);
  } while (count < 0 && errno == EINTR);
  self.in_vain_ = count < 0;
  return count;
}

}  // namespace polypool::mysql
