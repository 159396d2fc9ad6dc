// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <cerrno>
#include <cstdint>
#include <netinet/in.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace polypool::test {

/// A socket that listens on a free port of 127.0.0.1.
class listening_socket {
 public:
  explicit listening_socket(int backlog = 128) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    auto* const address = reinterpret_cast<sockaddr*>(&where);
    if (::bind(socket_, address, size) != 0 || ::listen(socket_, backlog) != 0 ||
        ::getsockname(socket_, address, &size) != 0) {
      const int why = errno;
      close();
      throw std::system_error(why, std::generic_category(), "no port to listen on");
    }
    port_ = ntohs(where.sin_port);
  }
  ~listening_socket() { close(); }
  listening_socket(const listening_socket&) = delete;

  int get() const noexcept { return socket_; }
  std::uint16_t port() const noexcept { return port_; }
  /// New connections are refused from now on.
  void close() noexcept {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

 private:
  int socket_;
  std::uint16_t port_ = 0;
};

}  // namespace polypool::test
