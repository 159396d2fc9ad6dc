// SPDX-License-Identifier: Apache-2.0
// Whether a replica has what its primary had.
#include "driver/replication_position.hpp"
#include "manager/read_positions.hpp"

#include <gtest/gtest.h>

namespace polypool::detail {
namespace {

using namespace std::chrono_literals;

TEST(replication_position, of_postgres_and_redis_is_a_number) {
  EXPECT_TRUE(position_reached("16/B374D848", "16/B374D848"));
  EXPECT_TRUE(position_reached("17/0", "16/FFFFFFFF"));
  EXPECT_FALSE(position_reached("16/B374D847", "16/B374D848"));
  EXPECT_TRUE(position_reached("1000", "999"));
  EXPECT_FALSE(position_reached("99", "1000"));
}

TEST(replication_position, of_mariadb_has_domains) {
  EXPECT_TRUE(position_reached("0-1-100,1-1-7", "0-2-100"));
  EXPECT_TRUE(position_reached("0-1-101", "0-1-100"));
  EXPECT_FALSE(position_reached("0-1-100", "0-1-100,1-1-1"));
  EXPECT_FALSE(position_reached("0-1-99", "0-1-100"));
}

TEST(replication_position, of_mysql_is_a_set) {
  const std::string a = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
  const std::string b = "4e11fa47-71ca-11e1-9e33-c80aa9429562";
  EXPECT_TRUE(position_reached(a + ":1-10", a + ":1-5"));
  EXPECT_TRUE(position_reached(a + ":1-10:12,\n" + b + ":1-3", a + ":12," + b + ":2"));
  EXPECT_FALSE(position_reached(a + ":1-10", a + ":1-11"));
  EXPECT_FALSE(position_reached(a + ":1-10:12", a + ":1-12"));
  EXPECT_FALSE(position_reached(a + ":1-10", b + ":1"));
}

TEST(replication_position, of_mongodb_has_a_term_and_a_time) {
  EXPECT_EQ(optime_position(3, 1700000000, 7), "3:1700000000:7");
  EXPECT_TRUE(position_reached("3:1700000000:7", "3:1700000000:7"));
  EXPECT_TRUE(position_reached("3:1700000001:1", "3:1700000000:7"));
  EXPECT_FALSE(position_reached("3:1700000000:6", "3:1700000000:7"));
  EXPECT_FALSE(position_reached("4:1700000009:1", "3:1700000000:7")) << "the new primary may have rolled it back";
  EXPECT_EQ(position_lag("3:1700000000:7", "3:1700000005:1"), 5s);
  EXPECT_EQ(position_lag("3:1700000005:7", "3:1700000000:1"), 0s);
  EXPECT_EQ(position_lag("0/16B3748", "0/16B3749"), std::nullopt) << "bytes tell no time";
  EXPECT_EQ(position_lag("", "3:1700000000:7"), std::nullopt);
  EXPECT_GT(position_lag("0:0:0", "0:18446744073709551615:0"), 1h);
}

TEST(replication_position, that_nobody_understands_is_never_reached) {
  for (const char* odd :
       {"", "x", "1/", "/1", "1-2", "1/2/3", "0-1-x", "3e11:1", "1:2", "1:2:x", "99999999999999999999"}) {
    EXPECT_FALSE(position_reached(odd, odd)) << odd;
    EXPECT_FALSE(position_reached("5", odd)) << odd;
  }
  EXPECT_FALSE(position_reached("16/1", "x-y-z"));
}

TEST(read_positions, tell_until_when_a_replica_has_everything) {
  read_positions all(2);
  EXPECT_EQ(all.has_until(0), time_point::min());
  all.primary_at("100", time_point(1s));
  all.primary_at("200", time_point(2s));
  all.replica_at(0, "150");
  all.replica_at(1, "200");
  EXPECT_EQ(all.has_until(0), time_point(1s));
  EXPECT_EQ(all.has_until(1), time_point(2s));
  all.replica_at(1, "10");  // never less than it had
  EXPECT_EQ(all.has_until(1), time_point(2s));
  all.forget();
  EXPECT_EQ(all.has_until(1), time_point::min());
  all.replica_at(1, "500");
  EXPECT_EQ(all.has_until(1), time_point::min()) << "nobody knows what the new primary had";
}

}  // namespace
}  // namespace polypool::detail
