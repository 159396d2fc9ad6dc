// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.hpp"

#include "base/utf8.hpp"

#include <array>
#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>

namespace polypool::cli {
namespace {

struct range {
  char32_t first, last;
};

template <std::size_t Count>
bool in(const std::array<range, Count>& ranges, char32_t point) noexcept {
  for (const range& each : ranges) {
    if (point >= each.first && point <= each.last) return true;
  }
  return false;
}

// Not from wcwidth(3): that depends on the locale, and a daemon's is often "C".
std::size_t width_of(char32_t point) noexcept {
  static constexpr std::array none{range{0x0300, 0x036F}, range{0x0483, 0x0489},  range{0x0591, 0x05BD},
                                   range{0x0610, 0x061A}, range{0x064B, 0x065F},  range{0x0900, 0x0902},
                                   range{0x0E34, 0x0E3A}, range{0x1AB0, 0x1AFF},  range{0x1DC0, 0x1DFF},
                                   range{0x200B, 0x200F}, range{0x202A, 0x202E},  range{0x2060, 0x2064},
                                   range{0x20D0, 0x20FF}, range{0xFE00, 0xFE0F},  range{0xFE20, 0xFE2F},
                                   range{0xFEFF, 0xFEFF}, range{0xE0100, 0xE01EF}};
  static constexpr std::array two{range{0x1100, 0x115F},   range{0x231A, 0x231B},   range{0x23E9, 0x23EC},
                                  range{0x2E80, 0x303E},   range{0x3041, 0x33FF},   range{0x3400, 0x4DBF},
                                  range{0x4E00, 0x9FFF},   range{0xA000, 0xA4CF},   range{0xAC00, 0xD7A3},
                                  range{0xF900, 0xFAFF},   range{0xFE30, 0xFE6F},   range{0xFF00, 0xFF60},
                                  range{0xFFE0, 0xFFE6},   range{0x1F300, 0x1F64F}, range{0x1F680, 0x1F6FF},
                                  range{0x1F900, 0x1F9FF}, range{0x20000, 0x3FFFD}};
  if (point < 0x300) return 1;
  return in(none, point) ? 0 : in(two, point) ? 2 : 1;
}

}  // namespace

terminal terminal::of(int descriptor) {
  terminal out;
  if (::isatty(descriptor) == 0) return out;
  const char* no_color = std::getenv("NO_COLOR");
  const char* kind = std::getenv("TERM");
  out.colors = (no_color == nullptr || *no_color == '\0') && (kind == nullptr || std::string_view(kind) != "dumb");
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0) {
    out.width = size.ws_col;
    out.height = size.ws_row;
  }
  return out;
}

std::string terminal::paint(std::string_view text, style how) const {
  constexpr std::array<std::string_view, 6> codes{"", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m"};
  if (!colors || how == style::plain || text.empty()) return std::string(text);
  return std::string(codes[static_cast<std::size_t>(how)]).append(text).append("\x1b[0m");
}

style style_of_health(std::string_view health) noexcept {
  if (health == "healthy") return style::green;
  if (health == "degraded") return style::yellow;
  return health == "unhealthy" ? style::red : style::dim;
}

std::size_t display_width(std::string_view text) noexcept {
  std::size_t width = 0;
  while (!text.empty()) {
    const auto next = first_character(text);
    width += width_of(next.point);
    text.remove_prefix(next.length);
  }
  return width;
}

std::string fit(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  std::size_t used = 0;
  std::string out;
  while (!text.empty()) {
    const auto next = first_character(text);
    if (used + width_of(next.point) + 1 > width) break;
    used += width_of(next.point);
    out.append(text.substr(0, next.length));
    text.remove_prefix(next.length);
  }
  return out.append("…");
}

std::string printable(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto next = first_character(text);
    const char32_t point = next.point;
    if (point == '\n') {
      out += "\\n";
    } else if (point == '\t') {
      out += "\\t";
    } else if (point == '\r') {
      out += "\\r";
    } else if (point < 0x20 || (point >= 0x7F && point < 0xA0)) {
      out.append("\\x").append(1, digits[point >> 4]).append(1, digits[point & 15]);
    } else {
      out.append(next.valid ? text.substr(0, next.length) : utf8_replacement);
    }
    text.remove_prefix(next.length);
  }
  return out;
}

}  // namespace polypool::cli
