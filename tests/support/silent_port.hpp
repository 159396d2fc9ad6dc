// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <cstdint>
#include <netinet/in.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace polypool::test {

/// A port of 127.0.0.1 whose owner accepts connections and never says a word; or that refuses, once `refuse` is called.
class silent_port {
 public:
  silent_port() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    auto* address = reinterpret_cast<sockaddr*>(&where);
    if (::bind(socket_, address, size) != 0 || ::listen(socket_, 16) != 0) throw std::runtime_error("no port");
    ::getsockname(socket_, address, &size);
    port_ = ntohs(where.sin_port);
  }
  ~silent_port() { refuse(); }
  silent_port(const silent_port&) = delete;
  void refuse() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  std::string url() const { return "postgres://user:topsecret@127.0.0.1:" + std::to_string(port_) + "/db"; }
  /// Returns when somebody has connected.
  void await_client() {
    const int client = ::accept(socket_, nullptr, nullptr);
    clients_.push_back(client);
  }

 private:
  int socket_;
  std::uint16_t port_ = 0;
  std::vector<int> clients_;
};

}  // namespace polypool::test
