// SPDX-License-Identifier: Apache-2.0
// Who gets which session, and when.
#include "pool_fixture.hpp"

#include <typeinfo>

namespace polypool {
namespace {

class pool_lease : public pool_fixture {};

TEST_F(pool_lease, opens_nothing_before_somebody_asks) {
  make();
  pass(1h);
  EXPECT_EQ(server->connects(), 0U);
  EXPECT_FALSE(made->try_acquire());
  EXPECT_EQ(server->connects(), 0U);
}

TEST_F(pool_lease, gives_a_working_session_and_takes_it_back) {
  make();
  {
    const lease one = get();
    ASSERT_TRUE(one);
    EXPECT_EQ(execute(one, "SELECT 1").size(), 1U);
    EXPECT_EQ(now().in_use, 1U);
    EXPECT_EQ(now().open, 1U);
  }
  EXPECT_EQ(now().idle, 1U);
  EXPECT_EQ(now().in_use, 0U);
}

TEST_F(pool_lease, the_warmest_session_goes_first) {
  options.max_open = options.max_idle = 3;
  make();
  lease a = get();
  lease b = get();
  lease c = get();
  const session* const last = &b.session();
  const session* const middle = &c.session();
  const session* const first = &a.session();
  a.release();
  c.release();
  b.release();
  const lease x = get();
  const lease y = get();
  const lease z = get();
  EXPECT_EQ(&x.session(), last);
  EXPECT_EQ(&y.session(), middle);
  EXPECT_EQ(&z.session(), first);
  EXPECT_EQ(server->connects(), 3U);
}

TEST_F(pool_lease, waiters_are_served_in_the_order_they_came) {
  options.max_open = 1;
  make();
  lease busy = get();
  for (int i = 0; i < 5; ++i) ask();
  busy.release();
  ready();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(callers[static_cast<std::size_t>(i)].held) << i;
    EXPECT_EQ(callers[static_cast<std::size_t>(i)].turn, i + 1);
    callers[static_cast<std::size_t>(i)].release();
    ready();
  }
  EXPECT_EQ(server->connects(), 1U);
}

TEST_F(pool_lease, a_newcomer_never_overtakes_a_waiter) {
  options.max_open = 1;
  make();
  lease busy = get();
  caller& waiting = ask();
  busy.release();  // handed over at this moment, although the waiter has not run yet
  EXPECT_FALSE(made->try_acquire());
  caller& newcomer = ask_later();
  ready();
  EXPECT_TRUE(waiting.held);
  EXPECT_FALSE(newcomer.done);
  waiting.release();
  ready();
  EXPECT_TRUE(newcomer.held);
}

TEST_F(pool_lease, a_newcomer_that_runs_first_still_comes_second) {
  options.max_open = 1;
  make();
  lease busy = get();
  caller& newcomer_to_be = ask();
  caller& next = ask_later();  // in front of the waiter in the loop's queue
  busy.release();
  ready();
  EXPECT_TRUE(newcomer_to_be.held);
  EXPECT_FALSE(next.done);
}

TEST_F(pool_lease, the_queue_is_bounded) {
  options.max_open = 1;
  options.max_waiting = 2;
  make();
  const lease busy = get();
  ask();
  ask();
  const caller& third = ask();
  ASSERT_TRUE(third.failure);
  EXPECT_EQ(third.failure->portable_code(), errc::pool_queue_full);
  EXPECT_THAT(third.failure->what(), HasSubstr("connection 'primary' acquire: already 2 callers wait"));
  EXPECT_THAT(third.failure->what(), HasSubstr("max_waiting"));
  EXPECT_EQ(now().refused, 1U);
  EXPECT_EQ(now().waiting, 2U);
}

TEST_F(pool_lease, the_queue_may_be_without_bounds) {
  options.max_waiting = 0;
  make();
  for (int i = 0; i < 100; ++i) ask();
  EXPECT_EQ(now().waiting, 98U);
}

TEST_F(pool_lease, never_more_than_the_maximum) {
  options.max_open = 3;
  options.max_opening = 8;
  server->connect_takes(20ms);
  make();
  for (int i = 0; i < 20; ++i) ask();
  pass(1s);
  EXPECT_EQ(now().in_use, 3U);
  EXPECT_EQ(server->most_open_sessions(), 3U);
}

TEST_F(pool_lease, a_pool_of_no_sessions_cannot_be) {
  options.max_open = 0;
  EXPECT_THROW(make(), error);
  options.max_open = 1;
  options.min_open = 2;
  EXPECT_THROW(make(), error);
}

TEST_F(pool_lease, a_caller_who_stops_leaves_the_queue) {
  options.max_open = 1;
  make();
  lease busy = get();
  caller& first = ask();
  caller& second = ask();
  first.stop_asking();
  ready();
  ASSERT_TRUE(first.failure);
  EXPECT_EQ(first.failure->portable_code(), errc::cancelled);
  EXPECT_EQ(now().waiting, 1U);
  EXPECT_EQ(now().timeouts, 0U);
  busy.release();
  ready();
  EXPECT_TRUE(second.held);
}

TEST_F(pool_lease, a_stop_after_the_hand_off_does_not_lose_the_session) {
  options.max_open = 1;
  make();
  lease busy = get();
  caller& first = ask();
  caller& second = ask();
  busy.release();
  first.stop_asking();  // it has the session, but has not run yet
  ready();
  EXPECT_TRUE(first.held);
  first.release();
  ready();
  EXPECT_TRUE(second.held);
}

TEST_F(pool_lease, a_timeout_at_the_moment_of_the_hand_off_does_not_lose_the_session) {
  options.max_open = 1;
  options.acquire_timeout = 100ms;
  make();
  lease busy = get();
  caller& first = ask();
  time.advance(100ms);  // its timer fires: it is out of the queue, but has not run yet
  busy.release();
  ready();
  ASSERT_TRUE(first.failure);
  EXPECT_EQ(now().idle, 1U);
  caller& second = ask();
  EXPECT_TRUE(second.held);
}

TEST_F(pool_lease, a_dropped_waiter_passes_its_session_on) {
  options.max_open = 1;
  make();
  lease busy = get();
  auto other_loop = std::make_unique<testing::virtual_loop>(time);
  caller dropped;
  other_loop->spawn(ask_for(*made, dropped));
  other_loop->run_ready();
  caller& next = ask();
  busy.release();      // to the first, who never runs again
  other_loop.reset();  // its task goes
  ready();
  EXPECT_FALSE(dropped.done);
  EXPECT_TRUE(next.held);
}

TEST_F(pool_lease, a_deadline_that_has_passed_takes_what_is_there_but_does_not_wait) {
  options.max_open = 1;
  make();
  caller& late = ask(0ns);
  ASSERT_TRUE(late.failure);
  EXPECT_EQ(late.failure->portable_code(), errc::pool_timeout);
  EXPECT_EQ(server->connects(), 0U);
  get().release();
  EXPECT_TRUE(ask(0ns).held);
}

TEST_F(pool_lease, the_earlier_of_deadline_and_acquire_timeout_counts) {
  options.max_open = 1;
  options.acquire_timeout = 1s;
  make();
  const lease busy = get();
  caller& patient = ask();
  caller& hasty = ask(200ms);
  pass(199ms);
  EXPECT_FALSE(hasty.done);
  pass(1ms);
  ASSERT_TRUE(hasty.failure);
  EXPECT_EQ(hasty.failure->portable_code(), errc::pool_timeout);
  EXPECT_FALSE(patient.done);
  pass(800ms);
  ASSERT_TRUE(patient.failure);
  EXPECT_EQ(patient.failure->portable_code(), errc::pool_timeout);
  EXPECT_EQ(now().timeouts, 2U);
  EXPECT_EQ(now().waiting, 0U);
}

TEST_F(pool_lease, a_cancel_storm_stays_within_the_maximum) {
  options.max_open = options.max_idle = 4;
  options.max_opening = 4;
  server->connect_takes(50ms);
  make();
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 20; ++i) ask_later();
    pass(duration(7ms) * (round % 9));
    for (auto& each : callers) {
      if (each.held) {
        round % 3 == 0 ? each.held.discard() : each.held.release();
      }
      each.stop_asking();
    }
    pass(duration(3ms) * (round % 5));
  }
  for (auto& each : callers) each.held.release();
  pass(1s);
  for (const auto& each : callers) EXPECT_TRUE(each.done);
  EXPECT_LE(server->most_open_sessions(), 4U);
  EXPECT_EQ(now().waiting, 0U);
  EXPECT_EQ(now().in_use, 0U);
  EXPECT_EQ(server->open_sessions(), now().open);
}

