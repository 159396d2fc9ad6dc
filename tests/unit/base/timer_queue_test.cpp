// SPDX-License-Identifier: Apache-2.0
#include <polypool/clock.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <random>
#include <vector>

namespace polypool::test {
namespace {

using namespace std::chrono_literals;

time_point at(duration since_start) { return time_point(since_start); }

class noted_timer final : public timer {
 public:
  noted_timer(std::vector<int>& fired, int number) : fired_(fired), number_(number) {}
  void expired() noexcept override { fired_.push_back(number_); }

 private:
  std::vector<int>& fired_;
  int number_;
};

class timer_queue_test : public ::testing::Test {
 protected:
  noted_timer& make() { return timers_.emplace_back(fired_, static_cast<int>(timers_.size())); }
  std::vector<int> fired_;
  std::deque<noted_timer> timers_;
  timer_queue queue_;
};

TEST_F(timer_queue_test, whoever_is_earliest_hears_of_it) {
  EXPECT_EQ(queue_.earliest(), no_deadline);
  EXPECT_TRUE(queue_.arm(make(), at(10s)));
  EXPECT_FALSE(queue_.arm(make(), at(20s)));  // behind it
  EXPECT_TRUE(queue_.arm(make(), at(5s)));    // before it
  EXPECT_FALSE(queue_.arm(make(), at(7s)));
  EXPECT_EQ(queue_.earliest(), at(5s));
  queue_.disarm(timers_[2]);
  EXPECT_EQ(queue_.earliest(), at(7s));
  queue_.disarm(timers_[2]);  // which is not armed any more
  EXPECT_EQ(queue_.fire(at(10s)), at(20s));
  EXPECT_EQ(fired_, (std::vector<int>{3, 0}));
  EXPECT_EQ(queue_.fire(at(20s)), no_deadline);
}

TEST_F(timer_queue_test, one_that_is_armed_again_has_its_new_time_only) {
  for (int i = 0; i < 3; ++i) queue_.arm(make(), at(10s));
  queue_.arm(timers_[1], at(5s));
  queue_.arm(timers_[0], at(30s));
  queue_.fire(at(10s));
  EXPECT_EQ(fired_, (std::vector<int>{1, 2}));
  queue_.fire(at(30s));
  EXPECT_EQ(fired_, (std::vector<int>{1, 2, 0}));
}

// Against a model that is plain enough to be right: limits of a few lengths, most timers disarmed before their time.
TEST_F(timer_queue_test, random_ones_expire_in_their_order) {
  std::mt19937 random(7);
  std::vector<std::optional<time_point>> expected;
  const auto earliest = [&] {
    time_point out = no_deadline;
    for (const auto& each : expected) out = std::min(out, each.value_or(no_deadline));
    return out;
  };
  time_point now{};
  for (int step = 0; step < 20000; ++step) {
    const auto which = random() % 50;
    while (timers_.size() <= which) {
      make();
      expected.emplace_back();
    }
    if (random() % 3 == 0) {
      queue_.disarm(timers_[which]);
      expected[which].reset();
    } else {
      constexpr duration limits[] = {30s, 30s, 30s, 5s, 100ms};
      const time_point when = now + limits[random() % 5];
      expected[which] = when;
      const bool first = queue_.arm(timers_[which], when);
      const bool alone = std::ranges::count(expected, when) == 1;
      if (first || alone) {
        ASSERT_EQ(first, earliest() == when) << step;
      }
    }
    if (random() % 4 != 0) continue;
    now += std::chrono::milliseconds(random() % 2000);
    fired_.clear();
    const time_point next = queue_.fire(now);
    time_point last{};
    for (const int each : fired_) {
      auto& due = expected[static_cast<std::size_t>(each)];
      ASSERT_TRUE(due && *due <= now && last <= *due) << step;
      last = *due;
      due.reset();
    }
    ASSERT_EQ(next, earliest()) << step;
    ASSERT_TRUE(next == no_deadline || next > now) << step;
  }
}

}  // namespace
}  // namespace polypool::test
