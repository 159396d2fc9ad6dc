// SPDX-License-Identifier: Apache-2.0
// Many tasks for one who asks.
#include <polypool/background.hpp>
#include <polypool/error.hpp>
#include <polypool/waits.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <vector>

namespace polypool {
namespace {

using namespace std::chrono_literals;

task<void> count_one(std::atomic<int>& counter, bool fails) {
  co_await sleep_for(1ms);
  ++counter;
  if (fails) throw error(errc::connect_failed, "no");
}

TEST(RunAll, DoesEveryJobAlthoughSomeThrow) {
  const auto work = make_thread_background();
  std::atomic<int> done{0};
  std::vector<task<void>> jobs;
  for (int i = 0; i < 100; ++i) jobs.push_back(count_one(done, i % 3 == 0));
  run(run_all(work, std::move(jobs), 7));
  EXPECT_EQ(done, 100);
  run(run_all(work, {}));
}

struct crowd {
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
};

task<void> visit(crowd& all) {
  const int now = ++all.inside;
  int seen = all.most;
  while (seen < now && !all.most.compare_exchange_weak(seen, now)) {
  }
  co_await sleep_for(1ms);
  --all.inside;
}

TEST(RunAll, RunsNoMoreThanItsWidthAtOnce) {
  const auto work = make_thread_background();
  crowd all;
  std::vector<task<void>> jobs;
  for (int i = 0; i < 40; ++i) jobs.push_back(visit(all));
  run(run_all(work, std::move(jobs), 4));
  EXPECT_LE(all.most, 4);
  EXPECT_EQ(all.inside, 0);
}

task<void> wait_for_ever(event& never, std::atomic<int>& ended) {
  const auto how = co_await never.wait();
  if (how == wait_result::stopped) ++ended;
}

TEST(RunAll, StopsItsJobsWhenTheCallersTimeIsUp) {
  const auto work = make_thread_background();
  event never;
  std::atomic<int> ended{0};
  std::vector<task<void>> jobs;
  for (int i = 0; i < 5; ++i) jobs.push_back(wait_for_ever(never, ended));
  run(with_timeout(20ms, run_all(work, std::move(jobs))));
  EXPECT_EQ(ended, 5) << "it returned before they were over";
}

}  // namespace
}  // namespace polypool
