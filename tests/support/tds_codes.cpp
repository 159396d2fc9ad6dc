// SPDX-License-Identifier: Apache-2.0
#include "support/tds_codes.hpp"

#include "support/tds_wire.hpp"

#include <algorithm>
#include <cstdio>

namespace polypool::test {
namespace {

// A GUID's first three groups are little-endian.
constexpr std::array<std::size_t, 16> guid_order{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

}  // namespace

std::size_t time_size(int scale) { return scale <= 2 ? 3 : scale <= 4 ? 4 : 5; }
std::uint64_t time_unit(int scale) {
  std::uint64_t out = 1;
  for (int i = scale; i < 7; ++i) out *= 10;
  return out;
}

decimal_parts decimal_of(std::string_view text, int scale) {
  decimal_parts out;
  int behind = -1;
  for (const char c : text) {
    if (c == '-') out.negative = true;
    if (c == '.') behind = 0;
    if (c < '0' || c > '9' || behind == scale) continue;
    out.magnitude = out.magnitude * 10 + static_cast<unsigned>(c - '0');
    if (behind >= 0) ++behind;
  }
  for (behind = std::max(behind, 0); behind < scale; ++behind) out.magnitude *= 10;
  return out;
}

std::string decimal_text(const decimal_parts& parts, int scale) {
  std::string digits;
  for (auto rest = parts.magnitude; rest != 0 || digits.size() <= static_cast<std::size_t>(scale); rest /= 10) {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(rest % 10)));
  }
  if (scale > 0) digits.insert(digits.size() - static_cast<std::size_t>(scale), ".");
  return (parts.negative && parts.magnitude != 0 ? "-" : "") + digits;
}

std::string guid_bytes(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    if (text[i] == '-' || text[i] == '{') ++i;
    plain.push_back(static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  }
  if (plain.size() != 16) throw tds_broken("no uniqueidentifier: " + std::string(text));
  std::string out(16, '\0');
  for (std::size_t i = 0; i < 16; ++i) out[i] = plain[guid_order[i]];
  return out;
}
std::string guid_text(std::string_view data) {
  std::string out;
  for (std::size_t i = 0; i < 16; ++i) {
    std::array<char, 4> two{};
    std::snprintf(two.data(), two.size(), "%02x", static_cast<unsigned char>(data[guid_order[i]]));
    out += two.data();
    if (i == 3 || i == 5 || i == 7 || i == 9) out += '-';
  }
  return out;
}

}  // namespace polypool::test
