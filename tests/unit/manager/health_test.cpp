// SPDX-License-Identifier: Apache-2.0
// What checks see, what connections count as after several, and when they are checked.
#include "support/fake_manager.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace polypool {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::error_of;
using testing::fake_connection;
using testing::fake_world;
using ::testing::HasSubstr;
using enum health_status;

const error refused(errc::connect_failed, "refused");

config::settings calm() {
  config::settings base;
  base.defaults.health_check_interval = 0s;  // only explicit checks
  base.defaults.retry_attempts = 1;
  base.defaults.probe_after = 1ns;
  return base;
}

void kill(fake_world& world, const std::string& name) {
  world.servers[name]->cut_all();
  world.servers[name]->fail_connects(refused);
  world.time.advance(1s);
}

std::vector<std::string> happened(const manager& mgr) {
  std::vector<std::string> out;
  for (const auto& each : mgr.events().recent()) {
    auto& text = out.emplace_back(std::string(to_string(each.kind)) + " " + each.connection);
    if (!each.to.empty()) text += " " + each.from + ">" + each.to;
  }
  return out;
}

TEST(thresholds, three_failures_make_it_unhealthy_and_two_good_checks_healthy_again) {
  fake_world world({"a"}, calm());
  world.run(world.mgr->async_connect());
  auto a = world.mgr->get("a");
  EXPECT_EQ(a.health(), healthy);
  kill(world, "a");
  for (const auto expected : {degraded, degraded, unhealthy, unhealthy}) {
    const auto seen = world.run(a.async_health_check());
    EXPECT_EQ(seen.status, unhealthy);  // what it saw, at once
    EXPECT_THAT(seen.detail, HasSubstr("Connection 'a' is unhealthy: "));
    EXPECT_EQ(a.health(), expected);
    EXPECT_EQ(a.is_healthy(), expected == degraded);
    EXPECT_EQ(world.mgr->is_healthy(), expected == degraded);  // the only one is critical
  }
  world.servers["a"]->heal();
  EXPECT_EQ(world.run(a.async_health_check()).status, healthy);
  EXPECT_EQ(a.health(), unhealthy);
  EXPECT_EQ(world.run(a.async_health_check()).status, healthy);
  EXPECT_EQ(a.health(), healthy);
  EXPECT_THAT(
      happened(*world.mgr),
      ElementsAre("health-change a unknown>healthy", "connection-error a", "health-change a healthy>degraded",
                  "health-change a degraded>unhealthy", "connection-recovery a", "health-change a unhealthy>healthy"));
}

TEST(thresholds, are_configured) {
  auto base = calm();
  base.defaults.unhealthy_after = 1;
  base.defaults.healthy_after = 3;
  fake_world world({"a"}, base);
  world.run(world.mgr->async_connect());
  auto a = world.mgr->get("a");
  kill(world, "a");
  world.run(a.async_health_check());
  EXPECT_EQ(a.health(), unhealthy);
  world.servers["a"]->heal();
  for (const auto expected : {unhealthy, unhealthy, healthy}) {
    world.run(a.async_health_check());
    EXPECT_EQ(a.health(), expected);
  }
}

TEST(thresholds, a_good_check_in_between_starts_over) {
  fake_world world({"a"}, calm());
  world.run(world.mgr->async_connect());
  auto a = world.mgr->get("a");
  for (int round = 0; round < 5; ++round) {
    world.servers["a"]->fail_probes(refused, 2);
    world.run(a.async_health_check());
    world.run(a.async_health_check());
    EXPECT_EQ(a.health(), degraded);
    world.servers["a"]->heal();
    world.run(a.async_health_check());
    EXPECT_EQ(a.health(), healthy);
  }
}

TEST(thresholds, connecting_decides_at_once) {
  fake_world world({"a", "b"}, calm());
  world.servers["a"]->fail_connects(refused);
  world.run(world.mgr->async_connect());
  EXPECT_EQ(world.mgr->get("a").health(), unhealthy);
  world.servers["a"]->heal();
  world.run(world.mgr->get("a").async_connect());
  EXPECT_EQ(world.mgr->get("a").health(), healthy);
  kill(world, "a");
  error_of([&] { world.run(world.mgr->get("a").async_reconnect()); });
  EXPECT_EQ(world.mgr->get("a").health(), unhealthy);
  world.servers["a"]->heal();
  world.run(world.mgr->get("a").async_reconnect());
  EXPECT_EQ(world.mgr->get("a").health(), healthy);
}

