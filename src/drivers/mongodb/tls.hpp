// SPDX-License-Identifier: Apache-2.0
// TLS over sockets of ours, so that its waits can be ended like all others.
#pragma once

#include <polypool/driver.hpp>

#include <memory>
#include <openssl/ssl.h>
#include <string>

namespace polypool::mongodb {

struct tls_settings {
  tls_mode mode = tls_mode::disable;
  std::string ca_file;           ///< PEM; empty: the system's
  std::string certificate_file;  ///< PEM, our own certificate with its key; empty: none
  secret certificate_password;
};

struct tls_deleter {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
  void operator()(SSL* connection) const noexcept { SSL_free(connection); }
};
using tls_connection = std::unique_ptr<SSL, tls_deleter>;

/// What all connections of a session have in common. The files are read at once.
class tls_context {
 public:
  /// Throws invalid_configuration when a file cannot be used.
  explicit tls_context(const tls_settings& settings);
  /// A handshake to be made over a non-blocking socket. @param host whom the certificate has to name
  tls_connection start(int descriptor, const std::string& host) const;

 private:
  std::unique_ptr<SSL_CTX, tls_deleter> context_;
  tls_mode mode_;
};

/// Why the last operation of this connection failed, such as "certificate verify failed: self-signed certificate".
std::string tls_problem(const SSL* connection);

}  // namespace polypool::mongodb
