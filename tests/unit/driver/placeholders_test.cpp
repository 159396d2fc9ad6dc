// SPDX-License-Identifier: Apache-2.0
#include "driver/placeholders.hpp"

#include "support/caught.hpp"

#include <polypool/error.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace polypool {
namespace {

using indexes = std::vector<std::uint16_t>;

using test::caught;

TEST(placeholders, become_question_marks) {
  const auto out = rewrite_placeholders("SELECT $1, $2 WHERE a=$3", mysql_dialect);
  EXPECT_EQ(out.text, "SELECT ?, ? WHERE a=?");
  EXPECT_EQ(out.values, (indexes{0, 1, 2}));
  EXPECT_EQ(out.expected, 3U);
}

TEST(placeholders, repeat_and_come_out_of_order) {
  const auto out = rewrite_placeholders("SELECT $2, $1, $2, $10", mysql_dialect);
  EXPECT_EQ(out.text, "SELECT ?, ?, ?, ?");
  EXPECT_EQ(out.values, (indexes{1, 0, 1, 9}));
  EXPECT_EQ(out.expected, 10U);
}

TEST(placeholders, none_leaves_the_text_alone) {
  for (const std::string text : {"", "SELECT 1", "'$1' \"$1\" `$1` -- $1\n/* $1 */ # $1", "a$1"}) {
    const auto out = rewrite_placeholders(text, mysql_dialect);
    EXPECT_EQ(out.text, text);
    EXPECT_TRUE(out.values.empty());
    EXPECT_EQ(out.expected, 0U);
  }
}

TEST(placeholders, each_dialect_knows_its_own_quotes) {
  EXPECT_EQ(rewrite_placeholders(R"('\'$1' $2)", mysql_dialect).text, R"('\'$1' ?)");
  EXPECT_EQ(rewrite_placeholders(R"('\'$1)", postgres_dialect).text, R"('\'?)");
  EXPECT_EQ(rewrite_placeholders("SELECT [a$1 $1], $1", mssql_dialect).text, "SELECT [a$1 $1], ?");
  EXPECT_EQ(rewrite_placeholders("SELECT a[$1]", postgres_dialect).text, "SELECT a[?]");
  EXPECT_EQ(rewrite_placeholders("SELECT $$ $1 $$, $f$ $1 $f$, E'\\'$1', $1::int, $2", postgres_dialect).text,
            "SELECT $$ $1 $$, $f$ $1 $f$, E'\\'$1', ?::int, ?");
  EXPECT_EQ(rewrite_placeholders("SELECT /*! $1 */ /* $2 */ 1", mysql_dialect).text, "SELECT /*! ? */ /* $2 */ 1");
}

TEST(placeholders, question_marks_are_taken_in_order) {
  const auto out = rewrite_placeholders("SELECT ?, '?', ?", mysql_dialect);
  EXPECT_EQ(out.text, "SELECT ?, '?', ?");
  EXPECT_EQ(out.values, (indexes{0, 1}));
  EXPECT_EQ(out.expected, 2U);
}

TEST(placeholders, an_operator_is_no_question_mark) {
  const auto out = rewrite_placeholders("SELECT doc ? $1", postgres_dialect);
  EXPECT_EQ(out.text, "SELECT doc ? ?");
  EXPECT_EQ(out.values, (indexes{0}));
}

TEST(placeholders, wrong_ones_are_refused) {
  const auto mixed = caught([] { rewrite_placeholders("SELECT $1, ?", mysql_dialect); });
  EXPECT_EQ(mixed.portable_code(), errc::invalid_argument);
  EXPECT_NE(mixed.cause().find("mixes"), std::string::npos);
  for (const std::string text : {"$0", "$01", "$65536", "$99999999999999999999"}) {
    const auto problem = caught([&] { rewrite_placeholders("SELECT " + text, mysql_dialect); });
    EXPECT_EQ(problem.portable_code(), errc::invalid_argument) << text;
    EXPECT_NE(problem.cause().find(text), std::string::npos) << problem.cause();
  }
  EXPECT_EQ(rewrite_placeholders("$65535", mysql_dialect).expected, 65535U);
}

TEST(placeholders, counts_that_do_not_match_name_both) {
  EXPECT_NO_THROW(check_parameter_count(2, 2));
  const auto few = caught([] { check_parameter_count(2, 1); });
  EXPECT_EQ(few.portable_code(), errc::parameter_count);
  EXPECT_EQ(few.cause(), "the statement takes 2 parameters, but 1 was given");
  EXPECT_EQ(caught([] { check_parameter_count(1, 2); }).cause(), "the statement takes 1 parameter, but 2 were given");
}

}  // namespace
}  // namespace polypool