TEST(thresholds, what_never_worked_is_unhealthy_at_once) {
  auto base = calm();
  base.defaults.lazy_connect = true;
  fake_world world({"a"}, base);
  world.servers["a"]->fail_connects(refused);
  auto a = world.mgr->get("a");
  EXPECT_EQ(world.run(a.async_health_check()).status, unhealthy);
  EXPECT_EQ(a.health(), unhealthy);
  world.servers["a"]->heal();
  world.run(a.async_health_check());
  world.run(a.async_health_check());
  EXPECT_EQ(a.health(), healthy);
}

TEST(thresholds, closed_is_unknown_and_stays_so) {
  fake_world world({"a"}, calm());
  world.run(world.mgr->async_connect());
  auto a = world.mgr->get("a");
  world.run(a.async_close(1s));
  EXPECT_EQ(a.health(), unknown);
  EXPECT_EQ(world.run(a.async_health_check()).status, unhealthy);
  EXPECT_EQ(a.health(), unknown);
}

// degraded -----------------------------------------------------------------------------------------------------------

TEST(degraded, slow) {
  auto base = calm();
  base.defaults.slow_probe = 200ms;
  fake_world world({"a"}, base);
  world.run(world.mgr->async_connect());
  world.servers["a"]->cut_all();  // the check needs a new session
  world.servers["a"]->connect_takes(300ms);
  world.time.advance(1s);
  const auto seen = world.run(world.mgr->get("a").async_health_check());
  EXPECT_EQ(seen.status, degraded);
  EXPECT_THAT(seen.detail, HasSubstr("Connection 'a' is degraded: its check took "));
  EXPECT_TRUE(world.mgr->is_healthy());
  EXPECT_TRUE(world.run(world.mgr->async_health_check()).healthy);
  EXPECT_EQ(world.run(world.mgr->get("a").async_health_check()).status, healthy);
}

TEST(degraded, a_replica_that_lags) {
  fake_world world({"a"}, calm());
  world.run(world.mgr->async_connect());
  world.servers["a"]->set_role(server_info::role_type::replica);
  world.servers["a"]->set_lag(9s);
  EXPECT_EQ(world.run(world.mgr->get("a").async_health_check()).status, healthy);
  world.servers["a"]->set_lag(11s);
  const auto seen = world.run(world.mgr->get("a").async_health_check());
  EXPECT_EQ(seen.status, degraded);
  EXPECT_THAT(seen.detail, HasSubstr("it is 11s behind its primary"));
  EXPECT_EQ(world.mgr->get("a").health(), degraded);
}

TEST(degraded, a_circuit_breaker_that_is_not_closed) {
  fake_world world({"a"}, calm());
  world.run(world.mgr->async_connect());
  auto a = world.mgr->get("a");
  a.force_breaker(breaker_action::open);
  EXPECT_THAT(world.run(a.async_health_check()).detail, HasSubstr("degraded: its circuit breaker is open"));
  EXPECT_TRUE(world.mgr->is_healthy());
  a.force_breaker(breaker_action::release);
  EXPECT_EQ(world.run(a.async_health_check()).status, healthy);
  world.servers["a"]->fail_statements(testing::lost());
  for (int i = 0; i < 10; ++i) error_of([&] { world.run(a.sql().async_query("SELECT 1")); });
  world.servers["a"]->heal();
  world.servers["a"]->statements_take(1s);
  world.run(a.async_health_check());  // it answers, so trials may pass
  world.loop.spawn([](sql_database db) -> task<void> { co_await db.async_query("SELECT 1"); }(a.sql()));
  world.loop.run_ready();
  EXPECT_THAT(world.run(a.async_health_check()).detail, HasSubstr("degraded: its circuit breaker is half-open"));
  for (int i = 0; i < 3; ++i) world.run(a.sql().async_query("SELECT 1"));
  EXPECT_EQ(world.run(a.async_health_check()).status, healthy);
}

