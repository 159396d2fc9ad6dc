// SPDX-License-Identifier: Apache-2.0
#include "drivers/odbc/unicode.hpp"

#include "base/utf8.hpp"

#include <gtest/gtest.h>

#include <random>

namespace polypool::odbc {
namespace {

wide_text wide(std::u16string_view text) { return {text.begin(), text.end()}; }

TEST(odbc_unicode, both_ways) {
  for (const std::string text : {"", "plain", "ü", "€", "漢字", "😀", "a😀b", "\x7f", "\xc2\x80", "\xef\xbf\xbf"}) {
    wide_text units;
    EXPECT_TRUE(append_utf16(units, text));
    EXPECT_EQ(to_utf8(units), text);
  }
  wide_text units;
  append_utf16(units, "a😀");
  EXPECT_EQ(units, wide(u"a😀"));
}

TEST(odbc_unicode, what_is_not_utf8) {
  for (const std::string text : {"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\x80", "\xf5\x80\x80\x80"}) {
    wide_text units;
    EXPECT_FALSE(append_utf16(units, text));
  }
  const auto replaced = to_wide("a\xff");
  EXPECT_EQ(replaced, wide(std::u16string_view(u"a\xFFFD\0", 3)));
}

TEST(odbc_unicode, halves_of_characters) {
  EXPECT_EQ(to_utf8(wide(u"\xD83D\xDE00")), "😀");
  EXPECT_EQ(to_utf8(wide(u"\xD83D")), "\xEF\xBF\xBD");
  EXPECT_EQ(to_utf8(wide(u"\xDE00")), "\xEF\xBF\xBD");
  EXPECT_EQ(to_utf8(wide(u"a\xD83Dz")), "a\xEF\xBF\xBDz");
  EXPECT_EQ(to_utf8(wide(u"\xD83D\xD83D\xDE00")), "\xEF\xBF\xBD😀");
}

TEST(odbc_unicode, pieces_that_end_anywhere) {
  std::mt19937 random(7);
  const auto all = wide(u"aü€漢😀😀z");
  const std::string expected = to_utf8(all);
  for (int i = 0; i < 200; ++i) {
    std::string out;
    utf16_decoder decoder;
    for (std::size_t at = 0; at < all.size();) {
      const auto size = std::min<std::size_t>(1 + random() % 3, all.size() - at);
      decoder.append(out, std::span(all).subspan(at, size));
      at += size;
    }
    decoder.finish(out);
    EXPECT_EQ(out, expected);
  }
}

}  // namespace
}  // namespace polypool::odbc
