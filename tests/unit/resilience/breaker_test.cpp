// SPDX-License-Identifier: Apache-2.0
#include <polypool/breaker.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>

namespace polypool {
namespace {

using namespace std::chrono_literals;

class breaker : public ::testing::Test {
 protected:
  static breaker_options exact() {
    breaker_options options;
    options.reset_jitter = 0;
    return options;
  }
  void make(breaker_options options) {
    changes.clear();
    tested = std::make_unique<circuit_breaker>(options, 7, [this](const breaker_change& c) { changes.push_back(c); });
  }
  void succeed(int times, duration took = 1ms) {
    for (int i = 0; i < times; ++i) tested->succeeded(tested->admit(now).value(), took, now);
  }
  void fail(int times) {
    for (int i = 0; i < times; ++i) {
      if (const auto given = tested->admit(now)) tested->failed(*given, 1ms, now);
    }
  }
  time_point now = time_point() + 1000s;
  std::vector<breaker_change> changes;
  std::unique_ptr<circuit_breaker> tested;
};

TEST_F(breaker, trips_at_the_rate_and_not_before_the_volume) {
  make(exact());
  fail(9);
  EXPECT_EQ(tested->state(), breaker_state::closed) << "nine calls are too few to judge";
  make(exact());
  succeed(6);
  fail(5);
  EXPECT_EQ(tested->state(), breaker_state::closed) << "5 of 11 are below half";
  fail(1);
  EXPECT_EQ(tested->state(), breaker_state::open);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].reason, "6 of 12 calls failed within 10s");
  EXPECT_EQ(changes[0].until, now + 30s);
  EXPECT_FALSE(tested->admit(now));
  EXPECT_EQ(tested->snapshot(now).refused, 1U);
}

TEST_F(breaker, forgets_what_left_the_window) {
  make(exact());
  fail(9);
  now += 10s;
  fail(1);
  EXPECT_EQ(tested->state(), breaker_state::closed);
  EXPECT_EQ(tested->snapshot(now).calls, 1U);
  now += 9s;
  fail(9);
  EXPECT_EQ(tested->state(), breaker_state::open);
}

TEST_F(breaker, slow_calls_trip_it_too) {
  make(exact());
  succeed(5, 6s);
  succeed(4);
  EXPECT_EQ(tested->state(), breaker_state::closed);
  succeed(1, 6s);
  EXPECT_EQ(tested->state(), breaker_state::open);
  EXPECT_EQ(changes[0].reason, "6 of 10 calls took over 5s within 10s");
}

TEST_F(breaker, half_open_lets_a_few_pass_and_closes) {
  make(exact());
  fail(10);
  now += 30s;
  const auto one = tested->admit(now);
  const auto two = tested->admit(now);
  const auto three = tested->admit(now);
  ASSERT_TRUE(one && two && three);
  EXPECT_EQ(tested->state(), breaker_state::half_open);
  EXPECT_FALSE(tested->admit(now)) << "three trials are under way";
  tested->succeeded(*one, 1ms, now);
  tested->succeeded(*two, 1ms, now);
  EXPECT_EQ(tested->state(), breaker_state::half_open);
  tested->succeeded(*three, 1ms, now);
  EXPECT_EQ(tested->state(), breaker_state::closed);
  EXPECT_EQ(tested->snapshot(now).calls, 0U) << "it starts with an empty window";
}

TEST_F(breaker, a_failed_trial_opens_it_for_longer_up_to_the_cap) {
  auto options = exact();
  options.reset_time = 30s;
  options.reset_max = 100s;
  make(options);
  fail(10);
  for (const auto expected : {60s, 100s, 100s}) {
    now = changes.back().until;
    fail(1);
    ASSERT_EQ(tested->state(), breaker_state::open);
    EXPECT_EQ(changes.back().until - now, expected);
  }
  now = changes.back().until;
  succeed(3);
  ASSERT_EQ(tested->state(), breaker_state::closed);
  now += 101s;  // quiet for long enough: it begins anew
  fail(10);
  EXPECT_EQ(changes.back().until - now, 30s);
}

