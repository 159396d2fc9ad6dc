// SPDX-License-Identifier: Apache-2.0
// What happens to sessions over time: expiry, keepalive, probes, generations, resizing, leaks.
#include "pool_fixture.hpp"

#include <algorithm>
#include <set>

namespace polypool {
namespace {

class pool_upkeep : public pool_fixture {
 protected:
  /// Leaves this many sessions idle.
  void fill(std::size_t count) {
    std::vector<lease> all;
    for (std::size_t i = 0; i < count; ++i) all.push_back(get());
  }
};

TEST_F(pool_upkeep, idle_sessions_end_spread_out) {
  options.max_open = options.max_idle = 20;
  options.max_idle_time = 100s;
  make();
  fill(20);
  pass(89s);
  EXPECT_EQ(now().idle, 20U);
  std::uint32_t most_at_once = 0;
  std::uint32_t before = 20;
  for (int i = 0; i < 120; ++i) {
    pass(100ms);
    most_at_once = std::max(most_at_once, before - now().idle);
    before = now().idle;
  }
  EXPECT_EQ(now().open, 0U);
  EXPECT_LE(most_at_once, 8U);
  EXPECT_EQ(now().closed_for(close_cause::idle_time), 20U);
  EXPECT_EQ(server->open_sessions(), 0U);
}

TEST_F(pool_upkeep, lifetimes_end_spread_out) {
  options.max_open = options.max_idle = options.min_open = 20;
  options.max_lifetime = 1000s;
  options.max_idle_time = 0ns;
  options.probe_after = 0ns;
  make();
  fill(20);
  pass(899s);
  EXPECT_EQ(now().closed_for(close_cause::lifetime), 0U);
  std::uint64_t most_at_once = 0;
  std::uint64_t before = 0;
  for (int i = 0; i < 120; ++i) {
    pass(1s);
    const auto all = now().closed_for(close_cause::lifetime);
    most_at_once = std::max(most_at_once, all - before);
    before = all;
    EXPECT_GE(now().idle, 12U);  // replaced as they go
  }
  EXPECT_EQ(before, 20U);
  EXPECT_LE(most_at_once, 8U);
  EXPECT_EQ(now().idle, 20U);
}

TEST_F(pool_upkeep, a_session_on_loan_past_its_lifetime_ends_when_it_comes_back) {
  options.max_lifetime = 10s;
  make();
  lease one = get();
  pass(11s);
  EXPECT_EQ(now().open, 1U);
  one.release();
  ready();
  EXPECT_EQ(now().open, 0U);
  EXPECT_EQ(now().closed_for(close_cause::lifetime), 1U);
}

TEST_F(pool_upkeep, a_lifetime_shorter_than_all_else_ends_on_time) {
  options.max_lifetime = 2s;
  options.max_idle_time = 0ns;
  make();
  pass(1h);
  fill(2);
  pass(1700ms);
  EXPECT_EQ(now().idle, 2U);
  pass(400ms);
  EXPECT_EQ(now().open, 0U);
}

TEST_F(pool_upkeep, idle_expiry_does_not_stall_below_a_busy_warm_session) {
  options.max_open = options.max_idle = 5;
  options.max_idle_time = 60s;
  make();
  fill(5);
  for (int i = 0; i < 70; ++i) {  // one session is enough, and always the same one
    pass(1s);
    get().release();
  }
  EXPECT_EQ(now().open, 1U);
  EXPECT_EQ(now().closed_for(close_cause::idle_time), 4U);
}

TEST_F(pool_upkeep, idle_expiry_keeps_the_minimum_without_churn) {
  options.max_open = options.max_idle = 5;
  options.min_open = 2;
  options.max_idle_time = 10s;
  options.max_lifetime = 0ns;
  make();
  fill(5);
  pass(10min);
  EXPECT_EQ(now().idle, 2U);
  EXPECT_EQ(server->connects(), 5U);
  EXPECT_EQ(now().closed_for(close_cause::idle_time), 3U);
}

TEST_F(pool_upkeep, excess_idle_sessions_go_after_a_grace) {
  options.max_open = 6;
  options.max_idle = 2;
  make();
  fill(6);
  EXPECT_EQ(now().idle, 6U);
  pass(900ms);
  EXPECT_EQ(now().idle, 6U);
  pass(200ms);
  EXPECT_EQ(now().idle, 2U);
  EXPECT_EQ(now().closed_for(close_cause::idle_count), 4U);
}

TEST_F(pool_upkeep, a_busy_pool_does_not_churn) {
  options.max_open = 6;
  options.max_idle = 1;
  make();
  for (int i = 0; i < 200; ++i) {  // all six are needed twice a second
    fill(6);
    pass(500ms);
  }
  EXPECT_EQ(server->connects(), 6U);
  EXPECT_EQ(now().open, 6U);
}

TEST_F(pool_upkeep, nothing_happens_when_there_is_nothing_to_do) {
  make();
  fill(2);
  pass(20min);
  ASSERT_EQ(now().open, 0U);
  EXPECT_EQ(time.manual_timers()->earliest(), no_deadline);  // an idle pool costs no wake-ups
}

TEST_F(pool_upkeep, keepalive_probes_idle_sessions_one_after_the_other) {
  options.max_open = options.max_idle = 3;
  options.max_idle_time = 0ns;
  options.keepalive_interval = 60s;
  make();
  fill(3);
  pass(59s);
  EXPECT_EQ(server->probes(), 0U);
  server->hang(false, true);
  pass(1100ms);
  EXPECT_EQ(now().idle, 2U);  // one is being probed, the others are at hand
  server->heal();
  pass(10s);
  EXPECT_LE(now().idle, 2U);
  EXPECT_EQ(now().closed_for(close_cause::broken), 1U);  // the one that got no answer
  EXPECT_EQ(server->probes(), 2U);                       // the others were suspected and probed at once
}

TEST_F(pool_upkeep, keepalive_repeats_at_its_interval) {
  options.max_open = options.max_idle = 4;
  options.max_idle_time = 0ns;
  options.max_lifetime = 0ns;
  options.keepalive_interval = 60s;
  make();
  fill(4);
  pass(601s);
  EXPECT_EQ(server->probes(), 40U);
  EXPECT_EQ(now().idle, 4U);
  EXPECT_EQ(server->connects(), 4U);
}

TEST_F(pool_upkeep, keepalive_finds_dead_sessions) {
  options.min_open = 2;
  options.max_idle_time = 0ns;
  options.keepalive_interval = 30s;
  make();
  fill(2);
  server->cut_all();
  pass(31s);
  EXPECT_EQ(now().closed_for(close_cause::broken), 2U);
  EXPECT_EQ(now().idle, 2U);  // fresh ones
  EXPECT_EQ(server->connects(), 4U);
}

TEST_F(pool_upkeep, a_probe_only_after_half_a_second) {
  make();
  get().release();
  pass(500ms);
  get().release();
  EXPECT_EQ(server->probes(), 0U);
  pass(501ms);
  EXPECT_FALSE(made->try_acquire());  // not without a probe
  get().release();
  EXPECT_EQ(server->probes(), 1U);
  EXPECT_TRUE(made->try_acquire());
}

TEST_F(pool_upkeep, dead_idle_sessions_are_replaced_on_lease) {
  options.max_open = options.max_idle = 4;
  make();
  fill(4);
  server->cut_all();
  pass(1s);
  const lease one = get();
  EXPECT_EQ(execute(one, "SELECT 1").size(), 1U);
  ready();
  EXPECT_EQ(now().closed_for(close_cause::broken), 4U);  // the others were found out, too
  EXPECT_EQ(server->open_sessions(), 1U);
}

TEST_F(pool_upkeep, a_pool_full_of_silent_sessions_costs_one_probe_timeout) {
  options.max_open = options.max_idle = 10;
  options.probe_timeout = 5s;
  make();
  fill(10);
  pass(1s);
  server->hang(false, true);
  caller& who = ask();
  pass(5s);
  server->heal();
  pass(5s);
  EXPECT_TRUE(who.held);
}

TEST_F(pool_upkeep, a_probe_ends_with_the_callers_deadline) {
  options.max_open = 1;
  options.probe_timeout = 30s;
  make();
  fill(1);
  pass(1s);
  server->hang(false, true);
  caller& who = ask(2s);
  pass(2s);
  ASSERT_TRUE(who.failure);
  EXPECT_EQ(who.failure->portable_code(), errc::pool_timeout);
  EXPECT_THAT(who.failure->what(), HasSubstr("an idle session did not answer its probe"));
  EXPECT_EQ(now().open, 1U);  // the caller's time was over, not the session's
  server->heal();
  ask(1s);
  pass(30s);
  EXPECT_EQ(now().closed_for(close_cause::broken), 1U);  // its reset hangs, too
}

TEST_F(pool_upkeep, one_whose_session_was_dead_goes_before_those_who_came_later) {
  options.max_open = 1;
  server->connect_takes(10ms);
  make();
  fill(1);
  pass(1s);
  server->hang(false, true);
  caller& first = ask();
  caller& second = ask();
  pass(5s);
  server->heal();
  pass(1s);
  EXPECT_TRUE(first.held);
  EXPECT_FALSE(second.done);
}

TEST_F(pool_upkeep, all_old_sessions_retire_at_once) {
  options.max_open = options.max_idle = 3;
  make();
  lease on_loan = get();
  lease other = get();
  other.release();
  made->retire_all();
  ready();
  EXPECT_EQ(now().open, 1U);
  on_loan.release();
  ready();
  EXPECT_EQ(now().open, 0U);
  EXPECT_EQ(now().closed_for(close_cause::generation), 2U);
}

TEST_F(pool_upkeep, one_that_is_being_opened_retires_too) {
  server->connect_takes(100ms);
  make();
  caller& who = ask();
  pass(50ms);
  made->retire_all();
  pass(50ms);
  EXPECT_FALSE(who.done);
  EXPECT_EQ(now().closed_for(close_cause::generation), 1U);
  pass(100ms);
  EXPECT_TRUE(who.held);
}

TEST_F(pool_upkeep, the_maximum_shrinks_and_grows_live) {
  options.max_open = options.max_idle = 4;
  make();
  std::vector<lease> all;
  for (int i = 0; i < 4; ++i) all.push_back(get());
  all[0].release();
  made->resize(0, 2, 2);
  ready();
  EXPECT_EQ(now().open, 3U);  // the idle one went
  all[1].release();
  ready();
  EXPECT_EQ(now().open, 2U);
  all[2].release();
  ready();
  EXPECT_EQ(now().open, 2U);
  EXPECT_EQ(now().idle, 1U);
  EXPECT_EQ(now().closed_for(close_cause::resize), 2U);
  const lease another = get();
  caller& waiting = ask();
  EXPECT_FALSE(waiting.done);
  made->resize(0, 5, 5);
  ready();
  EXPECT_TRUE(waiting.held);
  EXPECT_EQ(now().max_open, 5U);
}

TEST_F(pool_upkeep, shrinking_closes_no_more_than_it_has_to) {
  options.max_open = options.max_idle = 6;
  make();
  std::vector<lease> all;
  for (int i = 0; i < 6; ++i) all.push_back(get());
  for (std::size_t i = 0; i < 3; ++i) all[i].release();
  made->resize(0, 3, 3);
  all[3].release();  // while the idle ones are still being closed
  ready();
  EXPECT_EQ(now().open, 3U);
}

TEST_F(pool_upkeep, one_that_is_being_opened_does_not_pass_a_smaller_maximum) {
  options.max_open = options.max_idle = 5;
  server->connect_takes(100ms);
  make();
  for (int i = 0; i < 4; ++i) ask();
  pass(100ms);
  ask();
  made->resize(0, 4, 4);
  pass(100ms);
  EXPECT_EQ(now().open, 4U);
  EXPECT_EQ(now().closed_for(close_cause::resize), 1U);
}

TEST_F(pool_upkeep, the_minimum_grows_live) {
  make();
  made->resize(2, 4, 4);
  ready();
  EXPECT_EQ(now().idle, 2U);
  EXPECT_THROW(made->resize(5, 4, 4), error);
  EXPECT_THROW(made->resize(0, 0, 0), error);
  EXPECT_EQ(now().max_open, 4U);
}

TEST_F(pool_upkeep, a_leak_is_reported_once_with_its_place) {
  options.leak_threshold = 10s;
  make();
  const lease kept = loop->run(made->acquire());
  const int line = __LINE__ - 1;
  pass(9s);
  EXPECT_EQ(now().leaks, 0U);
  pass(1h);
  EXPECT_EQ(now().leaks, 1U);
  const auto records = log->with("leak");
  ASSERT_EQ(records.size(), 1U);
  EXPECT_THAT(records[0], HasSubstr("upkeep_test.cpp:" + std::to_string(line)));
  EXPECT_THAT(records[0], HasSubstr("held=10s"));
  EXPECT_THAT(records[0], HasSubstr("connection=primary"));
}

TEST_F(pool_upkeep, a_leak_is_reported_again_for_the_next_lease) {
  options.leak_threshold = 10s;
  make();
  for (int i = 0; i < 3; ++i) {
    lease kept = get();
    lease brief = get();
    pass(5s);
    brief.release();
    pass(6s);
  }
  EXPECT_EQ(now().leaks, 3U);
}

}  // namespace
}  // namespace polypool
