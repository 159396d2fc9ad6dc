// SPDX-License-Identifier: Apache-2.0
// Days and times as TDS counts them, for the test server.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace polypool::test {

/// A time in SQL Server's parts. Ticks are tenths of a microsecond.
struct tds_time {
  std::int32_t days = 0;  ///< since 0001-01-01
  std::uint64_t ticks = 0;
  int offset = 0;  ///< minutes east of UTC
};

inline constexpr std::uint64_t ticks_a_second = 10'000'000;
inline constexpr std::uint64_t ticks_a_day = 86'400 * ticks_a_second;
inline constexpr std::int32_t days_to_1900 = 693'595;

/// From `2024-02-29`, `13:45:00.25`, `2024-02-29 13:45:00.25` with or without an offset. Throws tds_broken.
tds_time parse_time(std::string_view text);
std::string date_text(std::int32_t days);
/// @param scale digits behind the point
std::string time_text(std::uint64_t ticks, int scale);
std::string offset_text(int minutes);

}  // namespace polypool::test
