// SPDX-License-Identifier: Apache-2.0
#include "base/edit_distance.hpp"

#include <gtest/gtest.h>

#include <string>

namespace polypool {
namespace {

TEST(EditDistance, CountsEachKindOfSlipOnce) {
  EXPECT_EQ(edit_distance("query", "query"), 0U);
  EXPECT_EQ(edit_distance("query", "quer"), 1U);
  EXPECT_EQ(edit_distance("query", "qquery"), 1U);
  EXPECT_EQ(edit_distance("query", "quory"), 1U);
  EXPECT_EQ(edit_distance("query", "qurey"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("ca", "abc"), 3U);  // a letter that was swapped is not edited again
}

TEST(EditDistance, IsTheSameBothWaysAndTakesEmptyWords) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  const std::string words[] = {"max_open_conns", "max_idle_conns", "max_open_con", "host", "hots", "a", ""};
  for (const auto& a : words) {
    for (const auto& b : words) EXPECT_EQ(edit_distance(a, b), edit_distance(b, a)) << a << ' ' << b;
  }
}

}  // namespace
}  // namespace polypool
