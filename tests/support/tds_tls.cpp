// SPDX-License-Identifier: Apache-2.0
#include "support/tds_tls.hpp"

#include "support/tds_wire.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdexcept>

namespace polypool::test {
namespace {

struct key_deleter {
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
};

void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(std::string("TLS of the test server: ") + what);
}

}  // namespace

void tds_tls_deleter::operator()(ssl_ctx_st* context) const noexcept { SSL_CTX_free(context); }
void tds_tls_deleter::operator()(ssl_st* session) const noexcept { SSL_free(session); }

tds_certificate::tds_certificate() : context_(SSL_CTX_new(TLS_server_method())) {
  const std::unique_ptr<EVP_PKEY, key_deleter> key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  const std::unique_ptr<X509, key_deleter> certificate(X509_new());
  require(context_ && key && certificate, "no memory");
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 30L * 24 * 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  const auto* words = reinterpret_cast<const unsigned char*>("localhost");
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, words, -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  require(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0, "signing");
  SSL_CTX_set_max_proto_version(context_.get(), TLS1_2_VERSION);  // TDS 7.4 knows nothing newer
  require(SSL_CTX_use_certificate(context_.get(), certificate.get()) == 1, "certificate");
  require(SSL_CTX_use_PrivateKey(context_.get(), key.get()) == 1, "key");
}

tds_tls::tds_tls(const tds_certificate& with) : session_(SSL_new(with.get())) {
  require(session_ != nullptr, "no memory");
  SSL_set_bio(session_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_accept_state(session_.get());
}

bool tds_tls::handshake() {
  ERR_clear_error();
  const int code = SSL_do_handshake(session_.get());
  if (code == 1) return true;
  if (SSL_get_error(session_.get(), code) != SSL_ERROR_WANT_READ) throw tds_broken("the TLS handshake fails");
  return false;
}

void tds_tls::feed(std::string_view data) {
  BIO_write(SSL_get_rbio(session_.get()), data.data(), static_cast<int>(data.size()));
}

std::string tds_tls::drain() {
  std::string out(BIO_ctrl_pending(SSL_get_wbio(session_.get())), '\0');
  if (!out.empty()) BIO_read(SSL_get_wbio(session_.get()), out.data(), static_cast<int>(out.size()));
  return out;
}

void tds_tls::write(std::string_view plain) {
  ERR_clear_error();
  const int code = SSL_write(session_.get(), plain.data(), static_cast<int>(plain.size()));
  if (code <= 0) throw tds_gone();
}

std::optional<std::string> tds_tls::read(std::size_t most, bool peek) {
  std::string out(most, '\0');
  ERR_clear_error();
  const auto read_some = peek ? &SSL_peek : &SSL_read;
  const int code = read_some(session_.get(), out.data(), static_cast<int>(most));
  if (code > 0) {
    out.resize(static_cast<std::size_t>(code));
    return out;
  }
  if (SSL_get_error(session_.get(), code) != SSL_ERROR_WANT_READ) throw tds_gone();
  return std::nullopt;
}

}  // namespace polypool::test
