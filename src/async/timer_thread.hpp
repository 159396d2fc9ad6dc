// SPDX-License-Identifier: Apache-2.0
// Timers on the machine's clock that need no event loop.
#pragma once

#include <polypool/clock.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

namespace polypool::detail {

/// One thread that expires timers. Independent of the event loop: a deadline far away must not keep io_context::run()
/// from returning, and arming one costs no system call.
class timer_thread {
 public:
  ~timer_thread() { stop(); }
  void arm(timer& item, time_point when);
  void disarm(timer& item) noexcept { queue_.disarm(item); }
  void stop() noexcept;

 private:
  void serve(const std::stop_token& stop);
  timer_queue queue_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::atomic<time_point> wakes_at_{no_deadline};  // changed under the mutex
  std::jthread thread_;                            // started by the first timer
};

}  // namespace polypool::detail