TEST(degraded, a_pool_in_which_callers_wait_is_not_asked_for_a_session) {
  auto base = calm();
  base.defaults.max_open_conns = 1;
  fake_world world({"a"}, base);
  world.run(world.mgr->async_connect());
  auto a = world.mgr->get("a");
  world.run(a.async_health_check());
  world.run(a.sql().async_query("SELECT 1"));  // a sign of life since the last check
  auto held = world.run(a.async_lease());
  int served = 0;
  world.loop.spawn([](connection from, int& count) -> task<void> {
    auto late = co_await from.async_lease();
    ++count;
  }(a, served));
  world.loop.run_ready();
  const auto probes = world.servers["a"]->probes();
  const auto seen = world.run(a.async_health_check());
  EXPECT_EQ(seen.status, degraded);
  EXPECT_THAT(seen.detail, HasSubstr("all 1 sessions are busy and 1 callers wait"));
  EXPECT_EQ(world.servers["a"]->probes(), probes);
  held.release();
  world.loop.run_ready();
  EXPECT_EQ(served, 1);
}

// history ------------------------------------------------------------------------------------------------------------

TEST(history, keeps_the_last_hundred) {
  fake_world world({"a"}, calm());
  auto a = world.mgr->get("a");
  EXPECT_TRUE(a.health_history().empty());
  world.run(world.mgr->async_connect());
  for (int i = 0; i < 120; ++i) world.run(a.async_health_check());
  world.servers["a"]->fail_probes(refused, 1);
  world.run(a.async_health_check());
  const auto kept = a.health_history();
  ASSERT_EQ(kept.size(), 100U);
  EXPECT_EQ(kept.front().found, healthy);
  EXPECT_EQ(kept.front().detail, "");
  EXPECT_EQ(kept.back().found, unhealthy);
  EXPECT_EQ(kept.back().status, degraded);
  EXPECT_THAT(kept.back().detail, HasSubstr("refused"));
  for (std::size_t i = 1; i < kept.size(); ++i) EXPECT_LE(kept[i - 1].at, kept[i].at);
  EXPECT_EQ(a.statistics().health_checks_failed, 1U);
}

// the monitor --------------------------------------------------------------------------------------------------------

TEST(monitor, looks_soon_after_the_first_use_then_on_its_schedule) {
  config::settings base;
  base.defaults.keepalive_interval = 0s;
  fake_world world({"a"}, base);
  world.run(world.mgr->async_connect());
  auto a = world.mgr->get("a");
  EXPECT_EQ(a.statistics().health_checks, 0U);
  world.loop.advance(1s);
  EXPECT_EQ(a.statistics().health_checks, 1U);
  world.loop.advance(23s);  // at least four fifths of 30 s later
  EXPECT_EQ(a.statistics().health_checks, 1U);
  world.loop.advance(7s);
  EXPECT_EQ(a.statistics().health_checks, 2U);
}

TEST(monitor, connections_that_begin_together_are_checked_apart) {
  config::settings base;
  base.defaults.keepalive_interval = 0s;
  std::vector<config::connection> many;
  for (int i = 0; i < 20; ++i) many.push_back(fake_connection("c" + std::to_string(i)));
  fake_world world(many, base);
  world.run(world.mgr->async_connect());
  world.loop.advance(20s);
  std::set<std::uint64_t> sums;
  int changes = 0;
  for (int step = 0; step < 60; ++step) {
    world.loop.advance(250ms);
    std::uint64_t sum = 0;
    for (const auto& each : world.mgr->get_all()) sum += each.statistics().health_checks;
    changes += sums.insert(sum).second ? 1 : 0;
  }
  EXPECT_GT(changes, 5);  // together they would have come in one step
}

TEST(monitor, can_be_stopped_and_started) {
  fake_world world({"a", "b"}, {});
  world.run(world.mgr->get("a").async_connect());
  EXPECT_TRUE(world.mgr->monitoring());
  world.mgr->stop_monitor();
  EXPECT_FALSE(world.mgr->monitoring());
  world.run(world.mgr->get("b").async_connect());  // its first use comes after the stop
  world.mgr->register_connection([] {
    auto late = fake_connection("late");
    late.where.host = "a";
    return late;
  }());
  world.run(world.mgr->get("late").async_connect());
  world.loop.advance(5min);
  for (const auto& each : world.mgr->get_all()) EXPECT_EQ(each.statistics().health_checks, 0U) << each.name();
  EXPECT_EQ(world.run(world.mgr->get("a").async_health_check()).status, healthy);
  world.mgr->start_monitor();
  world.loop.advance(1s);
  for (const auto& each : world.mgr->get_all()) EXPECT_GE(each.statistics().health_checks, 1U) << each.name();
}

