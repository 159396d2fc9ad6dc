// SPDX-License-Identifier: Apache-2.0
// What a pool says of itself: timeouts that explain themselves, statistics.
#include "pool_fixture.hpp"

namespace polypool {
namespace {

class pool_explain : public pool_fixture {};

TEST_F(pool_explain, a_timeout_says_who_holds_the_sessions_and_since_when) {
  options.max_open = 2;
  options.acquire_timeout = 5s;
  make();
  const lease oldest = loop->run(made->acquire());
  const int line = __LINE__ - 1;
  pass(10s);
  const lease other = get();
  const caller& who = ask();
  pass(1s);
  ask();
  pass(4s);
  ASSERT_TRUE(who.failure);
  EXPECT_EQ(who.failure->portable_code(), errc::pool_timeout);
  EXPECT_EQ(who.failure->disposition(), disposition::retryable);
  const std::string text = who.failure->what();
  EXPECT_THAT(text, HasSubstr("connection 'primary' acquire: no session became free within 5s"));
  EXPECT_THAT(text, HasSubstr("2 of at most 2 sessions are in use"));
  EXPECT_THAT(text, HasSubstr("the longest for 15s by explain_test.cpp:" + std::to_string(line)));
  EXPECT_THAT(text, HasSubstr("1 other callers wait"));
  EXPECT_THAT(text, HasSubstr("max_open_conns is the limit that binds"));
  EXPECT_THAT(text, Not(HasSubstr("connecting last failed")));
}

TEST_F(pool_explain, a_timeout_says_that_connecting_failed) {
  options.max_open = 3;
  options.acquire_timeout = 5s;
  options.connect_attempts = 1;
  options.retry_max_delay = 60s;
  make();
  const lease one = get();
  server->fail_connects(unreachable());
  const caller& who = ask();
  pass(5s);
  ASSERT_TRUE(who.failure);
  EXPECT_EQ(who.failure->portable_code(), errc::pool_timeout);
  EXPECT_THAT(who.failure->what(), HasSubstr("connecting last failed 5s ago: nobody listens on port 5432"));
}

TEST_F(pool_explain, a_timeout_without_any_session_has_the_code_of_the_cause) {
  options.acquire_timeout = 5s;
  options.connect_attempts = 100;
  server->fail_connects(unreachable());
  make();
  const caller& who = ask();
  pass(5s);
  ASSERT_TRUE(who.failure);
  EXPECT_EQ(who.failure->portable_code(), errc::connect_failed);
  EXPECT_EQ(who.failure->disposition(), disposition::retryable_elsewhere);
  EXPECT_THAT(who.failure->what(), HasSubstr("no session could be opened within 5s: nobody listens on port 5432"));
}

TEST_F(pool_explain, a_timeout_while_the_server_is_slow_says_so) {
  options.acquire_timeout = 1s;
  server->connect_takes(5s);
  make();
  const caller& who = ask();
  pass(1s);
  ASSERT_TRUE(who.failure);
  EXPECT_THAT(who.failure->what(), HasSubstr("1 are being opened"));
  EXPECT_THAT(who.failure->what(), HasSubstr("slow to accept sessions"));
}

TEST_F(pool_explain, no_secret_and_no_path_of_the_source_is_shown) {
  options.max_open = 1;
  options.acquire_timeout = 1s;
  make();
  const lease one = get();
  const caller& who = ask();
  pass(1s);
  EXPECT_THAT(who.failure->what(), Not(HasSubstr("/")));
}

TEST_F(pool_explain, counts_waits_and_their_time) {
  options.max_open = 1;
  make();
  lease one = get();
  EXPECT_EQ(now().wait_count, 1U);  // the first had to wait for its session to be opened
  EXPECT_EQ(now().wait_time, 0ns);
  ask();
  caller& impatient = ask(300ms);
  pass(1s);
  EXPECT_TRUE(impatient.failure);
  one.release();
  ready();
  EXPECT_EQ(now().wait_count, 3U);
  EXPECT_EQ(now().wait_time, 1300ms);
  EXPECT_EQ(now().leases, 2U);
  EXPECT_EQ(now().timeouts, 1U);
  callers[0].release();
  get().release();
  EXPECT_EQ(now().wait_count, 3U);
  EXPECT_EQ(now().leases, 3U);
}

TEST_F(pool_explain, the_gauges_add_up) {
  options.max_open = 6;
  options.max_idle = 6;
  options.max_opening = 1;
  server->connect_takes(100ms);
  make();
  ask();
  ask();
  ask();
  pass(150ms);
  const auto s = now();
  EXPECT_EQ(s.max_open, 6U);
  EXPECT_EQ(s.in_use, 1U);
  EXPECT_EQ(s.opening, 1U);
  EXPECT_EQ(s.waiting, 2U);
  EXPECT_EQ(s.open, 2U);
  EXPECT_EQ(s.opened, 1U);
  EXPECT_EQ(server->open_sessions(), 2U);
}

TEST_F(pool_explain, remembers_the_last_failure_until_it_works) {
  options.connect_attempts = 1;
  server->fail_connects(unreachable(), 1);
  make();
  EXPECT_FALSE(made->last_connect_failure());
  ask();
  ASSERT_TRUE(made->last_connect_failure());
  EXPECT_EQ(made->last_connect_failure()->cause(), "nobody listens on port 5432");
  EXPECT_EQ(now().connect_failures, 1U);
  get().release();
  EXPECT_FALSE(made->last_connect_failure());
}

TEST(close_cause, has_names) {
  for (std::size_t i = 0; i < close_cause_count; ++i) {
    EXPECT_NE(to_string(static_cast<close_cause>(i)), "unknown");
  }
  EXPECT_EQ(to_string(close_cause::idle_time), "idle_time");
  EXPECT_EQ(to_string(close_cause::closed), "closed");
}

}  // namespace
}  // namespace polypool
