// SPDX-License-Identifier: Apache-2.0
// Values as MySQL's binary protocol writes them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace polypool::mysql {

/// The length that stands before a value, in one to nine bytes; moves past it. A length that is none, or is not all
/// there, comes out larger than any buffer.
std::size_t read_length(unsigned char*& at, const unsigned char* end) noexcept;

/// Little-endian numbers of one to eight bytes.
std::uint64_t read_unsigned(std::string_view data) noexcept;
std::int64_t read_signed(std::string_view data) noexcept;
template <class Number>
Number read_number(std::string_view data) noexcept {
  Number out;
  std::memcpy(&out, data.data(), sizeof out);
  return out;
}

/// A FLOAT as the double that prints the same: 0.1, not 0.10000000149011612.
double widened(float number) noexcept;

/// Dates and times in the text form that all databases share (see value.hpp). MySQL's zero dates come as
/// `0000-00-00`, its times beyond a day as `-838:59:59`. Anything that is not all there counts as zero.
using time_buffer = std::span<char, 40>;
std::string_view date_text(std::string_view data, time_buffer buffer) noexcept;
std::string_view time_text(std::string_view data, time_buffer buffer) noexcept;
/// @param zoned with `+00` behind it
std::string_view moment_text(std::string_view data, bool zoned, time_buffer buffer) noexcept;

/// `12:00:00.250000` without the last zeros, and without a point that nothing follows.
std::string_view without_zeros(std::string_view time) noexcept;

}  // namespace polypool::mysql
