// SPDX-License-Identifier: Apache-2.0
#include <polypool/bulkhead.hpp>
#include <polypool/waits.hpp>

namespace polypool {

std::string_view to_string(priority rank) noexcept {
  static constexpr std::array<std::string_view, priority_count> words{"low", "normal", "high", "critical"};
  return words[static_cast<std::size_t>(rank)];
}

/// One call in a queue.
class bulkhead::waiter final : public parking {
 public:
  waiter(bulkhead& owner, priority rank) noexcept : owner_(owner), rank_(rank) {}
  ~waiter() {
    // Its task is dropped: what it was given meanwhile goes to the next one.
    if (!settled_ && !owner_.withdraw(*this) && given_) owner_.leave();
  }
  void settle() noexcept { settled_ = true; }

 private:
  friend class bulkhead;
  bool enqueue() override { return owner_.enqueue(*this); }
  bool withdraw() noexcept override { return owner_.withdraw(*this); }

  bulkhead& owner_;
  const priority rank_;
  waiter* previous_ = nullptr;
  waiter* next_ = nullptr;
  bool queued_ = false;
  bool given_ = false;
  bool refused_ = false;
  bool settled_ = false;
};

bool bulkhead::take_one() noexcept {
  auto free = free_.load();
  while (free > 0 && !free_.compare_exchange_weak(free, free - 1)) {
  }
  return free > 0;
}

bulkhead::place bulkhead::try_enter() noexcept {
  if (waiting_.load() == 0 && take_one()) return place(this);
  return place();
}

// A waiter is counted before it looks for a free place, and a place is freed before its giver looks for waiters: one of
// the two sees the other.
void bulkhead::leave() noexcept {
  free_.fetch_add(1);
  if (waiting_.load() == 0) return;
  std::unique_lock lock(mutex_);
  serve(lock);
}

// Gives free places to waiters. A task is woken under the lock, which its waiter's destructor takes, too: else its
// frame could be dropped on the way. A thread stays until it is woken, and would only run into the lock.
void bulkhead::serve(std::unique_lock<std::mutex>& lock) noexcept {
  for (;;) {
    waiter* next = nullptr;
    for (std::size_t rank = priority_count; rank-- > 0 && next == nullptr;) next = queues_[rank].first;
    if (next == nullptr || !take_one()) return;
    unlink(*next);
    next->given_ = true;
    if (!next->blocking()) {
      next->wake();
      continue;
    }
    lock.unlock();
    next->wake();
    lock.lock();
  }
}

// Under the lock that waiters queue under: whoever is in the queue is served, whoever comes later finds the new places.
void bulkhead::resize(std::uint32_t limit, std::uint32_t most_waiting) noexcept {
  std::unique_lock lock(mutex_);
  most_waiting_ = most_waiting;
  free_.fetch_add(places_of(limit) - places_of(limit_.load()));
  limit_.store(limit);
  serve(lock);
}

bool bulkhead::enqueue(waiter& asking) {
  const std::unique_lock lock(mutex_);
  if (most_waiting_ > 0 && waiting_.load() >= most_waiting_) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    asking.refused_ = true;
    return false;
  }
  const bool first = waiting_.fetch_add(1) == 0;
  if (first && take_one()) {
    waiting_.fetch_sub(1);
    asking.given_ = true;
    return false;
  }
  auto& line = queues_[static_cast<std::size_t>(asking.rank_)];
  asking.previous_ = line.last;
  (line.last ? line.last->next_ : line.first) = &asking;
  line.last = &asking;
  asking.queued_ = true;
  return true;
}

bool bulkhead::withdraw(waiter& leaving) noexcept {
  const std::unique_lock lock(mutex_);
  if (!leaving.queued_) return false;
  unlink(leaving);
  return true;
}

void bulkhead::unlink(waiter& leaving) noexcept {
  auto& line = queues_[static_cast<std::size_t>(leaving.rank_)];
  (leaving.previous_ ? leaving.previous_->next_ : line.first) = leaving.next_;
  (leaving.next_ ? leaving.next_->previous_ : line.last) = leaving.previous_;
  leaving.previous_ = leaving.next_ = nullptr;
  leaving.queued_ = false;
  waiting_.fetch_sub(1);
}

task<bulkhead::place> bulkhead::enter(priority rank) {
  if (place quick = try_enter()) co_return quick;
  waiter mine(*this, rank);
  const wait_result how = co_await mine;
  mine.settle();
  if (mine.given_) co_return place(this);
  const auto numbers = snapshot();
  const bool exactly = numbers.at_work == numbers.limit;
  const std::string busy =
      std::to_string(numbers.at_work) + " calls are at work, " +
      (exactly ? "which is " + what_limits_
               : what_limits_ + " is " + (numbers.limit == 0 ? "none" : std::to_string(numbers.limit))) +
      ", and " + std::to_string(numbers.waiting) + " wait";
  if (mine.refused_) {
    throw error(errc::pool_queue_full, "no room in the queue for a call: " + busy)
        .with_hint("raise " + what_limits_ + " or max_waiting, or send less at once");
  }
  if (how == wait_result::stopped) throw error(errc::cancelled, "stopped in the queue for a call");
  timed_out_.fetch_add(1, std::memory_order_relaxed);
  throw error(errc::pool_timeout, "the time was over in the queue for a call: " + busy)
      .with_hint("raise " + what_limits_ + ", or send less at once");
}

bulkhead_snapshot bulkhead::snapshot() const noexcept {
  const std::scoped_lock lock(mutex_);  // else the limit of now and the places of before
  bulkhead_snapshot seen;
  seen.limit = limit_.load();
  seen.at_work = static_cast<std::uint32_t>(places_of(seen.limit) - free_.load());
  seen.waiting = waiting_.load();
  seen.refused = refused_.load(std::memory_order_relaxed);
  seen.timed_out = timed_out_.load(std::memory_order_relaxed);
  return seen;
}

}  // namespace polypool
