// SPDX-License-Identifier: Apache-2.0
#include "base/plain_json.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <limits>

namespace polypool {
namespace {

TEST(PlainJson, NumbersAreWrittenAsPeopleDo) {
  EXPECT_EQ(plain_json(boost::json::value(0.5)), "0.5");
  EXPECT_EQ(plain_json(boost::json::value(1.25e-7)), "1.25e-07");
  EXPECT_EQ(plain_json(boost::json::value(12)), "12");
  EXPECT_EQ(plain_json(boost::json::value(std::numeric_limits<double>::infinity())), "null");
  EXPECT_EQ(plain_json(boost::json::value(std::numeric_limits<double>::quiet_NaN())), "null");
}

TEST(PlainJson, EverythingElseIsAsItWas) {
  for (const char* text : {R"({"a":[1,true,null,"x\n\"y\""],"b":{},"c":[]})", "[]", "{}", "null", R"("ä")",
                           R"([[[]],{"":{"":[]}},18446744073709551615,-9223372036854775808])"}) {
    const auto value = boost::json::parse(text);
    EXPECT_EQ(plain_json(value), text);
    EXPECT_EQ(boost::json::parse(plain_json(value)), value);
  }
  boost::json::object fields;
  fields["ms"] = 1.5;
  EXPECT_EQ(plain_json(fields), R"({"ms":1.5})");
  boost::json::array items;
  items.emplace_back(2.5);
  EXPECT_EQ(plain_json(items), "[2.5]");
}

}  // namespace
}  // namespace polypool
