// SPDX-License-Identifier: Apache-2.0
// Threads for blocking calls.
#pragma once

#include <polypool/environment.hpp>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <list>
#include <mutex>
#include <thread>

namespace polypool::detail {

/// As many threads as there are calls at work, up to a limit; one that finds nothing to do for a while ends.
///
/// Calls block for as long as a server takes, so a fixed few threads would make callers wait for other callers'
/// servers, and their deadlines with them. How many calls there are at once is for the pools to limit.
class worker_threads {
 public:
  worker_threads() = default;
  worker_threads(const worker_threads&) = delete;
  ~worker_threads() { stop(); }

  /// Makes the call, then has its waiter resumed.
  void run(offloaded_call& call, scheduler& then);
  /// Drops the calls that have not begun, and waits for those that have.
  void stop() noexcept;

 private:
  static constexpr std::size_t most_threads = 256;
  static constexpr auto idle_limit = std::chrono::seconds(10);
  struct job {
    offloaded_call* call;
    scheduler* then;
  };
  struct worker {
    std::jthread thread;
    bool ended = false;
  };
  void serve(worker& self);
  void join_ended(std::list<worker>& into);

  std::mutex mutex_;
  std::condition_variable wakes_;
  std::deque<job> jobs_;
  std::list<worker> workers_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace polypool::detail
