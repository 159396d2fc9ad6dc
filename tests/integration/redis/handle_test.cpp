// SPDX-License-Identifier: Apache-2.0
// The handle: typed commands, pipelines, transactions, scripts, scans, blocking commands.
#include "stack.hpp"

#include <polypool/asio.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <set>
#include <thread>

namespace polypool::test {
namespace {

using redis_handle = redis_handle_test;
using maybe = std::optional<std::string>;
using texts = std::vector<std::string>;

TEST_F(redis_handle, strings) {
  auto cache = db();
  EXPECT_EQ(cache.ping(), "PONG");
  cache.set(key("a"), "text", 60s);
  EXPECT_EQ(cache.get(key("a")), "text");
  EXPECT_GE(cache.ttl(key("a")), 55);
  cache.set(key("a"), "more", 1500ms);
  EXPECT_GT(cache.pttl(key("a")), 500);
  cache.set(key("a"), 42);
  EXPECT_EQ(cache.ttl(key("a")), -1);
  EXPECT_EQ(cache.ttl(key("none")), -2);
  EXPECT_EQ(cache.get(key("none")), std::nullopt);
  redis_set_options absent;
  absent.when = redis_set_options::when_type::if_absent;
  EXPECT_FALSE(cache.set(key("a"), 1, absent));
  EXPECT_TRUE(cache.set(key("b"), 1, absent));
  redis_set_options expired;
  expired.expire = -5s;
  EXPECT_EQ(caught([&] { cache.set(key("c"), 1, expired); }).portable_code(), errc::invalid_value);
  EXPECT_EQ(cache.exists(key("c")), 0) << "a span that is over does not mean for ever";
  EXPECT_EQ(cache.incr(key("a")), 43);
  EXPECT_EQ(cache.incrby(key("a"), 7), 50);
  EXPECT_EQ(cache.decr(key("a")), 49);
  EXPECT_EQ(cache.decrby(key("a"), 9), 40);
  EXPECT_EQ(cache.incrbyfloat(key("a"), 0.5), 40.5);
  EXPECT_EQ(cache.append(key("s"), "abc"), 3);
  EXPECT_EQ(cache.strlen(key("s")), 3);
  EXPECT_EQ(cache.type(key("s")), "string");
  cache.mset(key("x"), 1, key("y"), "two");
  EXPECT_EQ(cache.mget(key("x"), key("none"), key("y")), (std::vector<maybe>{"1", std::nullopt, "two"}));
  const std::map<std::string, int> pairs{{key("p"), 1}, {key("q"), 2}};
  cache.mset(pairs);
  EXPECT_EQ(cache.exists(key("p"), key("q"), key("none")), 2);
  EXPECT_TRUE(cache.expire(key("p"), 100s));
  EXPECT_FALSE(cache.expire(key("none"), 1s));
  EXPECT_TRUE(cache.persist(key("p")));
  EXPECT_EQ(cache.getdel(key("q")), "2");
  EXPECT_EQ(cache.del(texts{key("p"), key("q")}), 1);
  EXPECT_EQ(cache.unlink(key("x"), key("y")), 2);
  const auto found = cache.keys(key("*"));
  EXPECT_EQ(std::set<std::string>(found.begin(), found.end()), (std::set{key("a"), key("b"), key("s")}));
}

TEST_F(redis_handle, collections) {
  auto cache = db();
  EXPECT_EQ(cache.hset(key("h"), "f", 1, "g", "two"), 2);
  EXPECT_EQ(cache.hget(key("h"), "g"), "two");
  EXPECT_EQ(cache.hget(key("h"), "none"), std::nullopt);
  EXPECT_EQ(cache.hmget(key("h"), "f", "none"), (std::vector<maybe>{"1", std::nullopt}));
  EXPECT_EQ(cache.hgetall(key("h")), (std::unordered_map<std::string, std::string>{{"f", "1"}, {"g", "two"}}));
  EXPECT_TRUE(cache.hexists(key("h"), "f"));
  EXPECT_EQ(cache.hincrby(key("h"), "f", 4), 5);
  EXPECT_EQ(cache.hdel(key("h"), "f", "none"), 1);
  EXPECT_EQ(cache.hlen(key("h")), 1);
  EXPECT_EQ(cache.hkeys(key("h")), texts{"g"});
  EXPECT_EQ(cache.hvals(key("h")), texts{"two"});
  EXPECT_EQ(cache.rpush(key("l"), "a", "b", 3), 3);
  EXPECT_EQ(cache.lpush(key("l"), texts{"z"}), 4);
  EXPECT_EQ(cache.lrange(key("l"), 0, -1), (texts{"z", "a", "b", "3"}));
  EXPECT_EQ(cache.llen(key("l")), 4);
  EXPECT_EQ(cache.lpop(key("l")), "z");
  EXPECT_EQ(cache.rpop(key("l")), "3");
  EXPECT_EQ(cache.lindex(key("l"), 1), "b");
  cache.ltrim(key("l"), 0, 0);
  EXPECT_EQ(cache.lrange(key("l"), 0, -1), texts{"a"});
  EXPECT_EQ(cache.lpop(key("none")), std::nullopt);
  EXPECT_EQ(cache.sadd(key("s"), "x", "y", "x"), 2);
  EXPECT_TRUE(cache.sismember(key("s"), "x"));
  EXPECT_FALSE(cache.sismember(key("s"), "z"));
  EXPECT_EQ(cache.scard(key("s")), 2);
  auto members = cache.smembers(key("s"));
  std::ranges::sort(members);
  EXPECT_EQ(members, (texts{"x", "y"}));
  EXPECT_EQ(cache.srem(key("s"), "x", "none"), 1);
  EXPECT_EQ(cache.zadd(key("z"), 1.5, "a", 2, "b", 3, "c"), 3);
  EXPECT_EQ(cache.zrange(key("z"), 0, -1), (texts{"a", "b", "c"}));
  EXPECT_EQ(cache.zrange_with_scores(key("z"), 0, 0), (std::vector<redis_scored>{{"a", 1.5}}));
  EXPECT_EQ(cache.zrangebyscore(key("z"), "(1.5", "+inf"), (texts{"b", "c"}));
  EXPECT_EQ(cache.zrangebyscore_with_scores(key("z"), 1.5, 2), (std::vector<redis_scored>{{"a", 1.5}, {"b", 2}}));
  EXPECT_EQ(cache.zscore(key("z"), "none"), std::nullopt);
  EXPECT_EQ(cache.zincrby(key("z"), 0.25, "a"), 1.75);
  EXPECT_EQ(cache.zrem(key("z"), "a"), 1);
  EXPECT_EQ(cache.zcard(key("z")), 2);
}

TEST_F(redis_handle, the_server_itself) {
  auto cache = db();
  EXPECT_THAT(cache.info(), HasSubstr("redis_version"));
  EXPECT_THAT(cache.info("replication"), HasSubstr("role:master"));
  EXPECT_FALSE(cache.config_get("maxclients").at("maxclients").empty());
  EXPECT_GE(cache.dbsize(), 0);
  EXPECT_EQ(cache.publish(key("nobody"), "x"), 0);
  EXPECT_EQ(cache.command("OBJECT", "HELP").type(), redis_type::array);
  EXPECT_EQ(manager_->redis().name(), "cache") << "the only one is active";
  EXPECT_EQ(manager_->get_redis("cache").redis().ping(), "PONG");
  const auto info = manager_->get_redis("cache").describe();
  EXPECT_EQ(info.role, server_info::role_type::primary);
  EXPECT_EQ(caught([&] { manager_->sql("cache"); }).portable_code(), errc::not_sql_database);
  EXPECT_EQ(caught([&] { manager_->redis("none"); }).portable_code(), errc::connection_not_found);
}

TEST_F(redis_handle, errors_say_where_they_come_from) {
  auto cache = db();
  cache.set(key("a"), "text");
  const auto failure = caught([&] { cache.incr(key("a")); });
  EXPECT_EQ(failure.portable_code(), errc::invalid_value);
  EXPECT_EQ(failure.connection(), "cache");
  EXPECT_EQ(failure.operation(), "INCR");
  EXPECT_EQ(caught([&] { cache.lpush(key("a"), 1); }).portable_code(), errc::type_mismatch);
  EXPECT_EQ(caught([&] { cache.command("NOSUCH"); }).portable_code(), errc::undefined_object);
  for (const std::string_view name : {"SELECT", "MULTI", "WATCH", "SUBSCRIBE", "MONITOR", "HELLO"}) {
    const auto refused = caught([&] { cache.command(name, 1); });
    EXPECT_EQ(refused.portable_code(), errc::invalid_argument) << name;
    EXPECT_EQ(refused.connection(), "cache");
  }
  const auto named = caught([&] { cache.with(call{}.named("count_up")).incr(key("a")); });
  EXPECT_EQ(named.operation(), "count_up");
  EXPECT_EQ(manager_->get_redis("cache").statistics().errors, 4u);
}

TEST_F(redis_handle, pipelines_and_transactions) {
  auto cache = db();
  auto together = cache.pipeline();
  const auto a = together.add(redis_calls::set(key("a"), 1));
  const auto b = together.add(redis_calls::incr(key("a")));
  const auto wrong = together.add(redis_calls::lpush(key("a"), "x"));
  const auto c = together.add(redis_command("GET", key("a")));
  EXPECT_EQ(together.size(), 4u);
  const auto answers = together.run();
  answers.get(a);
  EXPECT_EQ(answers.get(b), 2);
  EXPECT_EQ(caught([&] { answers.get(wrong); }).portable_code(), errc::type_mismatch);
  EXPECT_EQ(answers.get(c).text(), "2");
  EXPECT_EQ(together.run().get(b), 2) << "may be run again";
  EXPECT_EQ(cache.pipeline().run().size(), 0u);

  auto atomic = cache.transaction();
  const auto n = atomic.add(redis_calls::incrby(key("n"), 5));
  const auto bad = atomic.add(redis_calls::lpush(key("n"), "x"));
  const auto done = atomic.run();
  EXPECT_EQ(done.size(), 2u);
  EXPECT_EQ(done.get(n), 5);
  EXPECT_EQ(caught([&] { done.get(bad); }).portable_code(), errc::type_mismatch);
  auto refused = cache.transaction();
  refused.add(redis_calls::incr(key("n")));
  refused.add(redis_command("NOSUCH"));
  const auto why = caught([&] { refused.run(); });
  EXPECT_EQ(why.portable_code(), errc::transaction_aborted);
  EXPECT_THAT(why.what(), HasSubstr("NOSUCH"));
  EXPECT_EQ(cache.get(key("n")), "5") << "nothing happened";
  auto odd = cache.pipeline();
  odd.add(redis_command("SELECT", 3));
  EXPECT_EQ(caught([&] { odd.run(); }).portable_code(), errc::invalid_argument);
}

TEST_F(redis_handle, transactions_that_watch) {
  auto cache = db();
  cache.set(key("balance"), 10);
  {
    auto tx = cache.watch(key("balance"));
    const auto now = std::stoi(tx.get(key("balance")).value());
    const auto left = tx.add(redis_calls::decrby(key("balance"), 3));
    EXPECT_EQ(now, 10);
    const auto done = tx.commit();
    ASSERT_TRUE(done);
    EXPECT_EQ(done->get(left), 7);
    EXPECT_EQ(caught([&] { tx.commit(); }).portable_code(), errc::invalid_argument);
  }
  {
    auto tx = cache.watch(key("balance"), key("other"));
    tx.watch(key("third"));
    admin()({"SET", key("third"), "changed"});
    tx.add(redis_calls::set(key("balance"), 0));
    EXPECT_FALSE(tx.commit());
    EXPECT_EQ(cache.get(key("balance")), "7");
  }
  {
    auto tx = cache.watch(key("balance"));
    EXPECT_EQ(caught([&] { tx.command("MULTI"); }).portable_code(), errc::invalid_argument);
    tx.add(redis_calls::set(key("balance"), 0));
  }  // forgotten
  EXPECT_EQ(cache.get(key("balance")), "7");
  EXPECT_TRUE(wait_until([&] { return manager_->get_redis("cache").statistics().pool.in_use == 0; }));
}

TEST_F(redis_handle, scripts) {
  auto cache = db();
  const redis_script script("return {KEYS[1], ARGV[1], tonumber(ARGV[2]) + 1}  -- " + key("unique"));
  EXPECT_EQ(admin()({"SCRIPT", "EXISTS", script.digest()}), "0");
  EXPECT_EQ(cache.eval(script, {"k"}, "text", 41).to_display(), "[\"k\", \"text\", 42]");
  EXPECT_EQ(admin()({"SCRIPT", "EXISTS", script.digest()}), "1");
  EXPECT_EQ(cache.eval(script, {"k"}, "text", 1).to_display(), "[\"k\", \"text\", 2]");
  const redis_script wrong("return redis.error_reply('MYERR nothing works')");
  EXPECT_THAT(caught([&] { cache.eval(wrong, {}); }).what(), HasSubstr("MYERR"));
  boost::asio::io_context loop;
  const redis_script other("return ARGV[1]  -- " + key("other"));
  auto later = spawn(loop.get_executor(), cache.async_eval(other, {}, "x"), boost::asio::use_future);
  loop.run();
  EXPECT_EQ(later.get().text(), "x");
}

TEST_F(redis_handle, scans_in_constant_memory) {
  auto cache = db();
  const redis_script fill("for i = 1, tonumber(ARGV[2]) do redis.call('SET', ARGV[1] .. i, i) end");
  for (int i = 0; i < 20; ++i) cache.eval(fill, {}, key("k" + std::to_string(i) + ":"), 1000);
  cache.sadd(key("set"), "x");
  redis_scan_options options;
  options.match = key("k*");
  options.count = 1000;
  std::set<std::string> seen;
  for (const std::string& found : cache.scan(options)) seen.insert(found);
  EXPECT_EQ(seen.size(), 20'000u);
  options.match = key("*");
  options.type = "set";
  std::size_t sets = 0;
  for (const std::string& found : cache.scan(options)) {
    EXPECT_EQ(found, key("set"));
    ++sets;
  }
  EXPECT_GE(sets, 1u);
  std::map<std::string, int> large;
  for (int i = 0; i < 1000; ++i) large["f" + std::to_string(i)] = i;
  cache.hset(key("h"), large);
  std::size_t words = 0;
  for ([[maybe_unused]] const std::string& each : cache.scan_inside("HSCAN", key("h"))) ++words;
  EXPECT_EQ(words, 2000u);
  for (const std::string& none : cache.scan_inside("SSCAN", key("none"))) ADD_FAILURE() << none;
}

TEST_F(redis_handle, blocking_commands_have_a_session_of_their_own) {
  auto cache = db();
  cache.rpush(key("l"), "a", "b");
  using pair = std::pair<std::string, std::string>;
  EXPECT_EQ(cache.blpop({key("none"), key("l")}, 10s), (pair{key("l"), "a"}));
  EXPECT_EQ(cache.brpop({key("l")}, 10s), (pair{key("l"), "b"}));
  EXPECT_EQ(cache.blpop({key("l")}, 20ms), std::nullopt);
  std::jthread waits([&] { EXPECT_EQ(cache.blpop({key("l")}, 60s), (pair{key("l"), "late"})); });
  EXPECT_TRUE(wait_until([&] { return admin()({"INFO", "clients"}).find("blocked_clients:0") == std::string::npos; }));
  EXPECT_EQ(cache.ping(), "PONG") << "others go on meanwhile";
  cache.rpush(key("l"), "late");
  waits.join();
  cache.rpush(key("l"), "m");
  EXPECT_EQ(cache.blmove(key("l"), key("target"), "LEFT", "RIGHT", 1s), "m");
  EXPECT_EQ(cache.lrange(key("target"), 0, -1), texts{"m"});
  cache.command("XADD", key("stream"), "*", "f", 1);
  EXPECT_EQ(cache.command("XREAD", "BLOCK", 100, "STREAMS", key("stream"), 0).size(), 2u);
}

// Whoever gives up must not take an element with him.
TEST_F(redis_handle, an_abandoned_pop_takes_nothing) {
  auto cache = db();
  environment env;
  env.deadline = std::chrono::steady_clock::now() + 50ms;
  EXPECT_EQ(caught([&] { run(cache.async_blpop({key("l")}, 0s), env); }).portable_code(), errc::deadline_exceeded);
  EXPECT_TRUE(wait_until([&] { return admin()({"CLIENT", "LIST"}).find("cmd=blpop") == std::string::npos; }));
  cache.rpush(key("l"), "kept");
  EXPECT_EQ(cache.lrange(key("l"), 0, -1), texts{"kept"});
}

TEST_F(redis_handle, every_call_from_an_event_loop) {
  auto cache = db();
  boost::asio::io_context loop;
  const auto now = [&]<class T>(task<T> work) {
    auto future = spawn(loop.get_executor(), std::move(work), boost::asio::use_future);
    loop.restart();
    loop.run();
    return future.get();
  };
  now(cache.async_set(key("a"), 1, 60s));
  EXPECT_EQ(now(cache.async_get(key("a"))), "1");
  EXPECT_EQ(now(cache.async_incr(key("a"))), 2);
  EXPECT_EQ(now(cache.async_mget(key("a"), key("b"))), (std::vector<maybe>{"2", std::nullopt}));
  auto together = cache.pipeline();
  const auto slot = together.add(redis_calls::incr(key("a")));
  EXPECT_EQ(now(together.async_run()).get(slot), 3);
  auto tx = now(cache.async_watch(key("a")));
  EXPECT_EQ(now(tx->async_get(key("a"))), "3");
  tx->add(redis_calls::incr(key("a")));
  EXPECT_TRUE(now(tx->async_commit()));
  auto scan = cache.scan({.match = key("*"), .count = 1000, .type = {}});
  int found = 0;
  while (now(scan.async_next())) ++found;
  EXPECT_EQ(found, 1);
  EXPECT_EQ(now(cache.async_blpop({key("none")}, 10ms)), std::nullopt);
  {
    const auto leased = now(cache.async_lease());
    leased.key_value();
  }
  EXPECT_EQ(caught([&] {
              now(cache.async_incr(key("a") + "x\n"));
              now(cache.async_lpush(key("a"), 1));
            }).operation(),
            "LPUSH");
}

// A lease is a session of one's own, cleaned before anybody else gets it.
TEST_F(redis_handle, leases_are_cleaned) {
  settings_.defaults.max_open_conns = 1;
  make({redis_connection("cache", playground_->endpoint())});
  auto cache = db();
  {
    const auto leased = cache.lease();
    auto& raw = leased.key_value();
    const redis_command select("SELECT", 5);
    const redis_command multi("MULTI");
    run(raw.execute(select));
    run(raw.execute(multi));
    EXPECT_EQ(leased.native<key_value_session*>(), &raw);
  }
  cache.set(key("a"), 1);
  EXPECT_EQ(admin()({"GET", key("a")}), "1");
  EXPECT_EQ(sessions(), 1);
}

}  // namespace
}  // namespace polypool::test
