// SPDX-License-Identifier: Apache-2.0
// Work that requests share: one health check for many who ask.
#include "server/shared_health.hpp"

#include <polypool/error.hpp>
#include <polypool/waits.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <vector>

namespace polypool::server {
namespace {

using namespace std::chrono_literals;

class settable_clock final : public clock {
 public:
  time_point now() const noexcept override { return time_point(duration(ticks_.load())); }
  void move(duration by) { ticks_ += by.count(); }

 private:
  std::atomic<duration::rep> ticks_{1};
};

struct counted_checks {
  std::atomic<int> started{0};
  event begun;
  event may_end;
  bool fails = false;

  task<health_report> check() {
    ++started;
    begun.set();
    co_await may_end.wait();
    if (fails) throw error(errc::shutting_down, "closing");
    co_return health_report();
  }
  shared_health::checker checker() {
    return [this] { return check(); };
  }
};

TEST(SharedHealth, OneCheckServesAllWhoAskMeanwhile) {
  counted_checks checks;
  shared_health shared(checks.checker());
  std::vector<std::future<std::shared_ptr<const health_report>>> askers;
  const auto ask = [&] { askers.push_back(std::async(std::launch::async, [&] { return run(shared.check()); })); };
  ask();
  run(checks.begun.wait());
  for (int i = 0; i < 8; ++i) ask();
  checks.may_end.set();
  const auto first = askers.front().get();
  for (std::size_t i = 1; i < askers.size(); ++i) EXPECT_EQ(askers[i].get(), first);
  EXPECT_EQ(checks.started, 1);
}

TEST(SharedHealth, ResultIsGoodForItsTime) {
  counted_checks checks;
  checks.may_end.set();
  settable_clock time;
  shared_health shared(checks.checker(), 1s, time);
  run(shared.check());
  time.move(999ms);
  run(shared.check());
  EXPECT_EQ(checks.started, 1);
  time.move(1ms);
  run(shared.check());
  EXPECT_EQ(checks.started, 2);
}

TEST(SharedHealth, ForgetAsksAnew) {
  counted_checks checks;
  checks.may_end.set();
  shared_health shared(checks.checker(), 1h);
  run(shared.check());
  shared.forget();
  run(shared.check());
  EXPECT_EQ(checks.started, 2);
}

TEST(SharedHealth, FailureReachesAllAndIsNotKept) {
  counted_checks checks;
  checks.fails = true;
  shared_health shared(checks.checker());
  auto leader = std::async(std::launch::async, [&] { return run(shared.check()); });
  run(checks.begun.wait());
  auto follower = std::async(std::launch::async, [&] { return run(shared.check()); });
  checks.may_end.set();
  EXPECT_THROW(leader.get(), error);
  EXPECT_THROW(follower.get(), error);
  checks.fails = false;
  EXPECT_TRUE(run(shared.check())->healthy);
}

TEST(SharedHealth, FollowerKeepsItsOwnDeadline) {
  counted_checks checks;
  shared_health shared(checks.checker());
  auto leader = std::async(std::launch::async, [&] { return run(shared.check()); });
  run(checks.begun.wait());
  try {
    run(with_timeout(10ms, shared.check()));
    ADD_FAILURE() << "it waited for the leader";
  } catch (const error& late) {
    EXPECT_EQ(late.portable_code(), errc::deadline_exceeded);
  }
  checks.may_end.set();
  EXPECT_NE(leader.get(), nullptr);
}

}  // namespace
}  // namespace polypool::server
