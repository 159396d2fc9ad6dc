// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/listening_socket.hpp"

#include <string>
#include <vector>

namespace polypool::test {

/// A port of 127.0.0.1 whose owner accepts connections and never says a word; or that refuses, once `refuse` is called.
class silent_port {
 public:
  ~silent_port() {
    for (const int each : clients_) ::close(each);
  }
  void refuse() { listener_.close(); }
  std::string url() const { return "postgres://user:topsecret@127.0.0.1:" + std::to_string(listener_.port()) + "/db"; }
  /// Returns when somebody has connected.
  void await_client() { clients_.push_back(::accept(listener_.get(), nullptr, nullptr)); }

 private:
  listening_socket listener_;
  std::vector<int> clients_;
};

}  // namespace polypool::test
