// SPDX-License-Identifier: Apache-2.0
// What stands between calls and a server that fails: breaker, retries, bulkhead.
#include "support/fake_manager.hpp"

#include <polypool/retry.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace polypool {
namespace {

using namespace std::chrono_literals;
using testing::error_of;
using testing::fake_world;
using ::testing::HasSubstr;
using testing::lost;
using ::testing::Not;

config::settings no_retries() {
  config::settings base;
  base.defaults.retry_attempts = 1;
  return base;
}

class guard : public ::testing::Test {
 protected:
  errc query(fake_world& world, const sql_database& db, std::string text = "SELECT 1") {
    sql_database copy = db;
    try {
      world.run(copy.async_query(std::move(text)));
      return errc{};
    } catch (const error& e) {
      last_ = e;
      return e.portable_code();
    }
  }
  std::optional<error> last_;
};

TEST_F(guard, the_breaker_opens_answers_at_once_and_closes_after_trials) {
  fake_world world({"a"}, no_retries());
  auto db = world.mgr->sql("a");
  std::vector<connection_event> seen;
  const auto listening = world.mgr->events().subscribe([&](const connection_event& each) {
    if (to_string(each.kind).starts_with("circuit")) seen.push_back(each);
  });
  world.servers["a"]->fail_statements(lost());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(query(world, db), errc::connection_lost);
  const auto sent = world.servers["a"]->statements().size();
  const auto now = world.time.now();
  EXPECT_EQ(query(world, db), errc::circuit_open);
  EXPECT_EQ(world.time.now(), now);
  EXPECT_EQ(world.servers["a"]->statements().size(), sent) << "no call reaches the server";
  EXPECT_THAT(last_->what(), HasSubstr("connection 'a' query: the circuit breaker is open since "));
  EXPECT_THAT(last_->what(), HasSubstr(", until "));
  EXPECT_THAT(last_->what(), HasSubstr("10 of 10 calls failed"));
  EXPECT_EQ(world.mgr->get("a").breaker_snapshot().state, breaker_state::open);
  world.servers["a"]->heal();
  world.loop.advance(34s);  // the reset time and its jitter
  for (int i = 0; i < 3; ++i) EXPECT_EQ(query(world, db), errc{});
  EXPECT_EQ(world.mgr->get("a").breaker_snapshot().state, breaker_state::closed);
  world.loop.run_ready();
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0].kind, event_kind::circuit_open);
  EXPECT_EQ(seen[0].connection, "a");
  EXPECT_EQ(seen[0].from, "closed");
  EXPECT_EQ(seen[1].kind, event_kind::circuit_half_open);
  EXPECT_EQ(seen[2].kind, event_kind::circuit_closed);
  EXPECT_EQ(world.mgr->get("a").statistics().breaker.opened, 1U);
}

TEST_F(guard, what_the_server_says_about_statements_never_trips_it) {
  fake_world world({"a"}, no_retries());
  auto db = world.mgr->sql("a");
  world.servers["a"]->fail_statements(error(errc::unique_violation, "duplicate key"));
  for (int i = 0; i < 50; ++i) EXPECT_EQ(query(world, db), errc::unique_violation);
  EXPECT_EQ(world.mgr->get("a").breaker_snapshot().state, breaker_state::closed);
  EXPECT_EQ(world.mgr->get("a").breaker_snapshot().failures, 0U);
}

TEST_F(guard, refused_connects_and_timeouts_trip_it) {
  for (const bool connects : {true, false}) {
    auto base = no_retries();
    base.defaults.query_timeout = 100ms;
    fake_world world({"a"}, base);
    auto db = world.mgr->sql("a");
    if (connects) {
      world.servers["a"]->fail_connects(error(errc::connect_failed, "refused"));
    } else {
      world.servers["a"]->hang(false, true);
    }
    errc last{};
    for (int i = 0; i < 12; ++i) last = query(world, db);
    EXPECT_EQ(last, errc::circuit_open) << connects;
  }
}

TEST_F(guard, the_wait_for_a_lease_is_not_the_servers_fault) {
  auto base = no_retries();
  base.defaults.max_open_conns = 1;
  base.defaults.acquire_timeout = 10ms;
  fake_world world({"a"}, base);
  auto db = world.mgr->sql("a");
  const auto held = world.run(db.async_lease());
  for (int i = 0; i < 30; ++i) EXPECT_EQ(query(world, db), errc::pool_timeout);
  EXPECT_EQ(world.mgr->get("a").breaker_snapshot().state, breaker_state::closed);
  EXPECT_EQ(world.mgr->get("a").breaker_snapshot().calls, 0U);
}

