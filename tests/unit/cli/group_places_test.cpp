// SPDX-License-Identifier: Apache-2.0
#include "cli/group_places.hpp"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace polypool::cli {
namespace {

std::map<std::string, std::vector<group_place>> places(std::string_view groups) {
  return places_of(boost::json::parse(groups).as_array());
}

TEST(group_places, tell_what_members_of_a_failover_group_are) {
  const auto all = places(R"([{"name": "orders", "type": "failover", "primary": "a", "members": [
      {"name": "a", "declared": "primary", "observed": "primary", "reachable": true},
      {"name": "b", "declared": "replica", "observed": "replica", "reachable": true},
      {"name": "c", "declared": "backup", "observed": "unknown", "reachable": null},
      {"name": "d", "declared": "backup", "observed": "primary", "reachable": true},
      {"name": "e", "declared": "replica", "observed": "replica", "reachable": false}]}])");
  EXPECT_EQ(all.at("orders").front().role, "writes to a");
  EXPECT_TRUE(all.at("orders").front().itself);
  EXPECT_EQ(all.at("a").front().role, "primary of orders");
  EXPECT_EQ(all.at("b").front().role, "replica of orders");
  EXPECT_EQ(all.at("c").front().role, "backup of orders");
  EXPECT_EQ(all.at("d").front().role, "unused primary of orders");
  EXPECT_EQ(all.at("e").front().role, "out of reach of orders");
  EXPECT_FALSE(all.at("e").front().itself);
}

TEST(group_places, tell_of_groups_without_a_primary) {
  const auto all = places(R"([{"name": "orders", "type": "failover", "primary": null, "members": [{"name": "a"}]},
      {"name": "cache", "type": "balance", "primary": null, "members": [{"name": "x"}, {"name": "y", "ejected": true}]},
      {"name": "both", "type": "balance", "members": [{"name": "a"}, 17]}, "nonsense",
      {"name": "torn", "type": "failover", "primary": null, "severalPrimaries": true, "members": []}])");
  EXPECT_EQ(all.at("torn").front().role, "several primaries");
  EXPECT_EQ(all.at("orders").front().role, "no primary");
  EXPECT_EQ(all.at("cache").front().role, "balance");
  EXPECT_EQ(all.at("x").front().role, "member of cache");
  EXPECT_EQ(all.at("y").front().role, "left out of cache");
  ASSERT_EQ(all.at("a").size(), 2U);
  EXPECT_EQ(all.at("a")[1].role, "member of both");
}

}  // namespace
}  // namespace polypool::cli
