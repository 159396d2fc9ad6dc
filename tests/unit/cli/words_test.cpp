// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.hpp"
#include "cli/parameters.hpp"
#include "cli/row_writers.hpp"
#include "cli/spelling.hpp"
#include "cli/table.hpp"
#include "cli/terminal.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <sstream>

namespace polypool::cli {
namespace {

TEST(terminal_text, width_counts_columns_not_bytes) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("Jürgen"), 6U);
  EXPECT_EQ(display_width("山田"), 4U);
  EXPECT_EQ(display_width("e\u0301"), 1U);  // a combining accent
  EXPECT_EQ(display_width("😀"), 2U);
}

TEST(terminal_text, fit_cuts_between_letters) {
  EXPECT_EQ(fit("short", 5), "short");
  EXPECT_EQ(fit("longer", 5), "long…");
  EXPECT_EQ(fit("山田太郎", 5), "山田…");
  EXPECT_EQ(fit("山田太郎", 4), "山…");
}

TEST(terminal_text, nothing_that_steers_a_terminal_gets_through) {
  EXPECT_EQ(printable("a\nb\tc\r"), "a\\nb\\tc\\r");
  EXPECT_EQ(printable("\x1b[31m"), "\\x1b[31m");
  EXPECT_EQ(printable("\u009b"), "\\x9b");  // the one-character form of ESC [
  EXPECT_EQ(printable("\xff\xc0\xaf"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(to_valid_utf8("ok\n\xed\xa0\x80"), "ok\n\uFFFD\uFFFD\uFFFD");  // a lone surrogate
}

TEST(table_on_a_terminal, widest_columns_give_way) {
  table rows({{"A"}, {"B"}});
  rows.add({{"short"}, {std::string(100, 'x')}});
  std::ostringstream out;
  rows.print(out, {.colors = false, .width = 20});
  EXPECT_EQ(out.str(), "A      B\nshort  " + std::string(12, 'x') + "…\n");
}

TEST(table_in_parts, the_first_rows_decide_on_the_widths) {
  const terminal pipe;
  const terminal narrow{.colors = false, .width = 8};
  for (const bool cut : {false, true}) {
    table rows({{"A"}, {"B", true}});
    std::ostringstream out;
    rows.add({{"one"}, {"1"}});
    rows.print_part(out, cut ? narrow : pipe);
    rows.add({{"longer"}, {"22"}});
    rows.print_part(out, cut ? narrow : pipe);
    rows.print_part(out, cut ? narrow : pipe);
    EXPECT_EQ(out.str(), cut ? "A    B\none  1\nlo…  …\n" : "A    B\none  1\nlonger  22\n");
  }
}

TEST(table_on_a_terminal, colours_take_no_room) {
  table rows({{"A"}, {"B"}});
  rows.add({{"x", style::red}, {"y"}});
  std::ostringstream out;
  rows.print(out, {.colors = true, .width = 0});
  EXPECT_EQ(out.str(), "\x1b[1mA\x1b[0m  \x1b[1mB\x1b[0m\n\x1b[31mx\x1b[0m  y\n");
}

TEST(json_values, numbers_are_numbers_where_they_are_exact) {
  EXPECT_EQ(to_json(field::integer(-7)), "-7");
  EXPECT_EQ(to_json(field::unsigned_integer(std::numeric_limits<std::uint64_t>::max())), "18446744073709551615");
  EXPECT_EQ(to_json(field::text(data_type::numeric, "12.50")), "12.50");
  EXPECT_EQ(to_json(field::text(data_type::numeric, "12345678901234.56")), "\"12345678901234.56\"");
  EXPECT_EQ(to_json(field::text(data_type::numeric, "NaN")), "\"NaN\"");
  EXPECT_EQ(to_json(field::real(std::numeric_limits<double>::infinity())).front(), '"');
  EXPECT_EQ(to_json(field::real(9.5)), "9.5");
  EXPECT_EQ(to_json(field::real(-12)), "-12");
  EXPECT_EQ(to_json(field::null()), "null");
}

TEST(json_values, text_is_always_valid) {
  EXPECT_EQ(to_json(field::text(data_type::text, "a\"\n\xff")), "\"a\\\"\\n\uFFFD\"");
  EXPECT_EQ(to_json(field::text(data_type::json, R"({"a": 1})")), R"({"a": 1})");
  EXPECT_EQ(to_json(field::text(data_type::json, R"({"a": )")), R"("{\"a\": ")");
  EXPECT_EQ(to_json(field::text(data_type::json, "nope")), R"("nope")");
  EXPECT_EQ(to_json(field::text(data_type::json, "")), R"("")");
  EXPECT_EQ(to_json(field::text(data_type::json, "1 2")), R"("1 2")");
}

TEST(json_values, what_counts_as_an_exact_number) {
  for (const char* yes : {"0", "-1", "0.5", "-0.25", "123456789012345", "1.00"})
    EXPECT_TRUE(exact_json_number(yes)) << yes;
  for (const char* no : {"", "-", "01", ".5", "5.", "1e3", "+1", "1234567890123456", "NaN", "1.2.3", "0x1"}) {
    EXPECT_FALSE(exact_json_number(no)) << no;
  }
}

TEST(parameters, are_text_unless_the_database_has_untyped_ones) {
  const std::vector<std::string> words{"42", "-1", "0.5", "007", "-", "99999999999999999999", "NULL"};
  for (const value& each : read_parameters(words, false, std::nullopt)) {
    EXPECT_TRUE(std::holds_alternative<std::string>(each.data()));
  }
  const auto typed = read_parameters(words, true, "NULL");
  EXPECT_EQ(std::get<std::int64_t>(typed[0].data()), 42);
  EXPECT_EQ(std::get<std::int64_t>(typed[1].data()), -1);
  EXPECT_EQ(std::get<double>(typed[2].data()), 0.5);
  EXPECT_EQ(std::get<std::string>(typed[3].data()), "007");
  EXPECT_EQ(std::get<std::string>(typed[4].data()), "-");
  EXPECT_EQ(std::get<std::string>(typed[5].data()), "99999999999999999999");
  EXPECT_TRUE(typed[6].is_null());
}

TEST(spelling, suggests_what_is_near) {
  constexpr std::array<std::string_view, 4> known{"serve", "query", "list", "health"};
  EXPECT_EQ(nearest("qurey", known), "query");
  EXPECT_EQ(nearest("serv", known), "serve");
  EXPECT_EQ(nearest("helth", known), "health");
  EXPECT_EQ(nearest("frobnicate", known), "");
  EXPECT_EQ(nearest("", known), "");
}

}  // namespace
}  // namespace polypool::cli
