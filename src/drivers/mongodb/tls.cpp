// SPDX-License-Identifier: Apache-2.0
#include "drivers/mongodb/tls.hpp"

#include <polypool/error.hpp>

#include <arpa/inet.h>
#include <cerrno>
#include <new>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

namespace polypool::mongodb {
namespace {

std::string oldest_problem() {
  const auto code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  return reason ? reason : "unknown error";
}

[[noreturn]] void refuse(std::string_view option, const std::string& file) {
  const auto why = oldest_problem();
  throw error(errc::invalid_configuration, "option " + std::string(option) + ": '" + file + "' cannot be used: " + why)
      .with_hint("it has to be a readable file in PEM form");
}

int descriptor_of(BIO* bio) { return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))); }

// OpenSSL's own socket BIO raises SIGPIPE.
int bio_write(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const auto sent = ::send(descriptor_of(bio), data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}
int bio_read(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  const auto received = ::recv(descriptor_of(bio), data, static_cast<std::size_t>(size), 0);
  if (received < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(received);
}
long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
int bio_create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

const BIO_METHOD* socket_method() {
  struct method_deleter {
    void operator()(BIO_METHOD* method) const noexcept { BIO_meth_free(method); }
  };
  static const std::unique_ptr<BIO_METHOD, method_deleter> method = [] {
    std::unique_ptr<BIO_METHOD, method_deleter> made(
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket"));
    if (!made) throw std::bad_alloc();
    BIO_meth_set_write(made.get(), bio_write);
    BIO_meth_set_read(made.get(), bio_read);
    BIO_meth_set_ctrl(made.get(), bio_control);
    BIO_meth_set_create(made.get(), bio_create);
    return made;
  }();
  return method.get();
}

int give_password(char* buffer, int size, int, void* password) {
  const auto& text = static_cast<const secret*>(password)->reveal();
  if (text.size() > static_cast<std::size_t>(size)) return -1;
  text.copy(buffer, text.size());
  return static_cast<int>(text.size());
}

}  // namespace

tls_context::tls_context(const tls_settings& settings)
    : context_(SSL_CTX_new(TLS_client_method())), mode_(settings.mode) {
  SSL_CTX* const raw = context_.get();
  if (!raw) throw std::bad_alloc();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_verify(raw, mode_ >= tls_mode::verify_ca ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  ERR_clear_error();
  if (!settings.ca_file.empty()) {
    if (SSL_CTX_load_verify_file(raw, settings.ca_file.c_str()) != 1) refuse("tls_ca_file", settings.ca_file);
  } else if (mode_ >= tls_mode::verify_ca) {
    SSL_CTX_set_default_verify_paths(raw);
  }
  if (settings.certificate_file.empty()) return;
  SSL_CTX_set_default_passwd_cb(raw, give_password);
  SSL_CTX_set_default_passwd_cb_userdata(raw, const_cast<secret*>(&settings.certificate_password));
  const char* const file = settings.certificate_file.c_str();
  if (SSL_CTX_use_certificate_chain_file(raw, file) != 1 ||
      SSL_CTX_use_PrivateKey_file(raw, file, SSL_FILETYPE_PEM) != 1) {
    refuse("tls_certificate_key_file", settings.certificate_file);
  }
  SSL_CTX_set_default_passwd_cb_userdata(raw, nullptr);
}

tls_connection tls_context::start(int descriptor, const std::string& host) const {
  tls_connection made(SSL_new(context_.get()));
  BIO* bio = BIO_new(socket_method());
  if (!made || !bio) {
    BIO_free(bio);
    throw std::bad_alloc();
  }
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(descriptor)));
  SSL_set_bio(made.get(), bio, bio);
  in6_addr ignored;
  const bool numeric =
      ::inet_pton(AF_INET, host.c_str(), &ignored) == 1 || ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
  if (!numeric) {
    SSL_ctrl(made.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(host.c_str()));
  }
  if (mode_ == tls_mode::verify_full) {
    if (numeric) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(made.get()), host.c_str());
    } else {
      SSL_set_hostflags(made.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      SSL_set1_host(made.get(), host.c_str());
    }
  }
  SSL_set_connect_state(made.get());
  return made;
}

std::string tls_problem(const SSL* connection) {
  const auto verdict = SSL_get_verify_result(connection);
  if (verdict != X509_V_OK && (SSL_get_verify_mode(connection) & SSL_VERIFY_PEER) != 0) {
    ERR_clear_error();
    return std::string("the server's certificate is refused: ") + X509_verify_cert_error_string(verdict);
  }
  return oldest_problem();
}

}  // namespace polypool::mongodb
