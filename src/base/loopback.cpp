// SPDX-License-Identifier: Apache-2.0
#include "base/loopback.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <strings.h>

namespace polypool {

bool is_loopback_host(std::string_view host) noexcept {
  constexpr std::string_view name = "localhost";
  if (host.size() == name.size() && ::strncasecmp(host.data(), name.data(), name.size()) == 0) return true;
  const bool in_brackets = host.starts_with('[') && host.ends_with(']');
  if (in_brackets) host = host.substr(1, host.size() - 2);
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (host.size() >= text.size() || host.find('\0') != std::string_view::npos) return false;
  std::ranges::copy(host, text.begin());
  in6_addr six{};
  if (::inet_pton(AF_INET6, text.data(), &six) == 1) return IN6_IS_ADDR_LOOPBACK(&six);
  in_addr four{};
  return !in_brackets && ::inet_pton(AF_INET, text.data(), &four) == 1 && (ntohl(four.s_addr) >> 24U) == 127;
}

}  // namespace polypool
