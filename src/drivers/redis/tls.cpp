// SPDX-License-Identifier: Apache-2.0
#include "drivers/redis/tls.hpp"

#include <polypool/error.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <limits>
#include <new>
#include <openssl/err.h>
#include <openssl/x509v3.h>

namespace polypool::redis {
namespace {

std::string openssl_words() {
  std::string out;
  while (const auto code = ::ERR_get_error()) {
    if (!out.empty()) out += "; ";
    const char* reason = ::ERR_reason_error_string(code);
    out += reason != nullptr ? reason : "error " + std::to_string(code);
  }
  return out;
}

[[noreturn]] void refuse_file(const std::string& option, const std::string& file) {
  const auto words = openssl_words();
  throw error(errc::invalid_configuration,
              "option '" + option + "' of a Redis connection: '" + file + "' cannot be used: " + words);
}

bool is_address(const std::string& host) {
  in6_addr ignored;
  return ::inet_pton(AF_INET, host.c_str(), &ignored) == 1 || ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

void load_files(SSL_CTX* context, const tls_settings& settings) {
  if (settings.root_certificates.empty()) {
    ::SSL_CTX_set_default_verify_paths(context);
  } else if (::SSL_CTX_load_verify_locations(context, settings.root_certificates.c_str(), nullptr) != 1) {
    refuse_file("sslrootcert", settings.root_certificates);
  }
  if (settings.certificate.empty()) return;
  if (::SSL_CTX_use_certificate_chain_file(context, settings.certificate.c_str()) != 1) {
    refuse_file("sslcert", settings.certificate);
  }
  const auto& key = settings.key.empty() ? settings.certificate : settings.key;
  if (::SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) refuse_file("sslkey", key);
}

}  // namespace

tls_stream::tls_stream(const tls_settings& settings) : context_(::SSL_CTX_new(::TLS_client_method())) {
  ::ERR_clear_error();
  if (!context_) throw std::bad_alloc();
  ::SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  ::SSL_CTX_set_mode(context_.get(), SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_options(context_.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
  load_files(context_.get(), settings);
  const bool verifies = settings.mode >= tls_mode::verify_ca || !settings.root_certificates.empty();
  ::SSL_CTX_set_verify(context_.get(), verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  session_.reset(::SSL_new(context_.get()));
  in_ = ::BIO_new(::BIO_s_mem());
  out_ = ::BIO_new(::BIO_s_mem());
  if (!session_ || in_ == nullptr || out_ == nullptr) throw std::bad_alloc();
  ::SSL_set_bio(session_.get(), in_, out_);
  ::SSL_set_connect_state(session_.get());
  const bool numeric = is_address(settings.host);
  if (!numeric) {
    std::string name = settings.host;
    ::SSL_ctrl(session_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
  }
  if (settings.mode == tls_mode::verify_full) {
    if (numeric) {
      ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(session_.get()), settings.host.c_str());
    } else {
      ::SSL_set1_host(session_.get(), settings.host.c_str());
    }
  }
}

std::string tls_stream::problem_text() const {
  const auto verdict = ::SSL_get_verify_result(session_.get());
  auto words = openssl_words();
  if (verdict != X509_V_OK) words += std::string(": ") + ::X509_verify_cert_error_string(verdict);
  return words.empty() ? "the peer ended the connection" : words;
}

bool tls_stream::handshake() {
  const std::scoped_lock lock(mutex_);
  ::ERR_clear_error();
  const int done = ::SSL_do_handshake(session_.get());
  if (done == 1) return true;
  if (::SSL_get_error(session_.get(), done) == SSL_ERROR_WANT_READ) return false;
  throw error(errc::connect_failed, problem_text());
}

void tls_stream::encrypt(std::string_view plain, std::string& out) {
  const std::scoped_lock lock(mutex_);
  while (!plain.empty()) {
    ::ERR_clear_error();
    const auto piece = std::min<std::size_t>(plain.size(), std::numeric_limits<int>::max());
    const int written = ::SSL_write(session_.get(), plain.data(), static_cast<int>(piece));
    if (written <= 0) throw error(errc::connection_lost, "TLS: " + problem_text()).with_poisoned_session();
    plain.remove_prefix(static_cast<std::size_t>(written));
  }
  const std::size_t before = out.size();
  out.resize(before + ::BIO_ctrl_pending(out_));
  if (out.size() > before) ::BIO_read(out_, out.data() + before, static_cast<int>(out.size() - before));
}

void tls_stream::feed(std::string_view received) {
  const std::scoped_lock lock(mutex_);
  if (!received.empty()) ::BIO_write(in_, received.data(), static_cast<int>(received.size()));
}

std::size_t tls_stream::read(std::span<char> into) {
  const std::scoped_lock lock(mutex_);
  ::ERR_clear_error();
  const auto most = std::min<std::size_t>(into.size(), std::numeric_limits<int>::max());
  const int count = ::SSL_read(session_.get(), into.data(), static_cast<int>(most));
  if (count > 0) return static_cast<std::size_t>(count);
  const int why = ::SSL_get_error(session_.get(), count);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_ZERO_RETURN) return 0;
  throw error(errc::connection_lost, "TLS: " + problem_text()).with_poisoned_session();
}

bool tls_stream::has_output() {
  const std::scoped_lock lock(mutex_);
  return ::BIO_ctrl_pending(out_) > 0;
}

}  // namespace polypool::redis