TEST_F(pool_lease, outlives_its_pool) {
  make();
  lease one = get();
  made.reset();
  EXPECT_EQ(server->open_sessions(), 1U);
  EXPECT_EQ(one.session().broken(), true);  // interrupted: the pool is gone
  one.release();
  EXPECT_EQ(server->open_sessions(), 0U);
}

TEST_F(pool_lease, waiters_fail_when_the_pool_goes) {
  options.max_open = 1;
  make();
  lease one = get();
  caller& waiting = ask();
  made.reset();
  ready();
  ASSERT_TRUE(waiting.failure);
  EXPECT_EQ(waiting.failure->portable_code(), errc::connection_closed);
}

TEST_F(pool_lease, an_opener_that_starts_after_the_pool_is_gone_does_nothing) {
  make();
  caller& waiting = ask_later();
  waiting.stop_asking();
  loop->spawn([](std::unique_ptr<pool>& gone) -> task<void> {
    gone.reset();
    co_return;
  }(made));
  ready();
  EXPECT_EQ(server->open_sessions(), 0U);
}

TEST_F(pool_lease, moves_and_swaps) {
  make();
  lease a = get();
  lease b = std::move(a);
  EXPECT_FALSE(a);  // NOLINT: that it is empty is the point
  EXPECT_TRUE(b);
  a = std::move(b);
  EXPECT_TRUE(a);
  a.release();
  a.release();
  EXPECT_EQ(now().idle, 1U);
  a.discard();
  EXPECT_EQ(now().idle, 1U);
}

