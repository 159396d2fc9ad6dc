// SPDX-License-Identifier: Apache-2.0
// Where commands go in a cluster, without one.
#include "driver/resp_parser.hpp"
#include "drivers/redis/cluster_map.hpp"

#include <gtest/gtest.h>

namespace polypool::redis {
namespace {

std::optional<std::uint16_t> slot(const redis_command& what) {
  std::string wire;
  what.append_to(wire);
  return slot_of_command(words_of(wire));
}
cluster_way way(const redis_command& what) {
  std::string wire;
  what.append_to(wire);
  return way_of(words_of(wire));
}

TEST(redis_slots, of_keys) {
  EXPECT_EQ(slot_of("123456789"), 0x31c3 % slot_count);
  EXPECT_EQ(slot_of("{user1000}.following"), slot_of("user1000"));
  EXPECT_EQ(slot_of("foo{}{bar}"), slot_of("foo{}{bar}"));
  EXPECT_NE(slot_of("foo{}{bar}"), slot_of("bar"));
  EXPECT_EQ(slot_of("foo{{bar}}zap"), slot_of("{bar"));
  EXPECT_EQ(slot_of("foo{bar}{zap}"), slot_of("bar"));
  EXPECT_EQ(slot_of(""), 0);
}

TEST(redis_slots, of_commands) {
  const auto k = slot_of("k");
  EXPECT_EQ(slot(redis_command("GET", "k")), k);
  EXPECT_EQ(slot(redis_command("set", "k", 1)), k);
  EXPECT_EQ(slot(redis_command("EVAL", "return 1", 2, "k", "l", "arg")), k);
  EXPECT_EQ(slot(redis_command("EVAL", "return 1", 0, "arg")), std::nullopt);
  EXPECT_EQ(slot(redis_command("EVAL")), std::nullopt);
  EXPECT_EQ(slot(redis_command("XREAD", "COUNT", 1, "STREAMS", "k", 0)), k);
  EXPECT_EQ(slot(redis_command("OBJECT", "ENCODING", "k")), k);
  EXPECT_EQ(slot(redis_command("ZUNION", 2, "k", "l")), k);
  EXPECT_EQ(slot(redis_command("BZMPOP", 0, 1, "k", "MIN")), k);
  EXPECT_EQ(slot(redis_command("MEMORY", "USAGE", "k")), k);
  EXPECT_EQ(slot(redis_command("MEMORY", "DOCTOR")), std::nullopt);
  EXPECT_EQ(slot(redis_command("PING")), std::nullopt);
  EXPECT_EQ(slot(redis_command("SOMETHING.NEW", "k")), k);
  EXPECT_EQ(slot(redis_command("GET")), std::nullopt);
  EXPECT_EQ(way(redis_command("GET", "k")), cluster_way::by_key);
  EXPECT_EQ(way(redis_command("MGET", "k", "l")), cluster_way::split);
  EXPECT_EQ(way(redis_command("DBSIZE")), cluster_way::all);
  EXPECT_EQ(way(redis_command("SCAN", 0)), cluster_way::scan);
  EXPECT_EQ(way(redis_command("SCRIPT", "LOAD", "x")), cluster_way::all);
  EXPECT_EQ(way(redis_command("SCRIPT", "EXISTS", "x")), cluster_way::anywhere);
  EXPECT_EQ(way(redis_command("INFO")), cluster_way::anywhere);
}

TEST(redis_redirection, is_read) {
  const server_address asked{"10.0.0.1", 7000};
  const auto moved = redirection_in("MOVED 3999 127.0.0.1:6381", asked);
  ASSERT_TRUE(moved);
  EXPECT_FALSE(moved->ask);
  EXPECT_EQ(moved->slot, 3999);
  EXPECT_EQ(moved->to.text(), "127.0.0.1:6381");
  EXPECT_TRUE(redirection_in("ASK 1 host:1", asked)->ask);
  EXPECT_EQ(redirection_in("MOVED 1 :6381", asked)->to.text(), "10.0.0.1:6381") << "the host that was asked";
  EXPECT_EQ(redirection_in("MOVED 1 ::1:6381", asked)->to.host, "::1");
  for (const std::string_view odd :
       {"MOVED", "MOVED x 1.2.3.4:5", "MOVED 16384 a:1", "MOVED 1 a", "MOVED 1 a:0", "ERR x", ""}) {
    EXPECT_FALSE(redirection_in(odd, asked)) << odd;
  }
}

redis_reply reply(std::string_view text) {
  resp_parser parser;
  EXPECT_EQ(parser.feed(text), resp_parser::outcome::complete);
  return parser.take();
}

TEST(redis_cluster_map, learns_and_follows) {
  const server_address asked{"seed", 7000};
  cluster_map map;
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.node_of(1), std::nullopt);
  EXPECT_TRUE(map.learn(reply("*2\r\n*3\r\n:0\r\n:8191\r\n*3\r\n$1\r\nb\r\n:1\r\n$2\r\nid\r\n"
                              "*3\r\n:8192\r\n:16383\r\n*2\r\n$0\r\n\r\n:2\r\n"),
                        asked));
  EXPECT_EQ(map.node_of(0)->text(), "b:1");
  EXPECT_EQ(map.node_of(16383)->text(), "seed:2");
  ASSERT_EQ(map.primaries().size(), 2u);
  EXPECT_EQ(map.primaries()[0].text(), "b:1");
  map.move(5, {"c", 3});
  EXPECT_EQ(map.node_of(5)->text(), "c:3");
  EXPECT_EQ(map.node_of(6)->text(), "b:1");
  EXPECT_EQ(map.primaries().size(), 3u);
  for (const std::string_view odd :
       {"*0\r\n", "+OK\r\n", "*1\r\n:1\r\n", "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\na\r\n:1\r\n",
        "*1\r\n*3\r\n:5\r\n:4\r\n*2\r\n$1\r\na\r\n:1\r\n", "*1\r\n*3\r\n:0\r\n:1\r\n:2\r\n"}) {
    EXPECT_FALSE(map.learn(reply(odd), asked)) << odd;
  }
  EXPECT_EQ(map.node_of(6)->text(), "b:1") << "what is odd changes nothing";
}

}  // namespace
}  // namespace polypool::redis
