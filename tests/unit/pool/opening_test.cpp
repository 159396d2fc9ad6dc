// SPDX-License-Identifier: Apache-2.0
// Opening sessions: how many, when, and what happens when it fails.
#include "pool_fixture.hpp"

namespace polypool {
namespace {

class pool_opening : public pool_fixture {};

TEST_F(pool_opening, a_few_at_a_time) {
  options.max_open = 20;
  options.max_opening = 3;
  server->connect_takes(100ms);
  make();
  for (int i = 0; i < 10; ++i) ask();
  EXPECT_EQ(now().opening, 3U);
  EXPECT_EQ(server->open_sessions(), 3U);
  pass(100ms);
  EXPECT_EQ(now().in_use, 3U);
  EXPECT_EQ(now().opening, 3U);
  pass(300ms);
  EXPECT_EQ(now().in_use, 10U);
  EXPECT_EQ(now().opening, 0U);
}

TEST_F(pool_opening, not_when_a_returned_session_serves_the_waiter_first) {
  options.max_open = 10;
  make();
  lease one = get();
  ask_later();
  ask_later();
  ask_later();
  loop->spawn([](lease& back) -> task<void> {
    back.release();  // after the callers have asked, before the openers run
    co_return;
  }(one));
  callers.emplace_back();
  ready();
  EXPECT_TRUE(callers[0].held);
  EXPECT_TRUE(callers[1].held);
  EXPECT_TRUE(callers[2].held);
  EXPECT_EQ(server->connects(), 3U);  // not 4: the first one needed none
}

TEST_F(pool_opening, not_for_a_caller_who_has_left) {
  make();
  caller& who = ask_later();
  loop->spawn([](caller& leaving) -> task<void> {
    leaving.stop_asking();
    co_return;
  }(who));
  ready();
  EXPECT_TRUE(who.done);
  EXPECT_EQ(server->connects(), 0U);
  EXPECT_EQ(now().opening, 0U);
}

TEST_F(pool_opening, a_spike_ends_with_few_sessions) {
  options.max_open = 50;
  options.max_idle = 50;
  server->connect_takes(150ms);
  server->statements_take(2ms);
  make();
  int finished = 0;
  const auto visit = [](pool& from, int& count) -> task<void> {
    lease mine = co_await from.acquire();
    const statement query("SELECT 1");
    co_await mine.sql().execute(query);
    ++count;
  };
  for (int i = 0; i < 50; ++i) loop->spawn(visit(*made, finished));
  pass(1s);
  EXPECT_EQ(finished, 50);
  RecordProperty("sessions", static_cast<int>(now().open));
  EXPECT_LE(now().open, 12U);
  EXPECT_LE(server->most_open_sessions(), 12U);
}

// Those who share a session wish for one more, and do not take one away for it.
TEST_F(pool_opening, a_wish_opens_one_more_although_another_is_returned) {
  options.max_open = 3;
  make();
  lease one = get();
  made->wish_for_another();
  made->wish_for_another();
  EXPECT_EQ(now().opening, 1U);
  one.release();
  made->wish_for_another();  // one is idle already
  ready();
  EXPECT_EQ(now().idle, 2U);
  EXPECT_EQ(server->connects(), 2U);
}

TEST_F(pool_opening, wishes_end_at_the_maximum_and_with_a_failure) {
  options.max_open = 2;
  options.connect_attempts = 1;
  options.retry_max_delay = 10s;
  make();
  const lease one = get();
  server->fail_connects(refused());
  made->wish_for_another();
  ready();
  made->wish_for_another();  // not at once after a failure
  ready();
  EXPECT_EQ(server->connects(), 2U);
  EXPECT_EQ(now().opening, 0U);
  server->heal();
  pass(10s);
  EXPECT_EQ(now().open, 1U) << "the wish was over with the failure";
  made->wish_for_another();
  ready();
  const lease two = made->try_acquire();
  EXPECT_TRUE(two);
  made->wish_for_another();
  ready();
  EXPECT_EQ(now().open, 2U);
  EXPECT_EQ(now().opening, 0U);
}

TEST_F(pool_opening, a_wish_freshens_what_was_idle_for_long) {
  options.max_open = 3;
  make();
  get().release();
  pass(2s);
  EXPECT_FALSE(made->try_acquire()) << "nobody knows whether it lives";
  made->wish_for_another();
  ready();
  EXPECT_EQ(server->connects(), 1U);
  EXPECT_TRUE(made->try_acquire());
}

TEST_F(pool_opening, warm_up_opens_the_minimum) {
  options.max_open = 10;
  options.min_open = 5;
  options.max_opening = 2;
  server->connect_takes(10ms);
  make();
  loop->run(made->warm_up());
  EXPECT_GE(now().open, 1U);
  pass(100ms);
  EXPECT_EQ(now().idle, 5U);
  EXPECT_EQ(server->connects(), 5U);
}

TEST_F(pool_opening, warm_up_says_why_it_failed) {
  server->fail_connects(refused());
  make();
  try {
    loop->run(made->warm_up());
    ADD_FAILURE() << "it worked";
  } catch (const error& e) {
    EXPECT_EQ(e.portable_code(), errc::authentication_failed);
    EXPECT_THAT(e.what(), HasSubstr("connection 'primary' connect: the password is wrong"));
  }
}

TEST_F(pool_opening, a_failed_attempt_is_repeated_with_backoff) {
  options.connect_attempts = 4;
  options.retry_delay = 100ms;
  options.retry_max_delay = 250ms;
  server->fail_connects(unreachable(), 3);
  make();
  caller& who = ask();
  EXPECT_EQ(server->connects(), 1U);
  for (const duration delay : {100ms, 200ms, 250ms}) {  // not 400: that is over the limit
    const auto before = server->connects();
    duration passed{};
    for (; server->connects() == before && passed < 1s; passed += 1ms) {
      EXPECT_FALSE(who.done);
      pass(1ms);
    }
    EXPECT_GE(passed, delay / 2);
    EXPECT_LE(passed, delay + 1ms);
  }
  EXPECT_TRUE(who.held);
  EXPECT_EQ(now().connect_failures, 3U);
  EXPECT_FALSE(made->last_connect_failure());
  EXPECT_EQ(log->with("opening a session failed connection=primary attempt=1").size(), 1U);
}

TEST_F(pool_opening, waiters_fail_when_all_attempts_have) {
  options.connect_attempts = 2;
  options.retry_delay = 100ms;
  options.max_opening = 1;
  server->fail_connects(unreachable());
  make();
  caller& first = ask();
  caller& second = ask();
  pass(100ms);
  for (const caller* each : {&first, &second}) {
    ASSERT_TRUE(each->failure);
    EXPECT_EQ(each->failure->portable_code(), errc::connect_failed);
    EXPECT_THAT(each->failure->what(), HasSubstr("nobody listens on port 5432"));
  }
  EXPECT_EQ(server->connects(), 2U);
  EXPECT_EQ(made->last_connect_failure()->portable_code(), errc::connect_failed);
}

TEST_F(pool_opening, a_permanent_error_fails_waiters_at_once) {
  server->fail_connects(refused());
  make();
  caller& who = ask();
  ASSERT_TRUE(who.failure);
  EXPECT_EQ(who.failure->portable_code(), errc::authentication_failed);
  EXPECT_EQ(server->connects(), 1U);
}

TEST_F(pool_opening, waiters_are_not_failed_while_sessions_live) {
  options.max_open = 3;
  make();
  lease one = get();
  server->fail_connects(refused());
  caller& waiting = ask();
  EXPECT_FALSE(waiting.done);
  EXPECT_EQ(server->connects(), 2U);
  one.release();
  ready();
  EXPECT_TRUE(waiting.held);
}

TEST_F(pool_opening, failing_while_sessions_live_does_not_hammer_the_server) {
  options.max_open = 3;
  options.retry_max_delay = 10s;
  make();
  const lease one = get();
  server->fail_connects(refused());
  ask();
  pass(4900ms);
  EXPECT_EQ(server->connects(), 2U);
  pass(5100ms);
  EXPECT_EQ(server->connects(), 3U);  // but it is tried again, without anything happening meanwhile
  server->heal();
  pass(10s);
  EXPECT_TRUE(callers[0].held);
}

TEST_F(pool_opening, a_server_that_does_not_answer_counts_as_unreachable) {
  options.connect_timeout = 2s;
  options.connect_attempts = 1;
  server->hang(true, false);
  make();
  caller& who = ask();
  pass(1999ms);
  EXPECT_FALSE(who.done);
  pass(1ms);
  ASSERT_TRUE(who.failure);
  EXPECT_EQ(who.failure->portable_code(), errc::connect_failed);
  EXPECT_THAT(who.failure->what(), HasSubstr("did not answer within 2s"));
  EXPECT_EQ(server->open_sessions(), 0U);
}

TEST_F(pool_opening, a_connect_timeout_of_zero_is_none) {
  options.connect_timeout = 0ns;
  server->connect_takes(20s);
  make();
  caller& who = ask();
  pass(20s);
  EXPECT_TRUE(who.held);
}

TEST_F(pool_opening, what_a_driver_throws_comes_out_as_an_error) {
  const session_opener open = []() -> task<std::unique_ptr<session>> {
    throw std::runtime_error("no such library");
    co_return nullptr;
  };
  made = std::make_unique<pool>(options, open, loop);
  caller& who = ask();
  ASSERT_TRUE(who.failure);
  EXPECT_EQ(who.failure->portable_code(), errc::internal_error);
  EXPECT_THAT(who.failure->what(), HasSubstr("no such library"));
  const session_opener nothing = []() -> task<std::unique_ptr<session>> { co_return nullptr; };
  made = std::make_unique<pool>(options, nothing, loop);
  ASSERT_TRUE(ask().failure);
}

TEST_F(pool_opening, a_pool_that_lost_all_sessions_refills_by_itself) {
  options.max_open = 5;
  options.min_open = 3;
  options.keepalive_interval = 10s;
  options.retry_max_delay = 10s;
  make();
  loop->run(made->warm_up());
  pass(1s);
  ASSERT_EQ(now().idle, 3U);
  server->cut_all();
  server->fail_connects(unreachable());
  pass(60s);
  EXPECT_EQ(now().open, now().opening);  // keepalive found out
  EXPECT_EQ(server->open_sessions(), 0U);
  pass(10min);
  const auto attempts = server->connects();
  EXPECT_LT(attempts, 300U);  // patiently: one opener that tries three times, then waits
  EXPECT_GT(attempts, 100U);
  server->heal();
  pass(15s);
  EXPECT_EQ(now().idle, 3U);
  EXPECT_EQ(server->open_sessions(), 3U);
}

TEST_F(pool_opening, after_an_outage_the_first_caller_gets_a_session_at_once) {
  make();
  get().release();
  server->cut_all();
  server->fail_connects(unreachable());
  pass(1s);
  const caller& unlucky = ask(20s);
  pass(60s);
  EXPECT_TRUE(unlucky.failure);
  EXPECT_EQ(now().open, 0U);
  server->heal();
  EXPECT_TRUE(ask().held);
}

// A background whose threads cannot be started.
class no_background final : public background {
 public:
  explicit no_background(clock& time) : time_(time) {}
  void spawn(task<void>) override {
    if (!works) throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
  }
  clock& time() noexcept override { return time_; }
  bool works = false;

 private:
  clock& time_;
};

TEST_F(pool_opening, a_background_that_cannot_start_fails_callers_and_leaks_nothing) {
  const auto none = std::make_shared<no_background>(time);
  const auto driver = testing::make_fake_driver(server);
  const auto where = std::make_shared<endpoint>();
  const session_opener open = [driver, where] { return driver->connect(*where); };
  made = std::make_unique<pool>(options, open, none);
  caller& who = ask();
  ASSERT_TRUE(who.failure);
  EXPECT_THAT(who.failure->what(), HasSubstr("could not be started"));
  EXPECT_EQ(now().open, 0U);
  EXPECT_EQ(now().waiting, 0U);
  none->works = true;  // takes tasks, and drops them unstarted
  EXPECT_TRUE(ask().failure);
  EXPECT_EQ(now().open, 0U);
  EXPECT_EQ(now().waiting, 0U);
}

}  // namespace
}  // namespace polypool