TEST_F(breaker, trials_without_an_outcome_give_their_places_up) {
  make(exact());
  fail(10);
  now += 30s;
  const auto lost = tested->admit(now);
  ASSERT_TRUE(lost && tested->admit(now) && tested->admit(now));
  EXPECT_FALSE(tested->admit(now));
  now += 30s;
  const auto late = tested->admit(now);
  ASSERT_TRUE(late) << "stuck half-open";
  tested->failed(*lost, 30s, now);
  EXPECT_EQ(tested->state(), breaker_state::half_open) << "old news";
  tested->abandoned(*late);
  succeed(3);
  EXPECT_EQ(tested->state(), breaker_state::closed);
}

TEST_F(breaker, forced_stays_until_released) {
  make(exact());
  tested->force_open(now);
  now += 1h;
  EXPECT_FALSE(tested->admit(now));
  tested->force_closed(now);
  fail(100);
  EXPECT_EQ(tested->state(), breaker_state::closed);
  EXPECT_TRUE(tested->snapshot(now).forced);
  tested->release(now);
  fail(10);
  EXPECT_EQ(tested->state(), breaker_state::open);
}

TEST_F(breaker, the_reset_time_is_spread) {
  auto options = exact();
  options.reset_jitter = 0.1;
  std::vector<duration> resets;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    circuit_breaker one(options, seed);
    for (int i = 0; i < 10; ++i) one.failed(one.admit(now).value(), 1ms, now);
    resets.push_back(one.snapshot(now).until - now);
    EXPECT_GE(resets.back(), 27s);
    EXPECT_LE(resets.back(), 33s);
  }
  std::ranges::sort(resets);
  EXPECT_GT(std::ranges::unique(resets).begin() - resets.begin(), 10);
}

// Random events; what must hold after each: never more trials than allowed, never refused for longer than the longest
// reset time and trial timeout together.
TEST_F(breaker, random_events_never_get_it_stuck) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    std::mt19937_64 random(seed);
    auto options = exact();
    options.reset_max = 60s;
    make(options);
    std::vector<circuit_breaker::permit> held;
    auto last_admitted = now;
    for (int i = 0; i < 2000; ++i) {
      now += std::chrono::milliseconds(random() % 3000);
      switch (random() % 5) {
        case 0:
        case 1:
          if (const auto given = tested->admit(now)) {
            held.push_back(*given);
            last_admitted = now;
          } else {
            ASSERT_LE(now - last_admitted, 60s + 30s + 3s) << "seed " << seed;
          }
          break;
        case 2:
        case 3:
          if (!held.empty()) {
            tested->failed(held.back(), 1ms, now);
            held.pop_back();
          }
          break;
        default:
          if (!held.empty()) {
            random() % 2 ? tested->succeeded(held.front(), 1ms, now) : tested->abandoned(held.front());
            held.erase(held.begin());
          }
      }
      // asked often enough, it answers within the limits above
      if (const auto given = tested->admit(now)) {
        last_admitted = now;
        tested->abandoned(*given);
      }
    }
  }
}

TEST_F(breaker, many_threads) {
  auto options = exact();
  options.reset_time = 1ms;
  options.reset_max = 1ms;
  circuit_breaker shared(options);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&shared, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      for (int i = 0; i < 20000; ++i) {
        const auto moment = time_point() + std::chrono::microseconds(i * 10);
        const auto given = shared.admit(moment);
        if (!given) continue;
        random() % 3 == 0 ? shared.succeeded(*given, 1ms, moment) : shared.failed(*given, 1ms, moment);
      }
    });
  }
  threads.clear();
  EXPECT_GT(shared.snapshot(time_point() + 1s).opened, 0U);
}

}  // namespace
}  // namespace polypool
