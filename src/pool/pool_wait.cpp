// SPDX-License-Identifier: Apache-2.0
// The queue of those who wait for a session.
#include "pool/pool_core.hpp"

namespace polypool {

pool_core::waiter::~waiter() {
  if (settled_) return;
  // Its task is dropped. It is out of the queue after this, and what it was given goes to the next one.
  if (!core_.withdraw(*this) && given_) core_.give_back(*given_);
}

// Called by the place itself as it starts to wait. Refuses when a session or a failure is there at once.
bool pool_core::enqueue(waiter& asking) {
  const auto now = time_.coarse_now();
  departures doomed(*this);
  const guard lock(mutex_);
  if (closed_) {
    asking.failure_ = error(errc::connection_closed, "the pool is closed").at(options_.name, "acquire");
    return false;
  }
  if (!first_waiter_) {
    asking.given_ = pop_idle(doomed, asking.where_, now);
    if (asking.given_) return false;
  }
  if (options_.max_waiting > 0 && waiting_ >= options_.max_waiting && !asking.again_) {
    ++counters_.refused;
    asking.failure_ = error(errc::pool_queue_full,
                            "already " + std::to_string(waiting_) + " callers wait for a session; " + who_holds(now))
                          .with_hint("raise max_open_conns, shorten what holds the sessions, or raise max_waiting")
                          .at(options_.name, "acquire");
    return false;
  }
  asking.queued_ = true;
  asking.since_ = now;
  asking.previous_ = asking.again_ ? nullptr : last_waiter_;
  asking.next_ = asking.again_ ? first_waiter_ : nullptr;
  (asking.previous_ ? asking.previous_->next_ : first_waiter_) = &asking;
  (asking.next_ ? asking.next_->previous_ : last_waiter_) = &asking;
  ++waiting_;
  open_wanted();
  if (open() == 0) {  // nothing will ever come
    unlink(asking, now);
    asking.failure_ = error(errc::internal_error, "the pool's background could not be started")
                          .with_hint("the process may have reached its limit of threads or memory")
                          .at(options_.name, "acquire");
    return false;
  }
  ++counters_.wait_count;
  starving_ = open() >= options_.max_open;
  return true;
}

bool pool_core::withdraw(waiter& leaving) noexcept {
  const auto now = time_.coarse_now();
  const guard lock(mutex_);
  if (!leaving.queued_) return false;
  unlink(leaving, now);
  return true;
}

void pool_core::unlink(waiter& leaving, time_point now) noexcept {
  (leaving.previous_ ? leaving.previous_->next_ : first_waiter_) = leaving.next_;
  (leaving.next_ ? leaving.next_->previous_ : last_waiter_) = leaving.previous_;
  leaving.previous_ = leaving.next_ = nullptr;
  leaving.queued_ = false;
  counters_.wait_time += now - leaving.since_;
  --waiting_;
  if (waiting_ == 0) starving_ = false;
}

pool_core::waiter* pool_core::pop_waiter(time_point now) noexcept {
  waiter* const first = first_waiter_;
  if (first) unlink(*first, now);
  return first;
}

// Fails all who wait now. @return the threads among them, to be woken without the lock
pool_core::waiter* pool_core::detach_waiters(const error& why) noexcept {
  const auto now = time_.coarse_now();
  waiter* threads = nullptr;
  waiter** last = &threads;
  while (waiter* const each = pop_waiter(now)) {
    each->failure_ = why;
    if (!each->blocking()) {
      each->wake();
      continue;
    }
    *last = each;
    last = &each->next_;
  }
  return threads;
}

void pool_core::wake_all(waiter* first) noexcept {
  while (first) {
    waiter* const each = first;
    first = each->next_;  // it may be gone once it is woken
    each->wake();
  }
}

}  // namespace polypool
