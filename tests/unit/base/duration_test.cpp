// SPDX-License-Identifier: Apache-2.0
#include <polypool/duration.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <string>

namespace polypool {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

TEST(ParseDuration, ReadsWhatPeopleWrite) {
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("30s"), 30s);
  EXPECT_EQ(parse_duration("1h30m"), 90min);
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("2d"), 48h);
  EXPECT_EQ(parse_duration("7us"), 7us);
  EXPECT_EQ(parse_duration("7µs"), 7us);  // U+00B5
  EXPECT_EQ(parse_duration("7μs"), 7us);  // U+03BC
  EXPECT_EQ(parse_duration("1ns"), 1ns);
  EXPECT_EQ(parse_duration("0.1h"), 6min);
  EXPECT_EQ(parse_duration("0"), 0ns);
  EXPECT_EQ(parse_duration("0s"), 0ns);
  EXPECT_EQ(parse_duration("0.333333333s"), 333333333ns);
}

TEST(ParseDuration, RefusesWhatIsNone) {
  for (const char* text : {"",
                           " ",
                           "30",
                           "30.",
                           "1.s",
                           ".5s",
                           "s",
                           "-1s",
                           "+1s",
                           "1 s",
                           "1x",
                           "1sx",
                           "1h 30m",
                           "5S",
                           "abc",
                           "1e3s",
                           "0x1s",
                           "00",
                           "1.5ns",
                           "0.0000000001s",
                           "9223372036854775808ns",
                           "106752d",
                           "9223372036s999999999ns",
                           "99999999999999999999s",
                           "1s\n",
                           "µ",
                           "1µ"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << "'" << text << "'";
  }
}

TEST(ParseDuration, GoesToTheEdge) {
  EXPECT_EQ(parse_duration("9223372036854775807ns"), nanoseconds::max());
  EXPECT_EQ(parse_duration("106751d"), 106751 * 24h);
}

TEST(FormatDuration, IsExact) {
  EXPECT_EQ(format_duration(0ns), "0s");
  EXPECT_EQ(format_duration(90s), "1m30s");
  EXPECT_EQ(format_duration(250ms), "250ms");
  EXPECT_EQ(format_duration(1500ms), "1s500ms");
  EXPECT_EQ(format_duration(36h), "36h");
  EXPECT_EQ(format_duration(1ns), "1ns");
  EXPECT_EQ(format_duration(-90s), "-1m30s");
  EXPECT_EQ(format_duration(nanoseconds::min()), "-2562047h47m16s854ms775us808ns");
}

TEST(FormatDuration, IsReadBackUnchanged) {
  std::mt19937_64 random(20240607);
  for (int i = 0; i < 20000; ++i) {
    // All magnitudes alike: a uniform number would be large nearly always.
    const auto value = nanoseconds(static_cast<std::int64_t>(random() >> (1 + random() % 63)));
    const auto text = format_duration(value);
    ASSERT_EQ(parse_duration(text), value) << text;
  }
}

TEST(FormatDurationShort, HasThreeDigits) {
  EXPECT_EQ(format_duration_short(1250us), "1.25ms");
  EXPECT_EQ(format_duration_short(3200ms), "3.2s");
  EXPECT_EQ(format_duration_short(0ns), "0s");
  EXPECT_EQ(format_duration_short(17ns), "17ns");
  EXPECT_EQ(format_duration_short(123456ns), "123us");
  EXPECT_EQ(format_duration_short(12345us), "12.3ms");
  EXPECT_EQ(format_duration_short(999999us), "1s");
  EXPECT_EQ(format_duration_short(59999ms), "1m");
  EXPECT_EQ(format_duration_short(90s), "1.5m");
  EXPECT_EQ(format_duration_short(90min), "1.5h");
  EXPECT_EQ(format_duration_short(240h), "10d");
  EXPECT_EQ(format_duration_short(100s), "1.67m");
  EXPECT_EQ(format_duration_short(-1500ms), "-1.5s");
}

}  // namespace
}  // namespace polypool
