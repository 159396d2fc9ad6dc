// SPDX-License-Identifier: Apache-2.0
#include "drivers/odbc/call_threads.hpp"

#include <chrono>

namespace polypool::odbc {
namespace {

constexpr auto idle_limit = std::chrono::seconds(10);

}  // namespace

call_threads::~call_threads() {
  timers_.stop();
  std::unique_lock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return threads_.empty(); });
  join_ended(lock);
}

void call_threads::submit(std::function<void()> job) {
  std::unique_lock lock(mutex_);
  join_ended(lock);
  jobs_.push_back(std::move(job));
  if (jobs_.size() <= idle_) {
    changed_.notify_one();
    return;
  }
  const auto place = threads_.emplace(threads_.end());
  try {
    *place = std::thread([this, place] { serve(place); });
  } catch (...) {
    threads_.erase(place);
    jobs_.pop_back();
    throw;
  }
}

// Threads that have ended already, so joining them takes no time.
void call_threads::join_ended(std::unique_lock<std::mutex>& lock) {
  thread_list ended;
  ended.swap(ended_);
  lock.unlock();
  for (auto& each : ended) each.join();
  lock.lock();
}

void call_threads::serve(thread_list::iterator self) {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    const bool woken = changed_.wait_for(lock, idle_limit, [this] { return stopping_ || !jobs_.empty(); });
    --idle_;
    if (jobs_.empty() && (stopping_ || !woken)) break;
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // goes, with all that it holds
    lock.lock();
  }
  ended_.splice(ended_.end(), threads_, self);
  changed_.notify_all();
}

}  // namespace polypool::odbc