TEST(monitor, finds_an_outage_and_its_end_soon) {
  config::settings base;
  base.defaults.retry_attempts = 1;
  fake_world world({"a"}, base);
  world.run(world.mgr->async_connect());
  world.loop.advance(2s);
  kill(world, "a");
  world.loop.advance(36s);  // the interval, and two more looks a second or two apart
  EXPECT_EQ(world.mgr->get("a").health(), unhealthy);
  world.servers["a"]->heal();
  world.loop.advance(12s);  // retry_max_delay, and a second look
  EXPECT_EQ(world.mgr->get("a").health(), healthy);
}

TEST(monitor, a_failed_check_tears_nothing_down) {
  fake_world world({"a"}, calm());
  world.run(world.mgr->async_connect());
  auto lent = world.run(world.mgr->get("a").async_lease());
  auto other = world.run(world.mgr->get("a").async_lease());
  other.release();
  world.servers["a"]->fail_probes(error(errc::deadline_exceeded, "slow"), 1);
  world.run(world.mgr->get("a").async_health_check());
  EXPECT_TRUE(lent);
  EXPECT_EQ(world.run(lent.sql().execute("SELECT 1")).size(), 1U);
  EXPECT_GE(world.servers["a"]->open_sessions(), 1U);
}

// pools --------------------------------------------------------------------------------------------------------------

TEST(pool_events, exhaustion_at_most_once_a_second) {
  auto base = calm();
  base.defaults.max_open_conns = 1;
  base.defaults.acquire_timeout = 10ms;
  fake_world world({"a"}, base);
  world.run(world.mgr->async_connect());
  auto a = world.mgr->get("a");
  auto held = world.run(a.async_lease());
  for (int i = 0; i < 20; ++i) error_of([&] { world.run(a.async_lease()); });
  const auto count = [&] {
    const auto all = happened(*world.mgr);
    return std::ranges::count(all, "pool-exhausted a");
  };
  EXPECT_EQ(count(), 1);
  EXPECT_THAT(world.mgr->events().recent().back().detail, HasSubstr("1 of at most 1 are in use"));
  EXPECT_THAT(world.mgr->events().recent().back().detail, HasSubstr("health_test.cpp:"));
  world.time.advance(1s);
  error_of([&] { world.run(a.async_lease()); });
  EXPECT_EQ(count(), 2);
}

TEST(pool_events, leaks) {
  auto base = calm();
  base.defaults.leak_threshold = 1min;
  fake_world world({"a"}, base);
  auto held = world.run(world.mgr->get("a").async_lease());
  world.loop.advance(61s);
  EXPECT_THAT(happened(*world.mgr), ::testing::Contains("leak a"));
}

TEST(query_times, are_counted_once_there_is_a_pool) {
  latency_histogram times;
  for (int i = 0; i < 95; ++i) times.record(2ms);
  for (int i = 0; i < 5; ++i) times.record(100ms);
  const auto taken = times.snapshot();
  EXPECT_EQ(taken.count(), 100U);
  EXPECT_NEAR(static_cast<double>(taken.quantile(0.5).count()), 2e6, 0.3e6);
  EXPECT_NEAR(static_cast<double>(taken.quantile(0.99).count()), 1e8, 0.15e8);
  for (std::size_t i = 1; i < latency_snapshot::size; ++i) {
    const auto bound = latency_snapshot::lower_bound(i);
    EXPECT_EQ(latency_snapshot::index_of(bound), i);
    EXPECT_EQ(latency_snapshot::index_of(bound - 1ns), i - 1);
  }
  EXPECT_EQ(latency_snapshot::index_of(std::chrono::hours(24)), latency_snapshot::size - 1);
  EXPECT_EQ(latency_snapshot().quantile(0.5), 0ns);
}

}  // namespace
}  // namespace polypool
