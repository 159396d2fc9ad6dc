// SPDX-License-Identifier: Apache-2.0
// Thousands of random events, and what has to hold after each of them.
#include "pool_fixture.hpp"

#include <random>

namespace polypool {
namespace {

struct mix {
  unsigned seed;
  bool hangs;  // also servers that do not answer: then a caller may wait for a probe while others pass it
};

class pool_property : public pool_fixture, public ::testing::WithParamInterface<mix> {
 protected:
  void SetUp() override {
    random.seed(GetParam().seed);
    options.max_open = 4;
    options.max_idle = 2;
    options.min_open = 1;
    options.max_waiting = 30;
    options.max_opening = 2;
    options.acquire_timeout = 3s;
    options.connect_timeout = 2s;
    options.probe_timeout = 1s;
    options.max_lifetime = 60s;
    options.max_idle_time = 10s;
    options.keepalive_interval = 5s;
    options.leak_threshold = 5s;
    options.retry_delay = 50ms;
    options.retry_max_delay = 400ms;
    server->connect_takes(20ms);
    make();
  }
  int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random); }
  caller* pick(bool held) {
    std::vector<caller*> fitting;
    for (auto& each : callers) {
      if (held ? static_cast<bool>(each.held) : !each.done) fitting.push_back(&each);
    }
    return fitting.empty() ? nullptr : fitting[static_cast<std::size_t>(below(static_cast<int>(fitting.size())))];
  }
  void with_lease(int what) {
    caller* const who = pick(true);
    if (!who) return;
    if (what == 0) who->held.discard();
    if (what == 1) who->held->interrupt();
    if (what == 2) static_cast<void>(who->held.native<testing::fake_server*>());  // leaves it dirty
    who->release();
  }
  void resize() {
    const auto most = static_cast<std::uint32_t>(1 + below(8));
    const auto least = static_cast<std::uint32_t>(below(static_cast<int>(most) + 1));
    made->resize(least, most, static_cast<std::uint32_t>(below(6)));
  }
  void trouble(int what) {
    if (what == 0) server->cut_all();
    if (what == 1) server->fail_connects(unreachable());
    if (what == 2) server->fail_connects(refused(), 2);
    if (what == 3) server->fail_resets(unreachable(), 1);
    if (what == 4 && GetParam().hangs) server->hang(below(2) == 0, true);
    if (what >= 5) server->heal();
  }
  void step() {
    const int dice = below(100);
    if (dice < 30) ask_later(below(4) == 0 ? duration(below(500) * 1ms) : duration::max());
    if (dice >= 30 && dice < 52) with_lease(3);
    if (dice >= 52 && dice < 60) with_lease(below(3));
    if (dice >= 60 && dice < 66) {
      if (caller* const who = pick(false)) who->stop_asking();
    }
    if (dice >= 66 && dice < 88) pass(below(60) * 1ms);
    if (dice >= 88 && dice < 90) pass(below(15) * 1s);
    if (dice >= 90 && dice < 93) resize();
    if (dice == 93) made->retire_all();
    if (dice >= 94) trouble(below(9));
    if (below(3) > 0) ready();
  }
  void check(std::uint32_t open_before) {
    ready();
    const auto s = now();
    EXPECT_LE(s.open, std::max(s.max_open, open_before));
    EXPECT_EQ(s.open, s.idle + s.in_use + s.opening);  // nothing is being closed once all has run
    if (s.waiting > 0) {
      EXPECT_EQ(s.idle, 0U);
    }
    EXPECT_LE(server->open_sessions(), s.open);
    EXPECT_GE(server->open_sessions() + s.opening, s.open);
    std::uint32_t held = 0;
    std::uint32_t asking = 0;
    for (const auto& each : callers) {
      held += each.held ? 1U : 0U;
      asking += each.done ? 0U : 1U;
    }
    EXPECT_GE(s.in_use, held);
    EXPECT_LE(s.waiting, asking);
    if (!GetParam().hangs) {
      EXPECT_EQ(s.waiting, asking);
    }
    EXPECT_EQ(s.opened, s.idle + s.in_use + closed(s));
  }
  static std::uint64_t closed(const pool_statistics& s) {
    std::uint64_t all = 0;
    for (const auto each : s.closed) all += each;
    return all;
  }
  // Those who were served were served in the order in which they asked.
  void check_order() {
    int last = 0;
    while (!callers.empty() && callers.front().done && !callers.front().held) {
      if (!callers.front().failure) {
        EXPECT_GT(callers.front().turn, last);
        last = callers.front().turn;
      }
      callers.pop_front();
    }
  }
  std::mt19937 random;
};

TEST_P(pool_property, holds_after_every_event) {
  for (int i = 0; i < 4000; ++i) {
    const auto before = now().open;
    step();
    check(before);
    if (!GetParam().hangs) check_order();
    ASSERT_FALSE(HasFailure()) << "step " << i << " of seed " << GetParam().seed;
  }
  EXPECT_LE(server->most_open_sessions(), 8U);
  server->heal();
  made->resize(0, 4, 2);
  for (int i = 0; i < 200; ++i) {  // everybody is served or fails
    for (auto& each : callers) each.release();
    pass(100ms);
  }
  for (const auto& each : callers) EXPECT_TRUE(each.done);
  EXPECT_EQ(now().in_use, 0U);
  EXPECT_EQ(now().waiting, 0U);
  EXPECT_GT(now().leases, 500U);
  EXPECT_TRUE(loop->run(made->close()));
  EXPECT_EQ(server->open_sessions(), 0U);
  EXPECT_EQ(now().opened, closed(now()));
}

INSTANTIATE_TEST_SUITE_P(seeds, pool_property,
                         ::testing::Values(mix{1, false}, mix{2, false}, mix{3, false}, mix{4, false}, mix{5, true},
                                           mix{6, true}, mix{7, true}, mix{8, true}),
                         [](const auto& each) {
                           return std::to_string(each.param.seed) + (each.param.hangs ? "_with_hangs" : "");
                         });

}  // namespace
}  // namespace polypool