TEST_F(guard, trials_that_wait_for_a_lease_or_are_dropped_never_get_it_stuck) {
  auto base = no_retries();
  base.defaults.max_open_conns = 1;
  base.defaults.acquire_timeout = 1s;
  base.defaults.circuit_trials = 1;
  fake_world world({"a"}, base);
  auto db = world.mgr->sql("a");
  world.servers["a"]->fail_statements(lost());
  for (int i = 0; i < 10; ++i) query(world, db);
  world.servers["a"]->heal();
  world.loop.advance(34s);
  {
    // The only trial gets no session.
    const auto held = world.run(world.mgr->get("a").async_lease());
    EXPECT_EQ(query(world, db), errc::pool_timeout);
    EXPECT_EQ(query(world, db), errc::pool_timeout) << "its place is free again";
  }
  EXPECT_EQ(query(world, db), errc{});
  EXPECT_EQ(world.mgr->get("a").breaker_snapshot().state, breaker_state::closed);
}

TEST_F(guard, a_breaker_of_one_connection_is_no_matter_of_another) {
  fake_world world({"a", "b"}, no_retries());
  auto a = world.mgr->sql("a");
  auto b = world.mgr->sql("b");
  world.servers["a"]->fail_statements(lost());
  for (int i = 0; i < 10; ++i) query(world, a);
  EXPECT_EQ(query(world, a), errc::circuit_open);
  EXPECT_EQ(query(world, b), errc{});
}

TEST_F(guard, by_hand) {
  fake_world world({"a"}, no_retries());
  auto db = world.mgr->sql("a");
  auto connection = world.mgr->get("a");
  connection.force_breaker(breaker_action::open);
  EXPECT_EQ(query(world, db), errc::circuit_open);
  EXPECT_THAT(last_->what(), HasSubstr("held open by hand"));
  world.loop.advance(10min);
  EXPECT_EQ(query(world, db), errc::circuit_open);
  connection.force_breaker(breaker_action::release);
  EXPECT_EQ(query(world, db), errc{});
  connection.force_breaker(breaker_action::close);
  world.servers["a"]->fail_statements(lost());
  for (int i = 0; i < 30; ++i) EXPECT_EQ(query(world, db), errc::connection_lost);
}

TEST_F(guard, may_be_switched_off) {
  auto base = no_retries();
  base.defaults.circuit_breaker = false;
  fake_world world({"a"}, base);
  auto db = world.mgr->sql("a");
  world.servers["a"]->fail_statements(lost());
  for (int i = 0; i < 30; ++i) EXPECT_EQ(query(world, db), errc::connection_lost);
}

TEST_F(guard, what_counts_can_be_chosen) {
  fake_world world({"a"}, no_retries(), [](manager_options& options) {
    options.counts_as_failure = [](const error& why) { return why.portable_code() == errc::disk_full; };
  });
  auto db = world.mgr->sql("a");
  world.servers["a"]->fail_statements(lost());
  for (int i = 0; i < 30; ++i) EXPECT_EQ(query(world, db), errc::connection_lost);
  world.servers["a"]->fail_statements(error(errc::disk_full, "no space left"));
  for (int i = 0; i < 30; ++i) query(world, db);
  EXPECT_EQ(query(world, db), errc::circuit_open);
}

// retries ------------------------------------------------------------------------------------------------------------

TEST_F(guard, what_is_retryable_is_made_again_with_a_pause) {
  fake_world world({"a"});
  auto db = world.mgr->sql("a");
  world.servers["a"]->fail_statements(error(errc::deadlock, "deadlock detected").with_sqlstate("40P01"), 2);
  EXPECT_EQ(query(world, db), errc{});
  EXPECT_EQ(world.servers["a"]->statements().size(), 3U);
  EXPECT_EQ(world.mgr->get("a").statistics().retries, 2U);
  world.servers["a"]->fail_statements(error(errc::deadlock, "deadlock detected"), 3);
  EXPECT_EQ(query(world, db), errc::deadlock) << "three attempts are all";
}

