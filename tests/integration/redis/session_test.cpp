// SPDX-License-Identifier: Apache-2.0
// What a session does: commands, pipelines, types of both protocols, large replies, messages.
#include "fixture.hpp"
#include "support/memory.hpp"

namespace polypool::test {

std::unique_ptr<key_value_session> connect(runner& go, const endpoint& where) {
  auto made = go(redis::make_driver()->connect(where));
  auto* const speaks = dynamic_cast<key_value_session*>(made.get());
  if (speaks == nullptr) throw std::logic_error("not a session that takes commands");
  made.release();
  return std::unique_ptr<key_value_session>(speaks);
}

namespace {

using redis_session = redis_ways;
POLYPOOL_BOTH_WAYS(redis_session);

TEST_P(redis_session, says_what_it_is) {
  auto db = make_client();
  const auto info = go_(db->describe());
  EXPECT_THAT(admin()({"INFO", "server"}), HasSubstr("redis_version:" + info.version));
  EXPECT_EQ(info.role, server_info::role_type::primary);
  EXPECT_EQ(db->protocol(), 3);
  EXPECT_EQ(playground_->sessions(), 1);
  EXPECT_FALSE(db->dirty());
  EXPECT_FALSE(db->broken());
  go_(db->probe());
  EXPECT_EQ(redis::make_driver()->type(), "redis");
  EXPECT_EQ(redis::make_driver()->kind(), database_kind::key_value);
}

TEST_P(redis_session, runs_commands) {
  auto db = make_client();
  EXPECT_EQ(db.shown("SET", key("a"), "1"), "OK");
  EXPECT_EQ(db.shown("GET", key("a")), "\"1\"");
  EXPECT_EQ(db.shown("INCR", key("a")), "2");
  EXPECT_EQ(db.shown("GET", key("none")), "null");
  EXPECT_EQ(db.shown("RPUSH", key("l"), "x", "y"), "2");
  EXPECT_EQ(db.shown("LRANGE", key("l"), 0, -1), "[\"x\", \"y\"]");
  const std::string binary("\0\r\n\xff\x80 $5\r\n", 10);
  db.run("SET", key("b"), binary);
  EXPECT_EQ(db.run("GET", key("b")).text(), binary);
  EXPECT_EQ(db.failure("INCR", key("b")).portable_code(), errc::invalid_value);
  EXPECT_EQ(db.failure("LPUSH", key("a"), 1).portable_code(), errc::type_mismatch);
  EXPECT_EQ(db.shown("GET", key("a")), "\"2\"") << "goes on after errors";
  EXPECT_FALSE(db->dirty());
}

TEST_P(redis_session, pipelines) {
  auto db = make_client();
  redis_batch batch;
  for (int i = 0; i < 500; ++i) batch.add(redis_command("SET", key(std::to_string(i)), i));
  batch.add(redis_command("LPUSH", key("1"), "x")).add(redis_command("GET", key("499")));
  const auto replies = db.run_all(batch);
  ASSERT_EQ(replies.size(), 502u);
  EXPECT_EQ(replies[499].text(), "OK");
  EXPECT_TRUE(replies[500].is_error());
  EXPECT_EQ(replies[501].text(), "499");
  EXPECT_TRUE(db.run_all(redis_batch()).empty());
  redis_batch transaction;
  transaction.add(redis_command("MULTI")).add(redis_command("INCR", key("n"))).add(redis_command("EXEC"));
  EXPECT_EQ(db.run_all(transaction)[2].to_display(), "[1]");
  EXPECT_FALSE(db->dirty());
}

// Redis itself makes a value of each type.
TEST_P(redis_session, types_of_both_protocols) {
  auto three = make_client();
  auto where = playground_->endpoint();
  where.options["protocol"] = "2";
  redis_client two(go_, where);
  EXPECT_EQ(two->protocol(), 2);
  const auto debug = [](redis_client& db, std::string_view what) { return db.run("DEBUG", "PROTOCOL", what); };
  try {
    debug(three, "string");
  } catch (const error& refused) {
    GTEST_SKIP() << "the server does not allow DEBUG: " << refused.what();
  }
  EXPECT_EQ(debug(three, "string").type(), redis_type::bulk_string);
  EXPECT_EQ(debug(three, "integer").as<int>(), 12345);
  EXPECT_EQ(debug(three, "double").type(), redis_type::real);
  EXPECT_NEAR(debug(three, "double").as<double>(), 3.141, 1e-9);
  EXPECT_TRUE(debug(three, "null").is_null());
  EXPECT_EQ(debug(three, "array").as<std::vector<int>>(), (std::vector{0, 1, 2}));
  EXPECT_EQ(debug(three, "set").type(), redis_type::set);
  EXPECT_EQ(debug(three, "map").type(), redis_type::map);
  EXPECT_EQ(debug(three, "true").type(), redis_type::boolean);
  EXPECT_FALSE(debug(three, "false").as<bool>());
  EXPECT_EQ(debug(three, "bignum").type(), redis_type::big_number);
  EXPECT_EQ(debug(three, "verbatim").format(), "txt");
  const auto attributed = debug(three, "attrib");
  EXPECT_THAT(std::string(attributed.text()), HasSubstr("real reply"));
  ASSERT_NE(attributed.attributes(), nullptr);
  EXPECT_FALSE(attributed.attributes()->find("key-popularity").is_null());
  EXPECT_NEAR(debug(two, "double").as<double>(), 3.141, 1e-9);
  EXPECT_EQ(debug(two, "map").type(), redis_type::array);
  EXPECT_FALSE(debug(two, "false").as<bool>());
  for (auto* db : {&two, &three}) {
    db->run("ZADD", key("z"), 1.5, "a", 2, "b");
    EXPECT_EQ((db->run("ZRANGE", key("z"), 0, -1, "WITHSCORES").as<std::vector<std::pair<std::string, double>>>()),
              (std::vector<std::pair<std::string, double>>{{"a", 1.5}, {"b", 2}}));
    db->run("HSET", key("h"), "f", 1, "g", 2);
    EXPECT_EQ((db->run("HGETALL", key("h")).as<std::map<std::string, int>>()),
              (std::map<std::string, int>{{"f", 1}, {"g", 2}}));
  }
}

TEST_P(redis_session, large_values) {
  auto db = make_client();
  std::string large(20'000'000, 'a');
  for (std::size_t i = 0; i < large.size(); i += 997) large[i] = static_cast<char>(i % 251);
  db.run("SET", key("large"), large);
  EXPECT_EQ(db.run("GET", key("large")).as<std::string>(), large);
  redis_batch several;
  for (int i = 0; i < 3; ++i)
    several.add(redis_command("GET", key("large"))).add(redis_command("STRLEN", key("large")));
  const auto replies = db.run_all(several);
  for (std::size_t i = 0; i < replies.size(); i += 2) {
    EXPECT_TRUE(replies[i].text() == large);
    EXPECT_EQ(replies[i + 1].integer(), 20'000'000);
  }
}

// The elements of a long list cost two allocations, whatever their number.
TEST_P(redis_session, a_list_of_a_million) {
  auto db = make_client();
  const std::string script =
      "for i = 1, 1000000, 1000 do local t = {} for j = i, i + 999 do t[#t + 1] = 'item' .. j end "
      "redis.call('RPUSH', KEYS[1], unpack(t)) end return redis.call('LLEN', KEYS[1])";
  EXPECT_EQ(db.run("EVAL", script, 1, key("million")).integer(), 1'000'000);
  const auto before = resident_bytes();
  const auto reply = db.run("LRANGE", key("million"), 0, -1);
  ASSERT_EQ(reply.size(), 1'000'000u);
  EXPECT_EQ(reply[0].text(), "item1");
  EXPECT_EQ(reply[999'999].text(), "item1000000");
  EXPECT_LT(reply.size_in_bytes(), 40u << 20);
  if (memory_is_ours) {
    EXPECT_LT(resident_bytes() - before, 150L << 20);
  }
}

TEST_P(redis_session, a_reply_over_the_limit_ends_the_session) {
  auto where = playground_->endpoint();
  where.options["max_reply_bytes"] = "2000";
  where.options["max_reply_depth"] = "3";
  redis_client db(go_, where);
  db.run("SET", key("a"), std::string(1500, 'x'));
  EXPECT_EQ(db.run("GET", key("a")).text().size(), 1500u);
  db.run("APPEND", key("a"), std::string(1500, 'x'));
  const auto failure = db.failure("GET", key("a"));
  EXPECT_EQ(failure.portable_code(), errc::connection_lost);
  EXPECT_EQ(failure.disposition(), disposition::permanent);
  EXPECT_TRUE(failure.poisons_session());
  EXPECT_THAT(failure.what(), HasSubstr("max_reply_bytes"));
  EXPECT_TRUE(db->broken());
  redis_client other(go_, where);
  EXPECT_THAT(other.failure("EVAL", "return {{{{{1}}}}}", 0).what(), HasSubstr("deep"));
}

TEST_P(redis_session, refuses_what_cannot_be_matched) {
  auto db = make_client();
  EXPECT_EQ(db.failure("SUBSCRIBE", "x").portable_code(), errc::invalid_argument);
  EXPECT_EQ(db.failure("MONITOR").portable_code(), errc::invalid_argument);
  EXPECT_EQ(db.failure("CLIENT", "REPLY", "OFF").portable_code(), errc::invalid_argument);
  EXPECT_EQ(db.failure("hello", 2).portable_code(), errc::invalid_argument);
  redis_batch batch;
  batch.add(redis_command("PING")).add(redis_command("SUBSCRIBE", "x"));
  EXPECT_EQ(failure_of(go_, db->pipeline(batch)).portable_code(), errc::invalid_argument);
  const redis_command get("GET", "x");
  EXPECT_EQ(failure_of(go_, db->send(get)).portable_code(), errc::invalid_argument);
  EXPECT_EQ(db.shown("PING"), "PONG");
}

TEST_P(redis_session, messages_of_both_protocols) {
  for (const std::string protocol : {"2", "3"}) {
    auto where = playground_->endpoint();
    where.options["protocol"] = protocol;
    redis_client db(go_, where);
    const redis_command subscribe("SUBSCRIBE", key("news"));
    go_(db->send(subscribe));
    EXPECT_EQ(go_(db->next_push())[0].text(), "subscribe");
    const redis_command pattern("PSUBSCRIBE", key("p*"));
    go_(db->send(pattern));
    EXPECT_EQ(go_(db->next_push())[0].text(), "psubscribe");
    for (int i = 0; i < 3; ++i) admin()({"PUBLISH", key("news"), "n" + std::to_string(i)});
    admin()({"PUBLISH", key("pop"), "p"});
    for (int i = 0; i < 3; ++i) {
      const auto message = go_(db->next_push());
      EXPECT_EQ(message[0].text(), "message");
      EXPECT_EQ(message[1].text(), key("news"));
      EXPECT_EQ(message[2].text(), "n" + std::to_string(i));
    }
    EXPECT_EQ(go_(db->next_push())[0].text(), "pmessage");
    EXPECT_EQ(failure_of(go_, with_timeout(20ms, db->next_push())).portable_code(), errc::deadline_exceeded);
    admin()({"PUBLISH", key("news"), "late"});
    EXPECT_EQ(go_(db->next_push())[2].text(), "late") << "one who gives up loses nothing";
    EXPECT_TRUE(db->dirty());
    db.reset();
    EXPECT_FALSE(db->dirty());
    EXPECT_EQ(admin()({"PUBLISH", key("news"), "nobody"}), "0");
    EXPECT_EQ(db.shown("PING"), "PONG");
    EXPECT_EQ(db->protocol(), std::stoi(protocol));
  }
}

}  // namespace
}  // namespace polypool::test
