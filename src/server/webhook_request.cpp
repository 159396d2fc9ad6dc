// SPDX-License-Identifier: Apache-2.0
#include "server/webhook_request.hpp"

#include <polypool/error.hpp>

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <algorithm>
#include <array>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace polypool::server {

webhook_address parse_webhook_url(std::string_view url) {
  const auto parsed = boost::urls::parse_uri(boost::core::string_view(url.data(), url.size()));
  const bool web = parsed && (parsed->scheme() == "http" || parsed->scheme() == "https");
  if (!web || parsed->host().empty()) {
    throw error(errc::invalid_configuration, "a webhook's url is not an http:// or https:// URL")
        .with_hint("it looks like https://hooks.example.com/polypool");
  }
  webhook_address out;
  out.tls = parsed->scheme() == "https";
  out.host = parsed->host_address();
  out.port = parsed->has_port() ? std::string(parsed->port()) : out.tls ? "443" : "80";
  out.authority = std::string(parsed->encoded_host());
  if (parsed->has_port()) out.authority += ":" + out.port;
  out.target = parsed->encoded_path().empty() ? "/" : std::string(parsed->encoded_path());
  if (parsed->has_query()) out.target += "?" + std::string(parsed->encoded_query());
  if (parsed->has_userinfo()) out.credentials = parsed->user() + ":" + parsed->password();
  return out;
}

std::string hmac_sha256(const secret& key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  const auto& bytes = key.reveal();
  const auto* made = ::HMAC(::EVP_sha256(), bytes.data(), static_cast<int>(bytes.size()),
                            reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &length);
  if (made == nullptr) throw error(errc::internal_error, "OpenSSL made no HMAC");
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (unsigned i = 0; i < length; ++i) {
    out += digits[digest[i] >> 4U];
    out += digits[digest[i] & 15U];
  }
  return out;
}

webhook_outcome outcome_of(unsigned status) noexcept {
  if (status >= 200 && status < 300) return webhook_outcome::done;
  const bool passing = status == 408 || status == 425 || status == 429 || status >= 500;
  return passing ? webhook_outcome::again : webhook_outcome::refused;
}

std::chrono::nanoseconds webhook_delay(const config::webhook& how, std::uint32_t attempt, double random) noexcept {
  const auto most = std::min(how.retry_max_delay, longest_wait);
  auto delay = std::min(how.retry_delay, most);
  for (std::uint32_t i = 1; i < attempt && delay < most; ++i) delay *= 2;
  delay = std::min(delay, most);
  return std::chrono::duration_cast<std::chrono::nanoseconds>(delay * (0.5 + random / 2));
}

}  // namespace polypool::server
