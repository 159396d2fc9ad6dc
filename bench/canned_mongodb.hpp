// SPDX-License-Identifier: Apache-2.0
// A server that answers every find with the same document, at once: what is left of a call is the client's own work.
#pragma once

#include <arpa/inet.h>
#include <bson/bson.h>
#include <cstdint>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace polypool::bench {

class canned_mongodb {
 public:
  canned_mongodb() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(listener_, 64);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    url_ = "mongodb://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/polypool_bench";
    acceptor_ = std::jthread([this] { accept_all(); });
  }
  canned_mongodb(const canned_mongodb&) = delete;
  /// Clients have gone before.
  ~canned_mongodb() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    serving_.clear();
    ::close(listener_);
  }
  const std::string& url() const noexcept { return url_; }

 private:
  static std::string encoded(bson_t* made) {
    std::string out(reinterpret_cast<const char*>(bson_get_data(made)), made->len);
    bson_destroy(made);
    return out;
  }
  void accept_all() {
    for (;;) {
      const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) return;
      const int yes = 1;
      ::setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      serving_.emplace_back([this, connection] { serve(connection); });
    }
  }
  void serve(int connection) const {
    char buffer[65536];
    for (std::size_t filled = 0;;) {
      const auto received = ::recv(connection, buffer + filled, sizeof buffer - filled, 0);
      if (received <= 0) break;
      filled += static_cast<std::size_t>(received);
      std::int32_t header[4];
      std::memcpy(header, buffer, sizeof header);
      if (filled < sizeof header || filled < static_cast<std::size_t>(header[0])) continue;
      filled = 0;  // clients wait for their answers
      const bool old = header[3] == 2004;
      const std::string_view request(buffer, static_cast<std::size_t>(header[0]));
      const auto& document = request.find("find") != std::string_view::npos && !old   ? found_
                             : old || request.find("hello") != std::string_view::npos ? hello_
                                                                                      : ok_;
      std::string body(old ? 20 : 5, '\0');
      if (old) body[16] = 1;
      body += document;
      const std::int32_t answer[4] = {static_cast<std::int32_t>(16 + body.size()), 1, header[1], old ? 1 : 2013};
      body.insert(0, reinterpret_cast<const char*>(answer), sizeof answer);
      if (::send(connection, body.data(), body.size(), MSG_NOSIGNAL) < 0) break;
    }
    ::close(connection);
  }

  const std::string ok_ = encoded(BCON_NEW("ok", BCON_DOUBLE(1)));
  const std::string hello_ = encoded(BCON_NEW(
      "isWritablePrimary", BCON_BOOL(true), "ismaster", BCON_BOOL(true), "helloOk", BCON_BOOL(true),
      "maxBsonObjectSize", BCON_INT32(16777216), "maxMessageSizeBytes", BCON_INT32(48000000), "maxWriteBatchSize",
      BCON_INT32(100000), "minWireVersion", BCON_INT32(0), "maxWireVersion", BCON_INT32(21), "ok", BCON_DOUBLE(1)));
  const std::string found_ =
      encoded(BCON_NEW("cursor", "{", "firstBatch", "[", "{", "_id", BCON_INT32(1), "name", BCON_UTF8("name 1"), "}",
                       "]", "id", BCON_INT64(0), "ns", BCON_UTF8("polypool_bench.things"), "}", "ok", BCON_DOUBLE(1)));
  int listener_ = -1;
  std::string url_;
  std::vector<std::jthread> serving_;
  std::jthread acceptor_;
};

}  // namespace polypool::bench
