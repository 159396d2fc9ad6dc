// SPDX-License-Identifier: Apache-2.0
#include "driver/sql_text.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace polypool {
namespace {

using enum sql_token::token_kind;

std::vector<std::string> tokens_of(std::string_view text, const sql_dialect& dialect) {
  std::vector<std::string> out;
  sql_scanner scanner(text, dialect);
  for (auto token = scanner.next(); token.kind != end; token = scanner.next()) {
    out.push_back(std::string(1, "?wpqs"[static_cast<int>(token.kind)]) + ":" + std::string(token.text));
  }
  return out;
}
using tokens = std::vector<std::string>;

TEST(sql_text, has_words_signs_literals_and_placeholders) {
  EXPECT_EQ(tokens_of("SELECT a.b, 'it''s' FROM \"t \"\"x\" WHERE n>=$12;", standard_sql),
            (tokens{"w:SELECT", "w:a", "s:.", "w:b", "s:,", "q:'it''s'", "w:FROM", "q:\"t \"\"x\"", "w:WHERE", "w:n",
                    "s:>", "s:=", "p:$12", "s:;"}));
  EXPECT_EQ(tokens_of("", standard_sql), tokens{});
  EXPECT_EQ(tokens_of(" \t\r\n\f\v ", standard_sql), tokens{});
}

TEST(sql_text, a_placeholder_touches_no_word) {
  EXPECT_EQ(tokens_of("a$1 $1a $ $a $1$2 é$1 $1é", standard_sql),
            (tokens{"w:a$1", "w:$1a", "w:$", "w:$a", "w:$1$2", "w:é$1", "w:$1é"}));
  EXPECT_EQ(tokens_of("($1),-$2", standard_sql), (tokens{"s:(", "p:$1", "s:)", "s:,", "s:-", "p:$2"}));
}

TEST(sql_text, comments_are_skipped) {
  EXPECT_EQ(tokens_of("a--b\nc/*d*/e", standard_sql), (tokens{"w:a", "w:c", "w:e"}));
  EXPECT_EQ(tokens_of("a /* b /* c */ d */ e", standard_sql), (tokens{"w:a", "w:d", "s:*", "s:/", "w:e"}));
  EXPECT_EQ(tokens_of("a /* b /* c */ d */ e", postgres_dialect), (tokens{"w:a", "w:e"}));
  EXPECT_EQ(tokens_of("a # b\nc", mysql_dialect), (tokens{"w:a", "w:c"}));
  EXPECT_EQ(tokens_of("a # b", standard_sql), (tokens{"w:a", "s:#", "w:b"}));
  EXPECT_EQ(tokens_of("5--3 -- x\n--", mysql_dialect), (tokens{"w:5", "s:-", "s:-", "w:3"}));
}

TEST(sql_text, mysql_executes_some_comments) {
  EXPECT_EQ(tokens_of("SELECT /*!40001 SQL_NO_CACHE */ 1 /*M!100100 +2*/ /*+ no */", mysql_dialect),
            (tokens{"w:SELECT", "w:SQL_NO_CACHE", "s:*", "s:/", "w:1", "s:+", "w:2", "s:*", "s:/"}));
  EXPECT_EQ(tokens_of("/*!1*/", standard_sql), tokens{});
}

TEST(sql_text, backslashes_where_the_dialect_has_them) {
  EXPECT_EQ(tokens_of(R"('a\'b' "c\"d" `e\`)", mysql_dialect), (tokens{R"(q:'a\'b')", R"(q:"c\"d")", R"(q:`e\`)"}));
  EXPECT_EQ(tokens_of(R"('a\' b)", standard_sql), (tokens{R"(q:'a\')", "w:b"}));
  EXPECT_EQ(tokens_of(R"(E'a\'b' e'\\' fooE'a\')", postgres_dialect),
            (tokens{R"(q:E'a\'b')", R"(q:e'\\')", "w:fooE", R"(q:'a\')"}));
}

TEST(sql_text, names_in_backticks_and_brackets) {
  EXPECT_EQ(tokens_of("`a``b` [x]", mysql_dialect), (tokens{"q:`a``b`", "s:[", "w:x", "s:]"}));
  EXPECT_EQ(tokens_of("[a]]b] @p @@rowcount", mssql_dialect), (tokens{"q:[a]]b]", "w:@p", "w:@@rowcount"}));
  EXPECT_EQ(tokens_of("@$1", postgres_dialect), (tokens{"s:@", "p:$1"}));
}

TEST(sql_text, dollar_quotes) {
  EXPECT_EQ(tokens_of("$$a'$1$$ $x$ $$ $y$ $x$ $1", postgres_dialect),
            (tokens{"q:$$a'$1$$", "q:$x$ $$ $y$ $x$", "p:$1"}));
  EXPECT_EQ(tokens_of("a$$b $1$", postgres_dialect), (tokens{"w:a$$b", "w:$1$"}));
  EXPECT_EQ(tokens_of("$$open", postgres_dialect), (tokens{"q:$$open"}));
}

TEST(sql_text, what_is_not_closed_goes_to_the_end) {
  EXPECT_EQ(tokens_of("'a;b", standard_sql), (tokens{"q:'a;b"}));
  EXPECT_EQ(tokens_of("'a\\", mysql_dialect), (tokens{"q:'a\\"}));
  EXPECT_EQ(tokens_of("'a''", standard_sql), (tokens{"q:'a''"}));
  EXPECT_EQ(tokens_of("a /* b", standard_sql), tokens{"w:a"});
  EXPECT_EQ(tokens_of("a /*", standard_sql), tokens{"w:a"});
}

TEST(sql_text, same_word_ignores_case) {
  EXPECT_TRUE(same_word("SeLeCt", "select"));
  EXPECT_FALSE(same_word("selects", "select"));
  EXPECT_FALSE(same_word("", "select"));
}

}  // namespace
}  // namespace polypool
