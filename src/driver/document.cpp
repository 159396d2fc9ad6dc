// SPDX-License-Identifier: Apache-2.0
#include <polypool/document.hpp>

#include <array>

namespace polypool {
namespace {

constexpr std::array<std::string_view, 5> names{"primary", "primaryPreferred", "secondary", "secondaryPreferred",
                                                "nearest"};

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// The same but for case and underscores.
bool same_word(std::string_view text, std::string_view name) noexcept {
  std::size_t at = 0;
  for (const char c : text) {
    if (c == '_') continue;
    if (at == name.size() || lower(c) != lower(name[at])) return false;
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
    if (same_word(text, names[i])) return static_cast<read_preference>(i);
  }
  return std::nullopt;
}

}  // namespace polypool