TEST_F(pool_lease, a_broken_or_discarded_session_does_not_come_back) {
  make();
  lease one = get();
  one.discard();
  ready();
  EXPECT_EQ(now().open, 0U);
  lease two = get();
  two->interrupt();
  two.release();
  ready();
  EXPECT_EQ(now().open, 0U);
  EXPECT_EQ(now().closed_for(close_cause::broken), 2U);
  EXPECT_EQ(server->open_sessions(), 0U);
}

TEST_F(pool_lease, a_discarded_session_is_replaced_for_waiters) {
  options.max_open = 1;
  make();
  lease one = get();
  caller& waiting = ask();
  one.discard();
  ready();
  EXPECT_TRUE(waiting.held);
  EXPECT_EQ(server->most_open_sessions(), 1U);  // the old one was gone before the new one came
}

TEST_F(pool_lease, the_native_handle_is_checked_and_makes_the_session_dirty) {
  make();
  lease one = get();
  EXPECT_EQ(one.native<testing::fake_server*>(), server.get());
  try {
    one.native<int*>();
    ADD_FAILURE() << "an int* came out";
  } catch (const error& e) {
    EXPECT_EQ(e.portable_code(), errc::type_mismatch);
    EXPECT_THAT(e.what(), HasSubstr("fake_server*"));
    EXPECT_THAT(e.what(), HasSubstr("int*"));
  }
  one.release();
  ready();
  EXPECT_EQ(server->resets(), 1U);
}

TEST_F(pool_lease, a_dirty_session_is_reset_before_the_next_caller_has_it) {
  options.max_open = 1;
  make();
  lease one = get();
  execute(one, "BEGIN");
  caller& waiting = ask();
  one.release();
  EXPECT_EQ(now().in_use, 1U);
  EXPECT_FALSE(waiting.done);
  ready();
  ASSERT_TRUE(waiting.held);
  EXPECT_EQ(waiting.held.sql().transaction(), sql_session::transaction_state::none);
  EXPECT_EQ(server->resets(), 1U);
  waiting.release();
  EXPECT_EQ(server->resets(), 1U);  // clean now: no second one
}

TEST_F(pool_lease, a_session_that_cannot_be_reset_goes) {
  options.max_open = 1;
  make();
  server->fail_resets(error(errc::connection_lost, "gone"), 1);
  lease one = get();
  execute(one, "BEGIN");
  caller& waiting = ask();
  one.release();
  ready();
  ASSERT_TRUE(waiting.held);
  EXPECT_EQ(now().closed_for(close_cause::broken), 1U);
  EXPECT_EQ(server->connects(), 2U);
  EXPECT_EQ(server->open_sessions(), 1U);
}

TEST_F(pool_lease, a_reset_that_hangs_ends_after_the_probe_timeout) {
  options.probe_timeout = 2s;
  make();
  lease one = get();
  execute(one, "BEGIN");
  server->hang(false, true);
  one.release();
  pass(1999ms);
  EXPECT_EQ(now().in_use, 1U);
  pass(1ms);
  EXPECT_EQ(now().open, 0U);
}

}  // namespace
}  // namespace polypool
