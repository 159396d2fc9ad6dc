// SPDX-License-Identifier: Apache-2.0
// Text that may hold anything: is it UTF-8, and if not, what of it can be shown?
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace polypool {

/// What stands for bytes that are no UTF-8.
inline constexpr std::string_view utf8_replacement = "\xEF\xBF\xBD";

/// The character at the beginning of a text.
struct utf8_character {
  char32_t point;      ///< U+FFFD when it is none
  std::size_t length;  ///< in bytes; 1 when it is none
  bool valid;
};

/// Decodes the first character of a text that is not empty. No overlong forms, no surrogates, nothing over U+10FFFF.
utf8_character first_character(std::string_view text) noexcept;

/// Where the text stops being UTF-8; npos when all of it is. NUL is allowed.
std::size_t find_invalid_utf8(std::string_view text) noexcept;
inline bool is_valid_utf8(std::string_view text) noexcept { return find_invalid_utf8(text) == std::string_view::npos; }

/// The text with every byte that is not UTF-8 replaced by U+FFFD.
std::string to_valid_utf8(std::string_view text);

/// At most `most` bytes of a text for a message: cut between characters, control characters as `.`, with `…` when cut.
std::string excerpt(std::string_view text, std::size_t most = 60);

}  // namespace polypool
