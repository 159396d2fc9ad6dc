// SPDX-License-Identifier: Apache-2.0
#include <polypool/error.hpp>
#include <polypool/waits.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

namespace polypool {

void environment::arm(timer& item, time_point when) const {
  if (auto* manual = time->manual_timers()) {
    manual->arm(item, when);
    if (time->now() >= when) manual->fire(time->now());
  } else {
    waits->arm(item, when);
  }
}

void environment::disarm(timer& item) const noexcept {
  if (auto* manual = time->manual_timers()) {
    manual->disarm(item);
  } else {
    waits->disarm(item);
  }
}

void throw_unless_ready(wait_result result) {
  if (result == wait_result::timed_out) throw error(errc::deadline_exceeded, "the time given to it is over");
  if (result == wait_result::stopped) throw error(errc::cancelled, "the caller asked to stop");
}

bool may_wait_inside_call(const environment& env, duration longest) noexcept {
  if (!env.blocking() || env.stop.stop_possible()) return false;
  if (env.deadline == no_deadline) return true;
  return env.time->manual_timers() == nullptr && env.deadline - env.time->coarse_now() > longest;
}

// sockets ------------------------------------------------------------------------------------------------------------

socket_ready::socket_ready(int descriptor, socket_slot& slot, socket_interest interest) noexcept {
  wait_.descriptor = descriptor;
  wait_.slot = &slot;
  wait_.interest = interest;
  timer_.owner = this;
}

bool socket_ready::suspend(const environment& env, std::coroutine_handle<> self) {
  env_ = &env;
  if (env.blocking()) {
    block();
    return false;
  }
  wait_.waiter = self;
  env.waits->wait_socket(wait_);
  // The scheduler resumes nothing before this function returns, so the frame is still ours.
  if (env.deadline != no_deadline) {
    armed_ = true;
    env.arm(timer_, env.deadline);
  }
  if (env.stop.stop_possible()) stop_.emplace(env.stop, stop_action{this});
  return true;
}

wait_result socket_ready::await_resume() noexcept {
  stop_.reset();
  if (std::exchange(armed_, false)) env_->disarm(timer_);
  return result_.load(std::memory_order_acquire);
}

void socket_ready::interrupt(wait_result reason) noexcept {
  auto expected = wait_result::ready;
  if (!result_.compare_exchange_strong(expected, reason, std::memory_order_acq_rel)) return;
  if (env_->blocking()) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_descriptor_, &one, sizeof one);
  } else {
    env_->waits->cancel_socket(wait_);
  }
}

namespace {

struct descriptor_owner {
  int value = -1;
  descriptor_owner() = default;
  descriptor_owner(const descriptor_owner&) = delete;
  ~descriptor_owner() {
    if (value >= 0) ::close(value);
  }
};

// poll(2) until one of the descriptors is ready. Returns false when the deadline came first.
bool poll_until(pollfd* descriptors, nfds_t count, time_point deadline) {
  for (;;) {
    timespec left{};
    timespec* limit = nullptr;
    if (deadline != no_deadline) {
      const auto now = std::chrono::steady_clock::now();
      const auto span = deadline > now ? deadline - now : duration::zero();
      const auto seconds = std::chrono::floor<std::chrono::seconds>(span);
      left.tv_sec = seconds.count();
      left.tv_nsec = std::chrono::nanoseconds(span - seconds).count();
      limit = &left;
    }
    const int ready = ::ppoll(descriptors, count, limit, nullptr);
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "poll");
  }
}

}  // namespace

void socket_ready::block() {
  // An event loop that once waited for this socket would wake up at each of its bytes from now on.
  if (wait_.slot->registration) wait_.slot->reset();
  const bool manual = env_->time->manual_timers() != nullptr;
  const bool wakeable = env_->stop.stop_possible() || (manual && env_->deadline != no_deadline);
  descriptor_owner wake;
  pollfd descriptors[2] = {};
  descriptors[0].fd = wait_.descriptor;
  const auto interest = static_cast<unsigned>(wait_.interest);
  descriptors[0].events = static_cast<short>(((interest & 1U) ? POLLIN : 0) | ((interest & 2U) ? POLLOUT : 0));
  if (wakeable) {
    wake.value = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake.value < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    wake_descriptor_ = wake.value;
    descriptors[1].fd = wake.value;
    descriptors[1].events = POLLIN;
    if (manual && env_->deadline != no_deadline) {
      armed_ = true;
      env_->arm(timer_, env_->deadline);
    }
    if (env_->stop.stop_possible()) stop_.emplace(env_->stop, stop_action{this});
  }
  const bool in_time = poll_until(descriptors, wakeable ? 2 : 1, manual ? no_deadline : env_->deadline);
  stop_.reset();  // no one writes to the eventfd after it is closed
  if (std::exchange(armed_, false)) env_->disarm(timer_);
  if (!in_time) {
    auto expected = wait_result::ready;
    result_.compare_exchange_strong(expected, wait_result::timed_out);
  }
}

// parking ------------------------------------------------------------------------------------------------------------

struct parking::blocker {
  std::mutex mutex;
  std::condition_variable woken;
  bool done = false;
};

