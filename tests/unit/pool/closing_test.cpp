// SPDX-License-Identifier: Apache-2.0
// Draining, closing by force, reopening, and backgrounds that go.
#include "pool_fixture.hpp"

namespace polypool {
namespace {

class pool_closing : public pool_fixture {
 protected:
  struct ending {
    bool done = false;
    bool gentle = false;
  };
  ending& close_within(duration span) {
    ending& end = endings.emplace_back();
    const auto closing = [](pool& p, ending& e) -> task<void> {
      e.gentle = co_await p.close();
      e.done = true;
    };
    loop->spawn(with_timeout(span, closing(*made, end)));
    ready();
    return end;
  }
  std::deque<ending> endings;
};

TEST_F(pool_closing, an_idle_pool_closes_at_once) {
  make();
  get().release();
  const ending& end = close_within(0ns);
  EXPECT_TRUE(end.done);
  EXPECT_TRUE(end.gentle);
  EXPECT_TRUE(made->closed());
  EXPECT_EQ(server->open_sessions(), 0U);
  EXPECT_EQ(now().closed_for(close_cause::closed), 1U);
}

TEST_F(pool_closing, a_pool_never_used_closes) {
  make();
  EXPECT_TRUE(loop->run(made->close()));
  EXPECT_TRUE(loop->run(made->close()));
}

TEST_F(pool_closing, those_at_work_may_finish) {
  make();
  lease one = get();
  const ending& end = close_within(30s);
  EXPECT_FALSE(end.done);
  pass(10s);
  EXPECT_EQ(execute(one, "SELECT 1").size(), 1U);
  one.release();
  ready();
  EXPECT_TRUE(end.done);
  EXPECT_TRUE(end.gentle);
  EXPECT_EQ(server->open_sessions(), 0U);
}

TEST_F(pool_closing, newcomers_and_waiters_are_refused) {
  options.max_open = 1;
  make();
  const lease one = get();
  caller& waiting = ask();
  close_within(30s);
  ASSERT_TRUE(waiting.failure);
  EXPECT_EQ(waiting.failure->portable_code(), errc::connection_closed);
  EXPECT_THAT(waiting.failure->what(), HasSubstr("connection 'primary' acquire: the pool is closing"));
  caller& late = ask();
  ASSERT_TRUE(late.failure);
  EXPECT_EQ(late.failure->portable_code(), errc::connection_closed);
  EXPECT_FALSE(made->try_acquire());
}

TEST_F(pool_closing, at_the_deadline_sessions_are_interrupted) {
  make();
  server->hang(false, true);
  std::optional<error> failure;
  const auto work = [](pool& p, std::optional<error>& why) -> task<void> {
    try {
      lease mine = co_await p.acquire();
      const statement query("SELECT pg_sleep(3600)");
      co_await mine.sql().execute(query);
    } catch (const error& e) {
      why.emplace(e);
    }
  };
  loop->spawn(work(*made, failure));
  ready();
  const ending& end = close_within(5s);
  pass(4999ms);
  EXPECT_FALSE(end.done);
  EXPECT_FALSE(failure);
  pass(1ms);
  EXPECT_TRUE(end.done);
  EXPECT_FALSE(end.gentle);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->portable_code(), errc::connection_closed);
  EXPECT_EQ(server->open_sessions(), 0U);
  EXPECT_EQ(log->with("were interrupted connection=primary sessions=1").size(), 1U);
  EXPECT_TRUE(close_within(0ns).gentle);  // nothing left to interrupt
}

TEST_F(pool_closing, sessions_being_opened_or_cleaned_are_waited_for) {
  server->connect_takes(1s);
  make();
  caller& opening = ask();
  pass(500ms);
  const ending& end = close_within(1h);
  pass(1s);
  EXPECT_TRUE(opening.failure);
  EXPECT_TRUE(end.done);
  EXPECT_TRUE(end.gentle);
  EXPECT_EQ(server->open_sessions(), 0U);
  EXPECT_EQ(now().open, 0U);
  EXPECT_FALSE(made->last_connect_failure());  // the pool gave up, not the server
}

TEST_F(pool_closing, two_who_close_at_once_both_see_the_end) {
  make();
  lease one = get();
  const ending& a = close_within(1h);
  const ending& b = close_within(1h);
  one.release();
  ready();
  EXPECT_TRUE(a.gentle);
  EXPECT_TRUE(b.gentle);
}

TEST_F(pool_closing, a_closed_pool_can_be_reopened) {
  make();
  lease old = get();
  close_within(0ns);
  made->reopen();
  EXPECT_FALSE(made->closed());
  caller& who = ask();
  EXPECT_TRUE(who.held);
  EXPECT_EQ(now().open, 2U);
  old.release();  // of the time before
  ready();
  EXPECT_EQ(now().open, 1U);
  EXPECT_EQ(now().closed_for(close_cause::broken), 1U);  // it was interrupted
  who.release();
  EXPECT_EQ(now().idle, 1U);
  made->reopen();  // nothing to do
  EXPECT_EQ(now().idle, 1U);
}

TEST_F(pool_closing, an_opener_of_the_time_before_does_not_fail_new_callers) {
  options.max_open = 1;
  server->connect_takes(100ms);
  make();
  ask();
  pass(50ms);
  const auto closing = [](pool& p) -> task<void> { co_await p.close(); };
  const auto reopening = [](pool_closing& test) -> task<void> {  // before the opener notices that it has to stop
    test.made->reopen();
    test.ask_later();
    co_return;
  };
  loop->spawn(closing(*made));
  loop->spawn(reopening(*this));
  pass(1s);
  ASSERT_EQ(callers.size(), 2U);
  EXPECT_TRUE(callers[0].failure);
  EXPECT_TRUE(callers[1].held);
  EXPECT_EQ(server->most_open_sessions(), 1U);
  EXPECT_EQ(now().connect_failures, 0U);
}

TEST_F(pool_closing, reopening_ends_a_drain_that_still_waits) {
  make();
  lease one = get();
  const ending& end = close_within(1h);
  made->reopen();
  ready();
  EXPECT_TRUE(end.done);
  EXPECT_TRUE(end.gentle);
  EXPECT_FALSE(one.session().broken());
  one.release();  // of the time before
  ready();
  EXPECT_EQ(now().closed_for(close_cause::generation), 1U);
}

TEST_F(pool_closing, maintenance_goes_on_after_reopening) {
  options.max_idle_time = 10s;
  make();
  get().release();
  close_within(1s);
  made->reopen();
  get().release();
  pass(11s);
  EXPECT_EQ(now().open, 0U);
  EXPECT_EQ(now().closed_for(close_cause::idle_time), 1U);
}

TEST_F(pool_closing, retire_and_resize_of_a_closed_pool_do_nothing_bad) {
  make();
  lease one = get();
  close_within(0ns);
  made->retire_all();
  made->resize(1, 3, 3);
  one.release();
  pass(1h);
  EXPECT_EQ(server->open_sessions(), 0U);
  EXPECT_EQ(now().open, 0U);
}

TEST_F(pool_closing, a_background_that_goes_takes_nothing_with_it_that_stays_open) {
  server->connect_takes(100ms);
  options.max_open = options.max_idle = 4;
  make();
  for (int i = 0; i < 3; ++i) ask_later();
  pass(100ms);
  execute(callers[0].held, "BEGIN");
  server->hang(false, true);
  callers[0].release();       // being reset
  callers[1].held.discard();  // being closed
  ask_later();                // something being opened
  std::weak_ptr<log_capture> pool_lives = log;
  log.reset();  // the pool's copy is the last one
  ready();
  made.reset();
  callers.clear();
  loop.reset();
  EXPECT_EQ(server->open_sessions(), 0U);
  EXPECT_TRUE(pool_lives.expired());  // nothing keeps the pool alive
}

TEST_F(pool_closing, nothing_keeps_a_pool_alive) {
  make();
  std::weak_ptr<log_capture> pool_lives = log;
  log.reset();
  get().release();
  lease last = get();
  made.reset();
  ready();
  EXPECT_FALSE(pool_lives.expired());
  last.release();
  EXPECT_TRUE(pool_lives.expired());
}

}  // namespace
}  // namespace polypool
