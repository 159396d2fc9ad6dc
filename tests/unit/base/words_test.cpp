// SPDX-License-Identifier: Apache-2.0
#include "base/words.hpp"

#include <gtest/gtest.h>

namespace polypool {
namespace {

TEST(Words, AreTheSameWhateverTheirCase) {
  EXPECT_TRUE(same_word("", ""));
  EXPECT_TRUE(same_word("Read_Preference", "read_preFERENCE"));
  EXPECT_FALSE(same_word("word", "words"));
  EXPECT_FALSE(same_word("@", "`"));  // 0x40 and 0x60 differ by the bit that letters differ by
  EXPECT_FALSE(same_word("[", "{"));
  EXPECT_FALSE(same_word("Ä", "ä"));  // ASCII only
}

TEST(Words, ChangeTheirCase) {
  EXPECT_EQ(lower_case("ABC_xyz-@[`{Ä"), "abc_xyz-@[`{Ä");
  EXPECT_EQ(upper_case("abc_XYZ-@[`{ä"), "ABC_XYZ-@[`{ä");
}

TEST(Words, AreTrimmed) {
  EXPECT_EQ(trimmed(" \t\r\n a b \n"), "a b");
  EXPECT_EQ(trimmed(" \t "), "");
  EXPECT_EQ(trimmed(""), "");
}

}  // namespace
}  // namespace polypool
