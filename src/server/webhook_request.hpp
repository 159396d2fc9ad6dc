// SPDX-License-Identifier: Apache-2.0
// What a webhook sends, and what its answer means. Without sockets.
#pragma once

#include <polypool/config.hpp>
#include <polypool/secret.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace polypool::server {

/// Where a webhook's requests go.
struct webhook_address {
  bool tls = false;
  std::string host;  ///< without brackets
  std::string port;
  std::string authority;    ///< for the Host header
  std::string target;       ///< path and query
  std::string credentials;  ///< of the URL, for basic authentication: "user:password"; may be empty
};
/// Throws invalid_configuration for what is not an http or https URL; without the URL's secrets.
webhook_address parse_webhook_url(std::string_view url);

/// HMAC-SHA256 in hexadecimal digits.
std::string hmac_sha256(const secret& key, std::string_view text);

/// Nothing waits longer, whatever is configured: a clock that runs over would wait for no time at all.
inline constexpr std::chrono::nanoseconds longest_wait = std::chrono::hours(24 * 365);

enum class webhook_outcome : std::uint8_t { done, again, refused };
webhook_outcome outcome_of(unsigned status) noexcept;

/// Before the attempt after `attempt` failed ones: doubles up to the maximum, half of it by `random` from 0 to 1.
std::chrono::nanoseconds webhook_delay(const config::webhook& how, std::uint32_t attempt, double random) noexcept;

}  // namespace polypool::server