bool parking::suspend(const environment& env, std::coroutine_handle<> self) {
  env_ = &env;
  waiter_ = self;
  result_ = wait_result::ready;
  timer_.owner = this;
  if (!env.blocking()) return begin();
  blocker here;
  blocker_ = &here;
  if (begin()) block(here);
  return false;
}

// Enqueued first: a timer that fires finds the place, and a waker's resume waits until suspend() has returned.
bool parking::begin() {
  if (!enqueue()) return false;
  const environment& env = *env_;
  const bool timed = env.deadline != no_deadline && (!env.blocking() || env.time->manual_timers() != nullptr);
  if (timed) {
    armed_ = true;
    env.arm(timer_, env.deadline);
  }
  if (env.stop.stop_possible()) stop_.emplace(env.stop, stop_action{this});
  return true;
}

wait_result parking::await_resume() noexcept {
  stop_.reset();
  if (std::exchange(armed_, false)) env_->disarm(timer_);
  return result_;
}

void parking::wake() noexcept {
  if (!env_->blocking()) {
    env_->waits->resume(waiter_);
    return;
  }
  const std::scoped_lock lock(blocker_->mutex);
  blocker_->done = true;
  blocker_->woken.notify_one();  // under the lock: the place may be gone as soon as it is released
}

void parking::give_up(wait_result reason) noexcept {
  if (!withdraw()) return;
  result_ = reason;
  wake();
}

void parking::block(blocker& here) {
  std::unique_lock lock(here.mutex);
  const auto done = [&here] { return here.done; };
  if (env_->deadline == no_deadline || env_->time->manual_timers() != nullptr) {
    here.woken.wait(lock, done);
    return;
  }
  if (here.woken.wait_until(lock, env_->deadline, done)) return;
  lock.unlock();
  if (withdraw()) {
    result_ = wait_result::timed_out;
    return;
  }
  lock.lock();  // a waker has us already
  here.woken.wait(lock, done);
}

// sleeping -----------------------------------------------------------------------------------------------------------

namespace {

class nap final : public parking {
 public:
  ~nap() { withdraw(); }

 private:
  bool enqueue() override {
    there_.store(true, std::memory_order_release);
    return true;
  }
  bool withdraw() noexcept override { return there_.exchange(false, std::memory_order_acq_rel); }
  std::atomic<bool> there_{false};
};

task<wait_result> doze() {
  nap place;
  co_return co_await place;
}

}  // namespace

task<wait_result> sleep_until(time_point when) {
  environment env = co_await this_environment();
  const bool whole = when <= env.deadline;
  env.deadline = std::min(when, env.deadline);
  if (env.stop.stop_requested()) co_return wait_result::stopped;
  if (env.blocking() && env.time->manual_timers() != nullptr && env.deadline != no_deadline) {
    env.time->advance_to(env.deadline);  // nobody else would move the clock for a thread that sleeps on it
    co_return whole ? wait_result::ready : wait_result::timed_out;
  }
  task<wait_result> dozing = doze();  // declared after its environment, so it goes first
  const wait_result ended = co_await std::move(dozing).in(env);
  co_return whole&& ended == wait_result::timed_out ? wait_result::ready : ended;
}

task<wait_result> sleep_for(duration span) {
  const environment env = co_await this_environment();
  const auto when = saturating_add(env.time->now(), span);
  co_return co_await sleep_until(when);
}

// events -------------------------------------------------------------------------------------------------------------

struct event::waiter final : parking {
  explicit waiter(event& owner) noexcept : owner_(&owner) {}
  ~waiter() { withdraw(); }
  bool enqueue() override {
    const std::scoped_lock lock(owner_->mutex_);
    if (owner_->set_) return false;
    next_ = owner_->first_;
    if (next_) next_->link_ = &next_;
    link_ = &owner_->first_;
    owner_->first_ = this;
    return true;
  }
  bool withdraw() noexcept override {
    const std::scoped_lock lock(owner_->mutex_);
    return unlink();
  }
  bool unlink() noexcept {
    if (!link_) return false;
    *link_ = next_;
    if (next_) next_->link_ = link_;
    link_ = nullptr;
    return true;
  }
  event* owner_;
  waiter* next_ = nullptr;
  waiter** link_ = nullptr;  // what points to this one; null when not in the list
};

event::event() = default;
event::~event() = default;

void event::set() noexcept {
  waiter* woken = nullptr;  // taken out of the list, a waiter cannot go before it is woken
  {
    const std::scoped_lock lock(mutex_);
    set_ = true;
    while (waiter* each = first_) {
      each->unlink();
      each->next_ = woken;
      woken = each;
    }
  }
  while (woken) {
    waiter* each = woken;
    woken = each->next_;
    each->wake();
  }
}

void event::reset() noexcept {
  const std::scoped_lock lock(mutex_);
  set_ = false;
}

bool event::is_set() const noexcept {
  const std::scoped_lock lock(mutex_);
  return set_;
}

task<wait_result> event::wait() {
  waiter place(*this);
  co_return co_await place;
}

}  // namespace polypool
