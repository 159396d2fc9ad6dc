// SPDX-License-Identifier: Apache-2.0
#include "telemetry/escape.hpp"

#include "base/utf8.hpp"

namespace polypool::telemetry {
namespace {

void append_escape(std::string& out, char32_t point) {
  constexpr std::string_view digits = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += digits[(point >> shift) & 0xf];
}

// Also false for what hides or reorders text in a terminal: C1 controls, line separators, bidirectional overrides.
bool harmless(char32_t c) noexcept {
  if (c < 0x20 || (c >= 0x7f && c < 0xa0)) return false;
  return !(c == 0x2028 || c == 0x2029 || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069));
}

bool append_short_escape(std::string& out, char32_t c) {
  switch (c) {
    case '\n':
      out += "\\n";
      return true;
    case '\r':
      out += "\\r";
      return true;
    case '\t':
      out += "\\t";
      return true;
    default:
      return false;
  }
}

}  // namespace

void append_escaped(std::string& out, std::string_view text, bool quoted) {
  while (!text.empty()) {
    const auto next = first_character(text);
    if (!next.valid) {
      out += utf8_replacement;
    } else if (quoted && (next.point == '"' || next.point == '\\')) {
      out += '\\';
      out += static_cast<char>(next.point);
    } else if (!append_short_escape(out, next.point)) {
      if (harmless(next.point)) {
        out += text.substr(0, next.length);
      } else {
        append_escape(out, next.point);
      }
    }
    text.remove_prefix(next.length);
  }
}

}  // namespace polypool::telemetry
