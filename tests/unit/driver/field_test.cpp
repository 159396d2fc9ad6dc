// SPDX-License-Identifier: Apache-2.0
#include <polypool/result.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

namespace polypool {
namespace {

using testing::HasSubstr;

field text(std::string_view content, data_type type = data_type::text) { return field::text(type, content); }

template <class T>
std::string refusal(const field& value, errc code = errc::type_mismatch) {
  try {
    value.get<T>();
  } catch (const error& problem) {
    EXPECT_EQ(problem.portable_code(), code);
    return problem.what();
  }
  ADD_FAILURE() << value.to_display() << " was accepted";
  return {};
}

TEST(field_bool, takes_its_spellings_only) {
  EXPECT_TRUE(field::integer(1).get<bool>());
  EXPECT_FALSE(field::integer(0, data_type::boolean).get<bool>());
  for (const auto yes : {"t", "true", "TRUE", "1"}) EXPECT_TRUE(text(yes).get<bool>()) << yes;
  for (const auto no : {"f", "false", "False", "0"}) EXPECT_FALSE(text(no).get<bool>()) << no;
  refusal<bool>(field::integer(2));
  refusal<bool>(text("yes"));
  refusal<bool>(field::real(1));
}

TEST(field_integer, is_exact_or_refused) {
  EXPECT_EQ(field::integer(-5).get<std::int64_t>(), -5);
  EXPECT_EQ(text("42").get<int>(), 42);
  EXPECT_EQ(text("42.00", data_type::numeric).get<int>(), 42);
  EXPECT_EQ(field::real(3.0).get<int>(), 3);
  EXPECT_EQ(field::unsigned_integer(UINT64_MAX).get<std::uint64_t>(), UINT64_MAX);
  EXPECT_EQ(text("18446744073709551615").get<std::uint64_t>(), UINT64_MAX);
  EXPECT_EQ(text("-9223372036854775808").get<std::int64_t>(), INT64_MIN);
  refusal<std::int64_t>(field::unsigned_integer(UINT64_MAX));
  refusal<std::uint64_t>(field::integer(-1));
  refusal<int>(field::real(3.5));
  refusal<int>(text("42.00"));
  refusal<int>(text("42 "));
  refusal<int>(text(""));
  refusal<int>(text("42.5", data_type::numeric));
  refusal<std::int64_t>(field::real(0x1p63));
  refusal<std::int64_t>(field::real(NAN));
  refusal<std::int8_t>(field::integer(128));
  refusal<unsigned>(field::integer(1LL << 32));
  EXPECT_EQ(field::integer(127).get<std::int8_t>(), 127);
}

TEST(field_real, refuses_integers_that_lose_digits) {
  EXPECT_EQ(field::integer(1LL << 53).get<double>(), 0x1p53);
  refusal<double>(field::integer((1LL << 53) + 1));
  refusal<double>(field::integer(INT64_MAX));
  refusal<double>(text("9007199254740993", data_type::integer));
  refusal<float>(field::integer((1 << 24) + 1));
  refusal<float>(field::real(1e300));
  EXPECT_EQ(text("0.1").get<double>(), 0.1);
  EXPECT_EQ(text("0.1").get<float>(), 0.1F);
  EXPECT_TRUE(std::isnan(text("NaN").get<double>()));
  EXPECT_EQ(text("-Infinity").get<double>(), -INFINITY);
  EXPECT_EQ(field::real(-INFINITY).get<float>(), -INFINITY);
  refusal<double>(text("1e999"));
  refusal<double>(text("1.5x"));
}

TEST(field_text, comes_from_anything) {
  EXPECT_EQ(field::integer(-7).get<std::string>(), "-7");
  EXPECT_EQ(field::unsigned_integer(UINT64_MAX).get<std::string>(), "18446744073709551615");
  EXPECT_EQ(field::real(0.1).get<std::string>(), "0.1");
  EXPECT_EQ(field::real(INFINITY).get<std::string>(), "Infinity");
  EXPECT_EQ(field::hex_bytes("\\x4a4B").get<std::string>(), "JK");
  EXPECT_EQ(field::raw_bytes(std::string_view("a\0b", 3)).get<std::string>(), std::string("a\0b", 3));
  EXPECT_EQ(text("x").get<std::string_view>(), "x");
  EXPECT_THAT(refusal<std::string_view>(field::integer(1)), HasSubstr("std::string takes it"));
  refusal<std::string_view>(field::hex_bytes("\\x41"));
}

TEST(field_bytes, come_raw_in_hex_or_as_text) {
  const bytes both{std::byte{0x00}, std::byte{0xff}};
  EXPECT_EQ(field::hex_bytes("\\x00fF").get<bytes>(), both);
  EXPECT_EQ(field::raw_bytes(std::string_view("\0\xff", 2)).get<bytes>(), both);
  EXPECT_EQ(field::hex_bytes("\\x").get<bytes>(), bytes{});
  EXPECT_EQ(text("A").get<bytes>(), bytes{std::byte{'A'}});
  for (const auto bad : {"", "\\x0", "\\xg0", "00"}) refusal<bytes>(field::hex_bytes(bad));
  refusal<bytes>(field::integer(1));
  refusal<bytes>(text("2024-01-01", data_type::date));
}

TEST(field_numeric, stays_exact) {
  EXPECT_EQ(text("-12.50").get<numeric>().text, "-12.50");
  EXPECT_EQ(text("1e-7").get<numeric>().text, "1e-7");
  EXPECT_EQ(text("NaN").get<numeric>().text, "NaN");
  EXPECT_EQ(field::integer(3).get<numeric>().text, "3");
  EXPECT_EQ(field::real(12.34).get<numeric>().text, "12.34");
  EXPECT_EQ(field::real(0x1p53).get<numeric>().text, "9007199254740992");
  refusal<numeric>(field::real(0.1 + 0.2));  // 0.30000000000000004
  refusal<numeric>(field::real(0x1p70));
  for (const auto bad : {"", ".", "-", "1e", "1.2.3", "0x10", "12 "}) refusal<numeric>(text(bad));
}

TEST(field_time, says_what_does_not_fit) {
  using namespace std::chrono;
  EXPECT_EQ(text("2024-02-29").get<date>(), sys_days{year{2024} / 2 / 29});
  EXPECT_EQ(text("2024-02-29 00:00:00").get<date>(), sys_days{year{2024} / 2 / 29});
  EXPECT_EQ(text("2024-02-29").get<timestamp>(), local_days{year{2024} / 2 / 29});
  refusal<date>(text("2024-02-29 00:00:01"));
  refusal<date>(text("2023-02-29"));
  for (const auto beyond : {"infinity", "-infinity", "0044-03-15 BC", "12024-01-01"}) {
    EXPECT_THAT(refusal<date>(text(beyond, data_type::date)), HasSubstr("years 0000 to 9999")) << beyond;
    EXPECT_THAT(refusal<timestamp>(text(beyond)), HasSubstr("years 0000 to 9999")) << beyond;
    EXPECT_THAT(refusal<timestamp_tz>(text(beyond)), HasSubstr("years 0000 to 9999")) << beyond;
  }
  EXPECT_THAT(refusal<timestamp>(text("2024-01-01 00:00:00+00")), HasSubstr("no time zone"));
  EXPECT_THAT(refusal<timestamp_tz>(text("2024-01-01 00:00:00")), HasSubstr("no time zone"));
  refusal<time_of_day>(field::integer(5));
}

TEST(field_uuid, comes_as_text_or_sixteen_bytes) {
  const auto id = text("00112233-4455-6677-8899-aabbccddeeff").get<uuid>();
  const std::string raw = text("A").get<std::string>() + std::string(15, 'x');
  EXPECT_EQ(id.bytes[15], 0xff);
  EXPECT_EQ(field::raw_bytes(raw).get<uuid>().bytes[0], 'A');
  EXPECT_EQ(field::hex_bytes("\\x00112233445566778899aabbccddeeff").get<uuid>(), id);
  refusal<uuid>(field::raw_bytes("short"));
  refusal<uuid>(text("00112233-4455"));
}

TEST(field_null, needs_an_optional_or_a_fallback) {
  EXPECT_EQ(field::null().get<std::optional<int>>(), std::nullopt);
  EXPECT_EQ(field::integer(4).get<std::optional<int>>(), 4);
  EXPECT_EQ(field::null().get_or(9), 9);
  EXPECT_EQ(field::null().to_display(), "NULL");
  EXPECT_THAT(refusal<int>(field::null(), errc::null_value), HasSubstr("std::optional"));
  refusal<bool>(field::null(), errc::null_value);
  refusal<double>(field::null(), errc::null_value);
  refusal<float>(field::null(), errc::null_value);
  refusal<std::string>(field::null(), errc::null_value);
  refusal<std::string_view>(field::null(), errc::null_value);
  refusal<bytes>(field::null(), errc::null_value);
  refusal<numeric>(field::null(), errc::null_value);
  refusal<date>(field::null(), errc::null_value);
  refusal<time_of_day>(field::null(), errc::null_value);
  refusal<timestamp>(field::null(), errc::null_value);
  refusal<timestamp_tz>(field::null(), errc::null_value);
  refusal<uuid>(field::null(), errc::null_value);
  refusal<json_text>(field::null(), errc::null_value);
}

TEST(field_errors, name_both_types_and_cut_the_value) {
  const std::string long_text = std::string(59, 'a') + "ü" + std::string(1000, 'b');
  const auto what = refusal<int>(text(long_text));
  EXPECT_THAT(what, HasSubstr("type text"));
  EXPECT_THAT(what, HasSubstr("integer"));
  EXPECT_THAT(what, HasSubstr("'" + std::string(59, 'a') + "…'"));
  EXPECT_THAT(what, testing::Not(HasSubstr("bbb")));
  EXPECT_THAT(refusal<int>(field::raw_bytes("secret!")),
              testing::AllOf(HasSubstr("7 bytes"), testing::Not(HasSubstr("secret"))));
}

TEST(field_display, is_readable) {
  EXPECT_EQ(field::raw_bytes("\x01z").to_display(), "\\x017a");
  EXPECT_EQ(field::hex_bytes("\\x017a").to_display(), "\\x017a");
  EXPECT_EQ(text("2024-01-01", data_type::date).to_display(), "2024-01-01");
  EXPECT_EQ(field::real(2.5).to_display(), "2.5");
}

TEST(field_property, numbers_survive_text) {
  std::mt19937_64 random(20240229);
  for (int i = 0; i < 100'000; ++i) {
    const auto bits = random() >> (random() % 64);
    const auto number = static_cast<std::int64_t>(bits);
    ASSERT_EQ(text(field::integer(number).get<std::string>()).get<std::int64_t>(), number);
    ASSERT_EQ(text(field::unsigned_integer(bits).get<std::string>()).get<std::uint64_t>(), bits);
    double real = 0;
    std::memcpy(&real, &bits, sizeof real);
    if (std::isnan(real)) continue;
    const auto written = field::real(real).get<std::string>();
    ASSERT_EQ(text(written).get<double>(), real) << written;
    ASSERT_EQ(text(written).get<numeric>().text, written);
  }
}

TEST(field_property, decimals_of_fifteen_digits_survive_a_double) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 100'000; ++i) {
    std::string written = std::to_string(random() % 999'999'999'999'999 + 1);
    while (written.size() > 1 && written.back() == '0') written.pop_back();
    if (written.size() > 1) written.insert(1 + random() % (written.size() - 1), ".");
    ASSERT_EQ(text(field::real(text(written).get<double>()).get<numeric>().text).get<double>(),
              text(written).get<double>());
    if (written.contains('.')) {
      ASSERT_EQ(field::real(text(written).get<double>()).get<std::string>(), written);
    }
  }
}

TEST(field_property, bytes_survive_hexadecimal) {
  std::mt19937 random(1);
  for (int i = 0; i < 2'000; ++i) {
    std::string raw(random() % 64, '\0');
    for (char& c : raw) c = static_cast<char>(random());
    const auto hex = field::raw_bytes(raw).to_display();
    ASSERT_EQ(field::hex_bytes(hex).get<bytes>(), field::raw_bytes(raw).get<bytes>());
    ASSERT_EQ(field::hex_bytes(hex).get<std::string>(), raw);
  }
}

}  // namespace
}  // namespace polypool
