// SPDX-License-Identifier: Apache-2.0
#include "async/worker_threads.hpp"

#include <iterator>

namespace polypool::detail {

void worker_threads::run(offloaded_call& call, scheduler& then) {
  std::list<worker> ended;  // joined without the lock
  const std::scoped_lock lock(mutex_);
  if (stopping_) return;
  join_ended(ended);
  jobs_.push_back({&call, &then});
  if (idle_ >= jobs_.size() || workers_.size() >= most_threads) {
    wakes_.notify_one();
    return;
  }
  auto& made = workers_.emplace_back();
  try {
    made.thread = std::jthread([this, &made] { serve(made); });
  } catch (...) {
    workers_.pop_back();
    if (!workers_.empty()) return;  // those that are there will see to it
    jobs_.pop_back();
    throw;
  }
}

void worker_threads::join_ended(std::list<worker>& into) {
  for (auto each = workers_.begin(); each != workers_.end();) {
    const auto next = std::next(each);
    if (each->ended) into.splice(into.end(), workers_, each);
    each = next;
  }
}

void worker_threads::serve(worker& self) {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    const bool found = wakes_.wait_for(lock, idle_limit, [this] { return stopping_ || !jobs_.empty(); });
    --idle_;
    if (stopping_ || !found) break;
    const job next = jobs_.front();
    jobs_.pop_front();
    lock.unlock();
    next.call->call();
    next.then->resume(next.call->waiter);
    lock.lock();
  }
  self.ended = true;
}

void worker_threads::stop() noexcept {
  std::list<worker> all;
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    jobs_.clear();
    all.swap(workers_);
    wakes_.notify_all();
  }
}

}  // namespace polypool::detail
