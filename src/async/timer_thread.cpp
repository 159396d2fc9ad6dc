// SPDX-License-Identifier: Apache-2.0
#include "async/timer_thread.hpp"

#include <algorithm>

namespace polypool::detail {

void timer_thread::arm(timer& item, time_point when) {
  // Should the thread be about to sleep longer, it has to look into the queue once more before, and finds this one.
  if (!queue_.arm(item, when) || when >= wakes_at_.load()) return;
  const std::scoped_lock lock(mutex_);
  if (!thread_.joinable()) {
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }
  if (when < wakes_at_.load()) {
    wakes_at_ = when;
    changed_.notify_one();
  }
}

// A timer that is disarmed leaves wakes_at_ as it is: the thread wakes once for nothing instead of being told each
// time.
void timer_thread::serve(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (wakes_at_.load() == no_deadline) {
      changed_.wait(lock, stop, [this] { return wakes_at_.load() != no_deadline; });
      continue;
    }
    const time_point until = wakes_at_;
    if (changed_.wait_until(lock, stop, until, [&] { return wakes_at_.load() < until; })) continue;
    wakes_at_ = no_deadline;
    lock.unlock();
    const auto next = queue_.fire(std::chrono::steady_clock::now());
    lock.lock();
    wakes_at_ = std::min(wakes_at_.load(), next);
  }
}

void timer_thread::stop() noexcept {
  std::jthread ended;
  {
    const std::scoped_lock lock(mutex_);
    ended = std::move(thread_);
  }
}

}  // namespace polypool::detail
