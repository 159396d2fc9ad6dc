// SPDX-License-Identifier: Apache-2.0
// Numbers, GUIDs and the names of types as TDS writes them, for the test server.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace polypool::test {

__extension__ using wide_integer = unsigned __int128;

inline constexpr std::string_view collation("\x09\x04\xd0\x00\x34", 5);
inline constexpr std::uint64_t plp_null = 0xFFFFFFFFFFFFFFFF;
inline constexpr std::uint64_t plp_unknown = 0xFFFFFFFFFFFFFFFE;

enum tds_token : std::uint8_t {
  guid_token = 0x24,
  intn = 0x26,
  daten = 0x28,
  timen = 0x29,
  datetime2n = 0x2A,
  datetimeoffsetn = 0x2B,
  int1 = 0x30,
  bit_token = 0x32,
  int2 = 0x34,
  int4 = 0x38,
  flt4 = 0x3B,
  flt8 = 0x3E,
  ntext = 0x63,
  bitn = 0x68,
  decimaln = 0x6A,
  numericn = 0x6C,
  fltn = 0x6D,
  moneyn = 0x6E,
  datetimn = 0x6F,
  int8 = 0x7F,
  image = 0x22,
  text_token = 0x23,
  bigvarbinary = 0xA5,
  bigvarchar = 0xA7,
  bigbinary = 0xAD,
  bigchar = 0xAF,
  nvarchar = 0xE7,
  nchar = 0xEF,
  xml_token = 0xF1,
};

std::size_t time_size(int scale);
std::uint64_t time_unit(int scale);

struct decimal_parts {
  bool negative = false;
  wide_integer magnitude = 0;
};

// The digits of a decimal text as one number with so many of them behind the point.
decimal_parts decimal_of(std::string_view text, int scale);
std::string decimal_text(const decimal_parts& parts, int scale);

std::string guid_bytes(std::string_view text);
std::string guid_text(std::string_view data);

}  // namespace polypool::test