TEST_F(guard, what_is_in_doubt_only_when_the_call_says_it_may) {
  fake_world world({"a"});
  auto db = world.mgr->sql("a");
  world.servers["a"]->fail_statements(lost(), 1);
  EXPECT_EQ(query(world, db, "INSERT …"), errc::connection_lost);
  EXPECT_EQ(world.servers["a"]->statements().size(), 1U);
  world.servers["a"]->fail_statements(lost(), 1);
  EXPECT_EQ(query(world, db.with(call().idempotent()), "INSERT …"), errc{});
  EXPECT_EQ(world.servers["a"]->statements().size(), 3U);
}

TEST_F(guard, never_what_is_permanent) {
  fake_world world({"a"});
  auto db = world.mgr->sql("a");
  world.servers["a"]->fail_statements(error(errc::syntax_error, "syntax error"));
  EXPECT_EQ(query(world, db.with(call().idempotent())), errc::syntax_error);
  EXPECT_EQ(world.servers["a"]->statements().size(), 1U);
}

TEST_F(guard, never_a_statement_of_a_transaction) {
  fake_world world({"a"});
  auto db = world.mgr->sql("a");
  auto tx = world.run(db.async_begin());
  const auto before = world.servers["a"]->statements().size();
  world.servers["a"]->fail_statements(error(errc::serialization_failure, "could not serialize"), 1);
  EXPECT_EQ(error_of([&] { world.run(tx.async_query("SELECT 1")); }).code(), errc::serialization_failure);
  EXPECT_EQ(world.servers["a"]->statements().size(), before + 1);
}

TEST_F(guard, only_inside_of_the_deadline) {
  config::settings base;
  base.defaults.query_retry_delay = 10s;
  base.defaults.retry_attempts = 50;
  fake_world world({"a"}, base);
  auto db = world.mgr->sql("a").with(call().timeout(5s));
  world.servers["a"]->fail_statements(error(errc::deadlock, "deadlock detected"));
  const auto started = world.time.now();
  EXPECT_EQ(query(world, db), errc::deadlock) << "not a timeout: the last error says more";
  EXPECT_LT(world.time.now() - started, 5s);
}

TEST_F(guard, a_budget_keeps_an_outage_from_being_multiplied) {
  auto base = no_retries();
  base.defaults.retry_attempts = 3;
  base.defaults.circuit_breaker = false;
  fake_world world({"a"}, base);
  auto db = world.mgr->sql("a").with(call().idempotent());
  world.servers["a"]->fail_statements(error(errc::deadlock, "deadlock detected"));
  constexpr std::size_t calls = 1000;
  for (std::size_t i = 0; i < calls; ++i) query(world, db);
  // 500 tokens at 5 each: 100 retries, not 2,000.
  EXPECT_EQ(world.servers["a"]->statements().size(), calls + retry_budget::capacity / retry_budget::retry_cost);
  EXPECT_GT(world.mgr->get("a").statistics().retries_left_out, 0U);
}

TEST_F(guard, begin_is_safe_to_make_again) {
  fake_world world({"a"});
  world.run(world.mgr->async_connect());
  world.servers["a"]->fail_statements(lost(), 1);
  auto db = world.mgr->sql("a");
  auto tx = world.run(db.async_begin());
  world.run(tx.async_commit());
}

TEST_F(guard, whole_transactions_with_retry) {
  fake_world world({"a"});
  auto db = world.mgr->sql("a");
  int rounds = 0;
  const auto work = [&](transaction& tx) -> task<int> {
    ++rounds;
    if (rounds < 3) world.servers["a"]->fail_statements(error(errc::serialization_failure, "could not serialize"), 1);
    co_await tx.async_query("UPDATE …");
    co_return 7;
  };
  EXPECT_EQ(world.run(db.async_with_retry(work)), 7);
  EXPECT_EQ(rounds, 3);
  // Other errors come out as they are, after a rollback.
  rounds = 0;
  const auto wrong = [&](transaction& tx) -> task<void> {
    ++rounds;
    world.servers["a"]->fail_statements(error(errc::unique_violation, "duplicate"), 1);
    co_await tx.async_query("INSERT …");
  };
  EXPECT_EQ(error_of([&] { world.run(db.async_with_retry(wrong)); }).code(), errc::unique_violation);
  EXPECT_EQ(rounds, 1);
}

