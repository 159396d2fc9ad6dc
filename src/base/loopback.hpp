// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace polypool {

/// What `is_loopback_host` takes, for messages.
inline constexpr std::string_view loopback_hosts = "127.0.0.1 (or another of 127.0.0.0/8), ::1 or localhost";

/// Whether only this machine can reach what listens there: 127.0.0.0/8, ::1 (also in brackets), localhost. No other
/// name: it may lead anywhere.
bool is_loopback_host(std::string_view host) noexcept;

}  // namespace polypool
