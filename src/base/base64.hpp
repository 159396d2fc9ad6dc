// SPDX-License-Identifier: Apache-2.0
// Base64 (RFC 4648, the alphabet with + and /).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace polypool {

/// With padding.
std::string to_base64(std::span<const std::uint8_t> data);

/// Padding may be left out. Nothing when it is not base64.
std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text);

}  // namespace polypool
