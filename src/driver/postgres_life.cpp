// SPDX-License-Identifier: Apache-2.0
#include "driver/postgres_life.hpp"

#include <polypool/error.hpp>
#include <polypool/waits.hpp>

#include <array>
#include <cerrno>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace polypool::postgres {
namespace {

class plain_socket {
 public:
  explicit plain_socket(int family) : descriptor(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  plain_socket(const plain_socket&) = delete;
  ~plain_socket() {
    slot.reset();
    if (descriptor >= 0) ::close(descriptor);
  }
  int descriptor;
  socket_slot slot;
};

[[noreturn]] void no_sign_of_life(int problem) {
  throw error(errc::connection_lost, "cannot ask PostgreSQL to cancel: " + std::generic_category().message(problem));
}

}  // namespace

// PQcancel blocks for as long as the server says nothing, and a frozen one says nothing for ever. So the server first
// has to answer a question that any version answers at once: whether it does GSSAPI encryption.
task<void> await_sign_of_life(int session_descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::getpeername(session_descriptor, generic, &size) != 0) no_sign_of_life(errno);
  plain_socket probe(address.ss_family);
  if (probe.descriptor < 0) no_sign_of_life(errno);
  if (::connect(probe.descriptor, generic, size) != 0) {
    if (errno != EINPROGRESS) no_sign_of_life(errno);
    throw_unless_ready(co_await socket_ready(probe.descriptor, probe.slot, socket_interest::write));
    int problem = 0;
    socklen_t problem_size = sizeof problem;
    ::getsockopt(probe.descriptor, SOL_SOCKET, SO_ERROR, &problem, &problem_size);
    if (problem != 0) no_sign_of_life(problem);
  }
  constexpr std::array<unsigned char, 8> question{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30};  // GSSENCRequest
  if (::send(probe.descriptor, question.data(), question.size(), MSG_NOSIGNAL) != 8) no_sign_of_life(errno);
  throw_unless_ready(co_await socket_ready(probe.descriptor, probe.slot, socket_interest::read));
  char answer = 0;
  const auto count = ::recv(probe.descriptor, &answer, 1, 0);
  if (count != 1) no_sign_of_life(count == 0 ? ECONNRESET : errno);
}

}  // namespace polypool::postgres
