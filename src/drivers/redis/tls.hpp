// SPDX-License-Identifier: Apache-2.0
// TLS between bytes and bytes; the socket is somebody else's.
#pragma once

#include <polypool/driver.hpp>

#include <memory>
#include <mutex>
#include <openssl/ssl.h>
#include <span>
#include <string>
#include <string_view>

namespace polypool::redis {

struct tls_deleter {
  void operator()(SSL_CTX* context) const noexcept { ::SSL_CTX_free(context); }
  void operator()(SSL* session) const noexcept { ::SSL_free(session); }
};

/// What TLS needs to know; from an endpoint's `tls` and its options `sslrootcert`, `sslcert`, `sslkey`, `sslsni`.
struct tls_settings {
  tls_mode mode = tls_mode::disable;
  std::string host;  ///< whose certificate it has to be
  std::string root_certificates;
  std::string certificate;
  std::string key;
};

/// One TLS session over memory. One thread may write while another one reads: OpenSSL's part takes a lock, which is
/// held for no I/O.
class tls_stream {
 public:
  /// Throws invalid_configuration when a file cannot be used.
  explicit tls_stream(const tls_settings& settings);
  tls_stream(const tls_stream&) = delete;

  /// One step of the handshake. @return true when it is done
  /// Throws connect_failed, saying why the certificate was refused.
  bool handshake();
  /// Encrypts, behind what is in `out` already.
  void encrypt(std::string_view plain, std::string& out);
  /// Bytes from the peer.
  void feed(std::string_view received);
  /// Decrypts what is there. @return 0 when more bytes are needed, or the peer has said goodbye
  /// Throws connection_lost.
  std::size_t read(std::span<char> into);
  /// Whether TLS itself has something to say; encrypt() takes it along.
  bool has_output();

 private:
  std::string problem_text() const;
  std::mutex mutex_;
  std::unique_ptr<SSL_CTX, tls_deleter> context_;
  std::unique_ptr<SSL, tls_deleter> session_;
  BIO* in_ = nullptr;   // owned by the session
  BIO* out_ = nullptr;  // owned by the session
};

}  // namespace polypool::redis
