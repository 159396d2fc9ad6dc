// SPDX-License-Identifier: Apache-2.0
#include "drivers/odbc/unicode.hpp"

#include "base/utf8.hpp"

#include <algorithm>
#include <cstdint>

namespace polypool::odbc {
namespace {

constexpr bool is_high(SQLWCHAR unit) noexcept { return (unit & 0xFC00U) == 0xD800U; }
constexpr bool is_low(SQLWCHAR unit) noexcept { return (unit & 0xFC00U) == 0xDC00U; }

void append_point(wide_text& out, char32_t point) {
  if (point < 0x10000) {
    out.push_back(static_cast<SQLWCHAR>(point));
    return;
  }
  point -= 0x10000;
  out.push_back(static_cast<SQLWCHAR>(0xD800U | (point >> 10)));
  out.push_back(static_cast<SQLWCHAR>(0xDC00U | (point & 0x3FFU)));
}

void append_point(std::string& out, char32_t point) {
  const auto tail = [&](int shift) { out.push_back(static_cast<char>(0x80U | ((point >> shift) & 0x3FU))); };
  if (point < 0x80) {
    out.push_back(static_cast<char>(point));
  } else if (point < 0x800) {
    out.push_back(static_cast<char>(0xC0U | (point >> 6)));
    tail(0);
  } else if (point < 0x10000) {
    out.push_back(static_cast<char>(0xE0U | (point >> 12)));
    tail(6);
    tail(0);
  } else {
    out.push_back(static_cast<char>(0xF0U | (point >> 18)));
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace

bool append_utf16(wide_text& out, std::string_view text) {
  out.reserve(out.size() + text.size());
  while (!text.empty()) {
    if (static_cast<unsigned char>(text.front()) < 0x80) {
      out.push_back(static_cast<SQLWCHAR>(text.front()));
      text.remove_prefix(1);
      continue;
    }
    const auto next = first_character(text);
    if (!next.valid) return false;
    append_point(out, next.point);
    text.remove_prefix(next.length);
  }
  return true;
}

wide_text to_wide(std::string_view text) {
  wide_text out;
  if (!append_utf16(out, text)) {
    out.clear();
    append_utf16(out, to_valid_utf8(text));
  }
  out.push_back(0);
  return out;
}

void utf16_decoder::append(std::string& out, std::span<const SQLWCHAR> piece) {
  if (high_ == 0) {  // most text is nothing but ASCII
    const auto other = std::ranges::find_if(piece, [](SQLWCHAR unit) { return unit >= 0x80; });
    const auto plain = static_cast<std::size_t>(other - piece.begin());
    const std::size_t before = out.size();
    out.resize(before + plain);
    std::ranges::transform(piece.first(plain), out.begin() + static_cast<std::ptrdiff_t>(before),
                           [](SQLWCHAR unit) { return static_cast<char>(unit); });
    piece = piece.subspan(plain);
  }
  for (const SQLWCHAR unit : piece) {
    if (unit < 0x80 && high_ == 0) [[likely]] {
      out.push_back(static_cast<char>(unit));
      continue;
    }
    if (high_ != 0 && is_low(unit)) {
      append_point(out, 0x10000U + ((high_ & 0x3FFU) << 10) + (unit & 0x3FFU));
      high_ = 0;
      continue;
    }
    finish(out);
    if (is_high(unit)) {
      high_ = unit;
    } else {
      append_point(out, is_low(unit) ? char32_t{0xFFFD} : char32_t{unit});
    }
  }
}

void utf16_decoder::finish(std::string& out) {
  if (high_ != 0) append_point(out, 0xFFFD);
  high_ = 0;
}

std::string to_utf8(std::span<const SQLWCHAR> text) {
  std::string out;
  out.reserve(text.size());
  utf16_decoder decoder;
  decoder.append(out, text);
  decoder.finish(out);
  return out;
}

}  // namespace polypool::odbc
