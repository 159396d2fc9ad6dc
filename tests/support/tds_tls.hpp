// SPDX-License-Identifier: Apache-2.0
// TLS for the test server, without a socket: bytes in, bytes out.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct ssl_ctx_st;
struct ssl_st;

namespace polypool::test {

struct tds_tls_deleter {
  void operator()(ssl_ctx_st* context) const noexcept;
  void operator()(ssl_st* session) const noexcept;
};

/// A server's side, with a self-signed certificate of its own.
class tds_certificate {
 public:
  tds_certificate();
  ssl_ctx_st* get() const noexcept { return context_.get(); }

 private:
  std::unique_ptr<ssl_ctx_st, tds_tls_deleter> context_;
};

/// One encrypted conversation.
class tds_tls {
 public:
  explicit tds_tls(const tds_certificate& with);
  /// Goes on with the handshake as far as what has come allows. @return true when it is done
  bool handshake();
  /// What came from the client.
  void feed(std::string_view data);
  /// What is to be sent to it.
  std::string drain();
  /// Encrypts; `drain` gives it.
  void write(std::string_view plain);
  /// At most so many decrypted bytes; nothing when more has to come first. @param peek leaves them there
  std::optional<std::string> read(std::size_t most, bool peek = false);

 private:
  std::unique_ptr<ssl_st, tds_tls_deleter> session_;
};

}  // namespace polypool::test
