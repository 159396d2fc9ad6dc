// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace polypool::cli {

enum class style : std::uint8_t { plain, bold, dim, red, green, yellow };

// What an output can show: colours and a width only on a terminal.
struct terminal {
  bool colors = false;
  std::size_t width = 0;   // columns; 0: no limit
  std::size_t height = 0;  // lines; 0: no limit

  static terminal of(int descriptor);
  std::string paint(std::string_view text, style how) const;
};

// How a word of health looks.
style style_of_health(std::string_view health) noexcept;

// Columns that UTF-8 text takes on a terminal; wide characters take two, combining ones none.
std::size_t display_width(std::string_view text) noexcept;
// The beginning of a text that fits, with `…` where something is missing.
std::string fit(std::string_view text, std::size_t width);
// Text for one line of a terminal: control characters escaped, bytes that are no UTF-8 replaced.
std::string printable(std::string_view text);

}  // namespace polypool::cli
