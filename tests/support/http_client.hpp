// SPDX-License-Identifier: Apache-2.0
// An HTTP client that sends exactly the bytes it is given, for tests of what servers do with them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace polypool::test {

struct http_reply {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
};

/// One TCP connection to 127.0.0.1. Nothing waits longer than ten seconds; what takes longer is an error.
class http_client {
 public:
  explicit http_client(std::uint16_t port);
  ~http_client();
  http_client(const http_client&) = delete;

  /// Sends all of it. @return false when the server has closed the connection
  bool send(std::string_view bytes);
  /// Ends this side's sending.
  void finish_sending();
  /// Reads one reply; nothing when the connection ends before it is complete.
  /// @param to_head the reply to a HEAD request has no body
  std::optional<http_reply> receive(bool to_head = false);
  /// Whether the server closes the connection without sending anything more.
  bool closed_by_server();
  /// Reads until all that came after the last reply contains this text. @return false when the server closes before
  bool wait_for_text(std::string_view text);
  /// What came after the last reply so far.
  const std::string& received() const noexcept { return buffer_; }
  /// Everything that comes until the server closes.
  std::string receive_all();

 private:
  bool read_more();
  int socket_ = -1;
  std::string buffer_;
};

/// The bytes of a request with Host, Content-Length, and Content-Type when there is a body.
std::string http_request(std::string_view method, std::string_view path, std::string_view body = {},
                         std::string_view extra_headers = {});

/// Sends one request on a connection of its own. Throws std::runtime_error when no reply comes.
http_reply http_exchange(std::uint16_t port, std::string_view method, std::string_view path,
                         std::string_view body = {});

}  // namespace polypool::test
