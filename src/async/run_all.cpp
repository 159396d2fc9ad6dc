// SPDX-License-Identifier: Apache-2.0
#include <polypool/background.hpp>
#include <polypool/waits.hpp>

#include <algorithm>
#include <atomic>
#include <new>
#include <utility>

namespace polypool {
namespace {

struct batch {
  explicit batch(std::vector<task<void>> all) : jobs(std::move(all)), unfinished(jobs.size()) {}
  std::vector<task<void>> jobs;
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> unfinished;
  std::stop_source stop;
  event done;
};

task<void> guarded(task<void> job) {
  try {
    co_await std::move(job);
  } catch (...) {
    // The job's owner looks at the outcome that the job kept, or did not.
  }
}

task<void> work_through(std::shared_ptr<batch> shared) {
  for (auto i = shared->next++; i < shared->jobs.size(); i = shared->next++) {
    auto job = guarded(std::move(shared->jobs[i]));
    co_await with_stop(shared->stop.get_token(), std::move(job));
    if (--shared->unfinished == 0) shared->done.set();
  }
}

// One worker is enough to get through all jobs, so only the first has to start.
void start_workers(background& work, const std::shared_ptr<batch>& shared, std::size_t count) {
  work.spawn(work_through(shared));
  try {
    for (std::size_t i = 1; i < count; ++i) work.spawn(work_through(shared));
  } catch (const std::bad_alloc&) {
  }
}

}  // namespace

task<wait_result> run_all(std::shared_ptr<background> where, std::vector<task<void>> jobs, std::size_t width) {
  const std::size_t workers = std::min(width, jobs.size());
  if (workers == 0) co_return wait_result::ready;
  const auto shared = std::make_shared<batch>(std::move(jobs));
  start_workers(*where, shared, workers);
  const auto ended = co_await shared->done.wait();
  if (ended == wait_result::ready) co_return ended;
  shared->stop.request_stop();
  co_await shielded(duration::max(), shared->done.wait());
  co_return ended;
}

}  // namespace polypool
