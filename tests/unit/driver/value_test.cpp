// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.hpp"

#include <polypool/error.hpp>
#include <polypool/value.hpp>

#include <gtest/gtest.h>

#include <random>

namespace polypool {
namespace {

using namespace std::chrono;
using namespace std::chrono_literals;

TEST(value, takes_what_has_a_counterpart) {
  EXPECT_TRUE(value().is_null());
  EXPECT_TRUE(value(nullptr).is_null());
  EXPECT_TRUE(value(std::nullopt).is_null());
  EXPECT_TRUE(value(std::optional<int>()).is_null());
  EXPECT_TRUE(std::holds_alternative<std::int64_t>(value(std::optional<int>(1)).data()));
  EXPECT_TRUE(std::holds_alternative<bool>(value(true).data()));
  EXPECT_TRUE(std::holds_alternative<std::uint64_t>(value(1U).data()));
  EXPECT_TRUE(std::holds_alternative<std::string>(value("text").data()));
  EXPECT_TRUE(std::holds_alternative<timestamp_tz>(value(system_clock::now()).data()));
}

TEST(uuid, reads_the_usual_forms) {
  const std::string canonical = "0123abcd-4567-89ef-0011-223344556677";
  const auto id = uuid::parse(canonical);
  ASSERT_TRUE(id);
  EXPECT_EQ(id->to_string(), canonical);
  for (const auto form : {"0123ABCD-4567-89EF-0011-223344556677", "{0123abcd-4567-89ef-0011-223344556677}",
                          "0123abcd456789ef0011223344556677", "{0123abcd456789ef0011223344556677}"}) {
    EXPECT_EQ(uuid::parse(form), id) << form;
  }
  for (const auto bad : {"", "{}", "0123abcd-4567-89ef-0011-22334455667", "0123abcd-4567-89ef-0011-2233445566777",
                         "0123abcd-4567-89ef-00112-23344556677", "g123abcd456789ef0011223344556677",
                         "{0123abcd-4567-89ef-0011-223344556677", "0123abcd4567-89ef-0011-223344556677----"}) {
    EXPECT_FALSE(uuid::parse(bad)) << bad;
  }
}

TEST(data_type, has_a_name_each) {
  EXPECT_EQ(to_string(data_type::timestamp_tz), "timestamp_tz");
  for (int i = 0; i <= static_cast<int>(data_type::other); ++i) {
    EXPECT_NE(to_string(static_cast<data_type>(i)), "unknown") << i;
  }
}

TEST(time_text, is_written_as_databases_write_it) {
  EXPECT_EQ(to_text(date{year{2024} / 2 / 29}), "2024-02-29");
  EXPECT_EQ(to_text(time_of_day{13h + 45min + 250ms}), "13:45:00.25");
  EXPECT_EQ(to_text(time_of_day{1us}), "00:00:00.000001");
  EXPECT_EQ(to_text(time_of_day{24h}), "24:00:00");
  EXPECT_EQ(to_text(timestamp{local_days{year{2024} / 2 / 29} + 13h}), "2024-02-29 13:00:00");
  EXPECT_EQ(to_text(timestamp_tz{sys_days{year{1969} / 12 / 31} + 23h + 500ms}), "1969-12-31 23:00:00.5+00");
  EXPECT_EQ(to_text(date{year{0} / 1 / 1}), "0000-01-01");
}

TEST(time_text, refuses_what_could_not_be_read_back) {
  EXPECT_THROW(to_text(date{year{10000} / 1 / 1}), error);
  EXPECT_THROW(to_text(date{year{-1} / 12 / 31}), error);
  EXPECT_THROW(to_text(date::max()), error);
  EXPECT_THROW(to_text(timestamp::min()), error);
  EXPECT_THROW(to_text(timestamp_tz::max()), error);
  EXPECT_THROW(to_text(time_of_day{-1us}), error);
  EXPECT_THROW(to_text(time_of_day{24h + 1us}), error);
}

TEST(time_text, reads_offsets_and_other_spellings) {
  const timestamp_tz noon{sys_days{year{2024} / 1 / 1} + 12h};
  for (const auto form : {"2024-01-01 12:00:00+00", "2024-01-01T12:00:00Z", "2024-01-01t12:00z",
                          "2024-01-01 17:30:00+05:30", "2024-01-01 17:30:00.000+0530", "2023-12-31 20:30:00-15:30",
                          "2024-01-01 12:53:28+00:53:28", "2024-01-01 12:00:00.000000000Z"}) {
    EXPECT_EQ(parse_timestamp_tz(form), noon) << form;
  }
  EXPECT_EQ(parse_timestamp("2024-01-01T00:00"), timestamp{local_days{year{2024} / 1 / 1}});
  EXPECT_EQ(parse_time_of_day("24:00:00"), 24h);
}

TEST(time_text, reads_nothing_else) {
  for (const auto bad : {"", "2024", "2024-1-01", "2024-13-01", "2024-02-30", "2024-00-10", "2024-01-01 ",
                         " 2024-01-01", "20240101", "-2024-01-01", "infinity", "0044-03-15 BC"}) {
    EXPECT_FALSE(parse_date(bad)) << bad;
  }
  for (const auto bad :
       {"", "24:00:01", "12:60", "12:00:60", "12", "12:00:00.", "1:00", "12:00:00.1234567", "12:00:00 "}) {
    EXPECT_FALSE(parse_time_of_day(bad)) << bad;
  }
  for (const auto bad : {"2024-01-01", "2024-01-01 12:00:00Z", "2024-01-01x12:00", "2024-01-01 ", "9999-12-31 24:00"}) {
    EXPECT_FALSE(parse_timestamp(bad)) << bad;
  }
  for (const auto bad :
       {"2024-01-01 12:00:00", "2024-01-01 12:00:00+", "2024-01-01 12:00:00+5",
        "2024-01-01 12:00:00+05:", "2024-01-01 12:00:00 Z", "0000-01-01 00:00:00+01", "9999-12-31 23:59:59-01"}) {
    EXPECT_FALSE(parse_timestamp_tz(bad)) << bad;
  }
}

TEST(time_text, survives_the_way_there_and_back) {
  std::mt19937_64 random(42);
  const auto first = sys_time<microseconds>{sys_days{year{0} / 1 / 1}}.time_since_epoch().count();
  const auto last = sys_time<microseconds>{sys_days{year{10000} / 1 / 1}}.time_since_epoch().count() - 1;
  std::uniform_int_distribution<std::int64_t> moments(first, last);
  for (int i = 0; i < 100'000; ++i) {
    auto micros = moments(random);
    if (i % 3 == 0) micros -= micros % 1'000;  // whole milliseconds are common
    const timestamp_tz moment{microseconds{micros}};
    const timestamp reading{microseconds{micros}};
    const auto day = floor<days>(moment);
    ASSERT_EQ(parse_timestamp_tz(to_text(moment)), moment);
    ASSERT_EQ(parse_timestamp(to_text(reading)), reading);
    ASSERT_EQ(parse_date(to_text(day)), day);
    ASSERT_EQ(parse_time_of_day(to_text(time_of_day{moment - day})), moment - day);
  }
}

TEST(time_text, never_crashes_on_garbage) {
  std::mt19937 random(3);
  const std::string alphabet = "0123456789-:.+TZ ";
  for (int i = 0; i < 200'000; ++i) {
    std::string garbage = i % 2 == 0 ? "2024-01-01 12:00:00.5+01" : std::string(random() % 30, '0');
    for (std::size_t n = random() % 4; n > 0 && !garbage.empty(); --n) {
      garbage[random() % garbage.size()] = alphabet[random() % alphabet.size()];
    }
    if (const auto moment = parse_timestamp_tz(garbage)) {
      ASSERT_EQ(parse_timestamp_tz(to_text(*moment)), moment);
    }
    if (const auto day = parse_date(garbage)) {
      ASSERT_EQ(to_text(*day), garbage);
    }
  }
}

TEST(utf8, knows_valid_from_invalid) {
  for (const auto good : {"", "plain", "grüße", "漢字", "😀", "\x7f", "\xEF\xBF\xBD", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_valid_utf8(good)) << good;
  }
  EXPECT_TRUE(is_valid_utf8(std::string_view("a\0b", 3)));
  for (const auto bad : {"\x80", "\xC0\x80", "\xC3", "abcdefgh\xff", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
                         "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82"}) {
    EXPECT_FALSE(is_valid_utf8(bad)) << bad;
  }
}

}  // namespace
}  // namespace polypool
