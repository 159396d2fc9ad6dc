// SPDX-License-Identifier: Apache-2.0
#include "async/timer_thread.hpp"

#include <algorithm>

namespace polypool::detail {

void timer_thread::arm(timer& item, time_point when) {
  if (!queue_.arm(item, when)) return;
  const std::scoped_lock lock(mutex_);
  if (!thread_.joinable()) {
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }
  if (when < wakes_at_) {
    wakes_at_ = when;
    changed_.notify_one();
  }
}

// A timer that is disarmed leaves wakes_at_ as it is: the thread wakes once for nothing instead of being told each
// time.
void timer_thread::serve(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (wakes_at_ == no_deadline) {
      changed_.wait(lock, stop, [this] { return wakes_at_ != no_deadline; });
      continue;
    }
    const auto until = wakes_at_;
    if (changed_.wait_until(lock, stop, until, [&] { return wakes_at_ < until; })) continue;
    wakes_at_ = no_deadline;
    lock.unlock();
    const auto next = queue_.fire(std::chrono::steady_clock::now());
    lock.lock();
    wakes_at_ = std::min(wakes_at_, next);
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
