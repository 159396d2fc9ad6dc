// SPDX-License-Identifier: Apache-2.0
#include "base/words.hpp"

#include <polypool/document.hpp>

#include <array>

namespace polypool {
namespace {

constexpr std::array<std::string_view, 5> names{"primary", "primaryPreferred", "secondary", "secondaryPreferred",
                                                "nearest"};

// The same but for case and underscores.
bool same_but_for_underscores(std::string_view text, std::string_view name) noexcept {
  std::size_t at = 0;
  for (const char c : text) {
    if (c == '_') continue;
    if (at == name.size() || ascii_lower(c) != ascii_lower(name[at])) return false;
    ++at;
  }
  return at == name.size();
}

}  // namespace

std::string_view to_string(read_preference preference) noexcept {
  const auto index = static_cast<std::size_t>(preference);
  return index < names.size() ? names[index] : "unknown";
}

std::optional<read_preference> parse_read_preference(std::string_view text) noexcept {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (same_but_for_underscores(text, names[i])) return static_cast<read_preference>(i);
  }
  return std::nullopt;
}

}  // namespace polypool
