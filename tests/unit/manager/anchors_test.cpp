// SPDX-License-Identifier: Apache-2.0
// What has bitten users of other pools and breakers, where a virtual clock shows it best. docs/reliability.md says
// which test stands for what.
#include "support/fake_manager.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace polypool {
namespace {

using namespace std::chrono_literals;
using testing::error_of;
using testing::fake_world;
using ::testing::HasSubstr;
using testing::lost;

/// A connection whose breaker is about to let its only trial pass.
class stuck_half_open : public ::testing::Test {
 protected:
  stuck_half_open() {
    config::settings base;
    base.defaults.retry_attempts = 1;
    base.defaults.circuit_trials = 1;
    base.defaults.query_timeout = 0ns;
    base.defaults.health_check_interval = 0ns;
    world = std::make_unique<fake_world>(std::initializer_list<const char*>{"a"}, base);
    server().fail_statements(lost());
    for (int i = 0; i < 10; ++i) EXPECT_EQ(query(), errc::connection_lost);
    EXPECT_EQ(state(), breaker_state::open);
    server().heal();
    world->loop.advance(34s);  // the reset time and its jitter
  }
  testing::fake_server& server() { return *world->servers["a"]; }
  sql_database db() { return world->mgr->sql("a"); }
  breaker_state state() { return world->mgr->get("a").breaker_snapshot().state; }
  errc query(duration within = duration::max()) {
    try {
      world->run(with_timeout(within, db().async_query("SELECT 1")));
      return errc{};
    } catch (const error& e) {
      return e.portable_code();
    }
  }
  std::unique_ptr<fake_world> world;
};

TEST_F(stuck_half_open, not_by_a_trial_that_is_cancelled) {
  server().hang(false, true);
  std::stop_source stop;
  bool ended = false;
  world->loop.spawn([](task<result> asking, std::stop_token token, bool& ended) -> task<void> {
    try {
      co_await with_stop(token, std::move(asking));
    } catch (const error& e) {
      EXPECT_EQ(e.portable_code(), errc::cancelled);
    }
    ended = true;
  }(db().async_query("SELECT 1"), stop.get_token(), ended));
  world->loop.run_ready();
  EXPECT_EQ(state(), breaker_state::half_open);
  EXPECT_EQ(query(), errc::circuit_open) << "there is one trial at once";
  stop.request_stop();
  world->loop.run_ready();
  EXPECT_TRUE(ended);
  server().heal();
  EXPECT_EQ(query(), errc{}) << "its place is free again";
  EXPECT_EQ(state(), breaker_state::closed);
}

TEST_F(stuck_half_open, not_by_a_trial_that_is_dropped) {
  server().hang(false, true);
  {
    testing::virtual_loop other(world->time);
    other.spawn([](task<result> asking) -> task<void> { co_await std::move(asking); }(db().async_query("SELECT 1")));
    other.run_ready();
    world->loop.run_ready();
    other.run_ready();
    EXPECT_EQ(state(), breaker_state::half_open);
  }
  server().heal();
  world->loop.run_ready();
  EXPECT_EQ(query(), errc{});
  EXPECT_EQ(state(), breaker_state::closed);
}

TEST_F(stuck_half_open, not_by_a_trial_that_times_out) {
  server().hang(false, true);
  EXPECT_EQ(query(1s), errc::deadline_exceeded);
  EXPECT_EQ(state(), breaker_state::open) << "a server that does not answer has not recovered";
  server().heal();
  world->loop.advance(67s);  // twice as long, for the second time
  EXPECT_EQ(query(), errc{});
  EXPECT_EQ(state(), breaker_state::closed);
}

TEST_F(stuck_half_open, not_by_a_trial_the_server_complains_about) {
  server().fail_statements(error(errc::syntax_error, "syntax error"), 1);
  EXPECT_EQ(query(), errc::syntax_error);
  EXPECT_EQ(state(), breaker_state::closed) << "it answered";
}

// Two transactions on a pool of two, each of which wants a second session.
TEST(anchors, a_transaction_that_needs_a_second_session_of_a_full_pool_learns_who_holds_them) {
  config::settings base;
  base.defaults.max_open_conns = 2;
  base.defaults.acquire_timeout = 3s;
  fake_world world({"a"}, base);
  int finished = 0;
  std::vector<std::string> texts;
  const auto work = [&](sql_database db) -> task<void> {
    task<transaction> beginning = db.async_begin();
    transaction tx = co_await std::move(beginning);
    try {
      task<result> beside = db.async_query("SELECT 1");  // outside of the transaction
      co_await std::move(beside);
    } catch (const error& e) {
      EXPECT_EQ(e.portable_code(), errc::pool_timeout);
      texts.emplace_back(e.what());
    }
    task<void> committing = tx.async_commit();
    co_await std::move(committing);
    ++finished;
  };
  const auto started = world.time.now();
  for (int i = 0; i < 2; ++i) world.loop.spawn(work(world.mgr->sql("a")));
  world.loop.advance(4s);
  EXPECT_EQ(finished, 2) << "a deadlock";
  EXPECT_LE(world.time.now() - started, 4s);
  ASSERT_GE(texts.size(), 1U);
  EXPECT_THAT(texts[0], HasSubstr("2 of at most 2 sessions are in use, the longest for 3s by anchors_test.cpp:"));
  EXPECT_THAT(texts[0], HasSubstr("max_open_conns is the limit that binds"));
}

TEST(anchors, a_breaker_that_is_open_fails_no_instance_whose_connection_is_not_critical) {
  config::settings base;
  base.defaults.retry_attempts = 1;
  fake_world world({"core", "extra"}, base);
  world.run(world.mgr->async_connect());
  auto db = world.mgr->sql("extra");
  world.servers["extra"]->fail_statements(lost());
  for (int i = 0; i < 10; ++i) error_of([&] { world.run(db.async_query("SELECT 1")); });
  EXPECT_EQ(world.mgr->get("extra").breaker_snapshot().state, breaker_state::open);
  world.servers["extra"]->cut_all();
  world.servers["extra"]->fail_connects(error(errc::connect_failed, "refused"));
  const auto report = world.run(world.mgr->async_health_check());
  EXPECT_EQ(report.count(health_status::unhealthy), 1U);
  EXPECT_TRUE(report.healthy) << "only critical connections may take the instance out of service";
}

}  // namespace
}  // namespace polypool
