// SPDX-License-Identifier: Apache-2.0
// Choosing among members, ejecting those that fail, and taking them back slowly.
#include "manager/group_balance.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <thread>

namespace polypool::detail {
namespace {

using namespace std::chrono_literals;
using enum config::balance_strategy;

class group_balance : public ::testing::Test {
 protected:
  static balance_options how(config::balance_strategy strategy) {
    balance_options out;
    out.strategy = strategy;
    out.slow_start = 0s;
    return out;
  }
  std::size_t choose(balancer& from, std::size_t avoid = balancer::none) {
    return from.choose([this](std::size_t i) { return i < load_.size() ? load_[i] : 0U; }, [this] { return now_; },
                       avoid);
  }
  std::vector<int> shares(balancer& from, int calls) {
    std::vector<int> out(from.size());
    for (int i = 0; i < calls; ++i) ++out[choose(from)];
    return out;
  }
  void fail(balancer& at, std::size_t member, int times = 5) {
    for (int i = 0; i < times; ++i) at.failed(member, now_);
  }
  time_point now_{1h};
  std::vector<std::uint32_t> load_;
};

TEST_F(group_balance, round_robin_takes_turns) {
  balancer b(how(round_robin), {1, 1, 1});
  std::vector<std::size_t> turns;
  for (int i = 0; i < 6; ++i) turns.push_back(choose(b));
  EXPECT_EQ(turns, (std::vector<std::size_t>{0, 1, 2, 0, 1, 2}));
}

TEST_F(group_balance, weights_are_kept_exactly_and_mixed) {
  balancer b(how(weighted), {5, 1, 1});
  std::vector<std::size_t> turns;
  for (int i = 0; i < 7; ++i) turns.push_back(choose(b));
  EXPECT_EQ(turns, (std::vector<std::size_t>{0, 0, 1, 0, 2, 0, 0}));  // as nginx does
  EXPECT_EQ(shares(b, 700), (std::vector<int>{500, 100, 100}));
}

TEST_F(group_balance, many_heavy_members_still_get_their_shares) {
  std::vector<std::uint32_t> weights(100, 100);
  weights[0] = 1;
  balancer b(how(weighted), weights);
  const auto got = shares(b, 40000);
  EXPECT_GT(got[0], 0);
  EXPECT_LT(got[0], got[1]);
}

TEST_F(group_balance, the_least_busy_one_is_taken) {
  balancer b(how(least_in_use), {1, 1, 1, 1});
  load_ = {3, 2, 0, 5};
  for (int i = 0; i < 20; ++i) EXPECT_EQ(choose(b), 2U);
  load_ = {1, 1, 1, 1};
  const auto got = shares(b, 400);
  EXPECT_TRUE(std::ranges::all_of(got, [](int each) { return each > 0; }));
}

TEST_F(group_balance, among_many_the_busy_ones_are_passed_over) {
  balancer b(how(least_in_use), std::vector<std::uint32_t>(100, 1));
  load_.assign(100, 1);
  load_[7] = 1000;
  EXPECT_LT(shares(b, 10000)[7], 5);
}

TEST_F(group_balance, the_slow_one_of_two_gets_little) {
  balancer b(how(power_of_two), {1, 1});
  b.succeeded(0, 1ms);
  b.succeeded(1, 50ms);
  const auto got = shares(b, 6400);
  EXPECT_GT(got[1], 0);  // asked now and then, or it would be thought slow for ever
  EXPECT_LT(got[1], 640);
  load_ = {200, 0};  // and the fast one is not drowned
  EXPECT_GT(shares(b, 1000)[1], 900);
}

TEST_F(group_balance, one_that_has_just_failed_is_avoided_where_there_is_another) {
  balancer b(how(round_robin), {1, 1});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(choose(b, 0), 1U);
  balancer lonely(how(round_robin), {1});
  EXPECT_EQ(choose(lonely, 0), 0U);
}

TEST_F(group_balance, failures_in_a_row_eject_for_longer_each_time) {
  balancer b(how(round_robin), {1, 1, 1});
  fail(b, 1, 4);
  b.succeeded(1, 1ms);
  fail(b, 1, 4);
  EXPECT_FALSE(b.of(1).ejected);
  fail(b, 1, 1);
  EXPECT_TRUE(b.of(1).ejected);
  EXPECT_EQ(shares(b, 100)[1], 0);
  now_ += 30s;
  EXPECT_GT(shares(b, 99)[1], 0);
  fail(b, 1);
  now_ += 59s;
  EXPECT_EQ(shares(b, 100)[1], 0);
  now_ += 1s;
  EXPECT_GT(shares(b, 99)[1], 0);
  EXPECT_EQ(b.of(1).ejections, 2U);
}

TEST_F(group_balance, no_ejection_lasts_longer_than_the_limit) {
  balancer b(how(round_robin), {1, 1});
  for (int i = 0; i < 50; ++i) {
    fail(b, 0);
    now_ += 5min;
    EXPECT_GT(shares(b, 10)[0], 0) << i;
  }
}

TEST_F(group_balance, at_most_half_are_ejected) {
  balancer b(how(round_robin), {1, 1, 1, 1, 1});
  for (std::size_t i = 0; i < 5; ++i) fail(b, i, 20);
  int out = 0;
  for (std::size_t i = 0; i < 5; ++i) out += b.of(i).ejected ? 1 : 0;
  EXPECT_EQ(out, 2);
  balancer pair(how(round_robin), {1, 1});
  fail(pair, 0);
  fail(pair, 1);
  EXPECT_NE(pair.of(0).ejected, pair.of(1).ejected);
}

TEST_F(group_balance, the_ejected_are_better_than_none) {
  balancer b(how(round_robin), {1, 1});
  fail(b, 0);
  b.allow({true, false}, now_);
  EXPECT_EQ(choose(b), 0U);
  b.allow({false, false}, now_);
  EXPECT_EQ(choose(b), balancer::none);
}

TEST_F(group_balance, one_that_is_back_starts_slowly) {
  auto options = how(round_robin);
  options.slow_start = 10s;
  balancer b(options, {1, 1});
  b.allow({true, false}, now_);
  EXPECT_EQ(shares(b, 100)[1], 0);
  b.allow({true, true}, now_);
  const int early = shares(b, 10000)[1];
  now_ += 5s;
  const int later = shares(b, 10000)[1];
  now_ += 5s;
  const int in_the_end = shares(b, 10000)[1];
  EXPECT_GT(early, 0);
  EXPECT_LT(early, 1500);
  EXPECT_GT(later, early + 1000);
  EXPECT_NEAR(in_the_end, 5000, 10);
}

TEST_F(group_balance, being_seen_again_ends_an_ejection) {
  balancer b(how(round_robin), {1, 1});
  fail(b, 0);
  b.allow({false, true}, now_);
  b.allow({true, true}, now_);
  EXPECT_FALSE(b.of(0).ejected);
  EXPECT_EQ(shares(b, 10)[0], 5);
}

TEST_F(group_balance, threads_may_choose_while_members_come_and_go) {
  balancer b(how(weighted), std::vector<std::uint32_t>(20, 3));
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> wrong{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      while (!done) {
        const auto got = b.choose([](std::size_t) { return 0U; }, [&] { return time_point(1h); });
        if (got >= 20) ++wrong;
        b.succeeded(got % 20, 1ms);
      }
    });
  }
  for (int i = 0; i < 2000; ++i) {
    std::vector<bool> usable(20, true);
    usable[static_cast<std::size_t>(i) % 20] = false;
    b.allow(usable, time_point(1h));
    for (int k = 0; k < 5; ++k) b.failed(static_cast<std::size_t>(i * 7) % 20, time_point(1h));
  }
  done = true;
  threads.clear();
  EXPECT_EQ(wrong, 0U);
}

}  // namespace
}  // namespace polypool::detail