TEST_F(guard, a_commit_in_doubt_is_never_made_again) {
  fake_world world({"a"});
  auto db = world.mgr->sql("a");
  int rounds = 0;
  const auto work = [&](transaction& tx) -> task<void> {
    ++rounds;
    co_await tx.async_query("UPDATE …");
    world.servers["a"]->fail_statements(lost(), 1);  // the COMMIT
  };
  EXPECT_EQ(error_of([&] { world.run(db.async_with_retry(work)); }).code(), errc::in_doubt);
  EXPECT_EQ(rounds, 1);
}

// the bulkhead -------------------------------------------------------------------------------------------------------

TEST_F(guard, the_bulkhead_lets_so_many_calls_work_at_once) {
  config::settings base;
  base.defaults.max_concurrent = 3;
  fake_world world({"a"}, base);
  world.servers["a"]->statements_take(1s);
  auto db = world.mgr->sql("a");
  int done = 0;
  for (int i = 0; i < 10; ++i) {
    world.loop.spawn([](sql_database db, int& done) -> task<void> {
      co_await db.async_query("SELECT 1");
      ++done;
    }(db, done));
  }
  world.loop.run_ready();
  EXPECT_EQ(world.mgr->get("a").statistics().places.at_work, 3U);
  EXPECT_EQ(world.mgr->get("a").statistics().places.waiting, 7U);
  world.loop.advance(1s);
  EXPECT_EQ(done, 3);
  world.loop.advance(3s);
  EXPECT_EQ(done, 10);
  EXPECT_EQ(world.mgr->get("a").statistics().places.at_work, 0U);
}

TEST_F(guard, the_limit_over_all_connections) {
  config::settings base;
  base.max_concurrent_total = 2;
  fake_world world({"a", "b"}, base);
  for (const auto* name : {"a", "b"}) world.servers[name]->statements_take(1s);
  int done = 0;
  for (int i = 0; i < 6; ++i) {
    world.loop.spawn([](sql_database db, int& done) -> task<void> {
      co_await db.async_query("SELECT 1");
      ++done;
    }(world.mgr->sql(i % 2 == 0 ? "a" : "b"), done));
  }
  world.loop.advance(1s);
  EXPECT_EQ(done, 2);
  world.loop.advance(2s);
  EXPECT_EQ(done, 6);
}

TEST_F(guard, a_transaction_keeps_its_place_until_it_ends) {
  config::settings base;
  base.defaults.max_concurrent = 1;
  base.defaults.acquire_timeout = 1s;
  fake_world world({"a"}, base);
  auto db = world.mgr->sql("a").with(call().timeout(1s));
  auto tx = world.run(db.async_begin());
  world.run(tx.async_query("SELECT 1"));  // needs no second place
  EXPECT_EQ(query(world, db), errc::pool_timeout);
  EXPECT_THAT(last_->what(), HasSubstr("1 calls are at work, which is max_concurrent"));
  world.run(tx.async_commit());
  EXPECT_EQ(query(world, db), errc{});
}

TEST_F(guard, higher_priority_goes_first) {
  config::settings base;
  base.defaults.max_concurrent = 1;
  fake_world world({"a"}, base);
  world.servers["a"]->statements_take(1s);
  std::string order;
  for (const char who : {'n', 'l', 'h', 'c'}) {
    const auto rank = who == 'l'   ? priority::low
                      : who == 'h' ? priority::high
                      : who == 'c' ? priority::critical
                                   : priority::normal;
    world.loop.spawn([](sql_database db, std::string& order, char who) -> task<void> {
      co_await db.async_query("SELECT 1");
      order += who;
    }(world.mgr->sql("a").with(call().at(rank)), order, who));
    world.loop.run_ready();
  }
  world.loop.advance(10s);
  EXPECT_EQ(order, "nchl") << "the first one was at work already";
}

TEST_F(guard, a_queue_that_is_full_says_so) {
  config::settings base;
  base.defaults.max_concurrent = 1;
  base.defaults.max_waiting = 1;
  fake_world world({"a"}, base);
  world.servers["a"]->statements_take(1s);
  auto db = world.mgr->sql("a");
  for (int i = 0; i < 2; ++i) {
    world.loop.spawn([](sql_database db) -> task<void> { co_await db.async_query("SELECT 1"); }(db));
  }
  world.loop.run_ready();
  EXPECT_EQ(query(world, db), errc::pool_queue_full);
  world.loop.advance(5s);
}

}  // namespace
}  // namespace polypool
