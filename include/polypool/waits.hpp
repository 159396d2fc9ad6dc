// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup async
/// The four waits that a task can make: for a socket, for a time, for a blocking call, for another task or thread.
#pragma once

#include <polypool/task.hpp>

#include <atomic>
#include <exception>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

namespace polypool {

/// Throws `deadline_exceeded` or `cancelled` unless the wait ended as `ready`.
void throw_unless_ready(wait_result result);

/// Whether a task may wait inside of a system call that returns after `longest` by itself, such as recv(2) with
/// SO_RCVTIMEO, instead of asking with socket_ready first: it blocks its thread, nobody can stop it, and its deadline
/// is not that near. Saves a system call where a round trip takes few microseconds.
bool may_wait_inside_call(const environment& env, duration longest) noexcept;

/// `co_await socket_ready(fd, slot, interest)` waits until a socket is ready, the deadline passes, or a stop is
/// requested. Never throws: the driver has to decide what an interrupted exchange means for its session.
class [[nodiscard]] socket_ready {
 public:
  socket_ready(int descriptor, socket_slot& slot, socket_interest interest) noexcept;
  socket_ready(const socket_ready&) = delete;
  ~socket_ready() {
    if (armed_) env_->disarm(timer_);  // destroyed while it waited
  }
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) {
    return suspend(*self.promise().env, self);
  }
  wait_result await_resume() noexcept;

 private:
  struct deadline_timer final : timer {
    socket_ready* owner = nullptr;
    void expired() noexcept override { owner->interrupt(wait_result::timed_out); }
  };
  struct stop_action {
    socket_ready* owner;
    void operator()() const noexcept { owner->interrupt(wait_result::stopped); }
  };
  bool suspend(const environment& env, std::coroutine_handle<> self);
  void block();
  void interrupt(wait_result reason) noexcept;

  socket_wait wait_;
  int wake_descriptor_ = -1;  // blocking waits that somebody else may end
  const environment* env_ = nullptr;
  std::atomic<wait_result> result_{wait_result::ready};
  bool armed_ = false;
  deadline_timer timer_;
  std::optional<std::stop_callback<stop_action>> stop_;
};

/// A place where one task waits until somebody wakes it: what a pool's waiter, a drain or an opener waits on.
///
/// The derived class decides, under its own lock, who ends the wait: `enqueue` puts it where wakers look (and may
/// refuse, when there is nothing to wait for any more), `withdraw` takes it away again when the deadline passes or a
/// stop is requested. Whoever took it out of the queue ends the wait: a waker by `wake()`, the parking place itself
/// after a successful withdraw. So exactly one of them does, and no wake is lost.
class parking {
 public:
  parking() = default;
  parking(const parking&) = delete;
  parking& operator=(const parking&) = delete;

  /// Wakes the waiting task. Called once, by whoever took it out of the queue. Thread-safe; the place may be gone as
  /// soon as this returns.
  void wake() noexcept;

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) {
    return suspend(*self.promise().env, self);
  }
  wait_result await_resume() noexcept;

  struct elsewhere;
  /// Awaits it in another environment than the task's, which has to outlive the wait.
  elsewhere in(const environment& env) noexcept;

 protected:
  /// Whether it is a thread that waits, not a task. For wakers, who have taken it out of the queue.
  bool blocking() const noexcept { return env_->blocking(); }
  /// A derived class whose place may be destroyed while it waits withdraws it first, in its own destructor.
  ~parking() {
    if (armed_) env_->disarm(timer_);
  }
  /// Makes the place visible to wakers. @return false when there is nothing to wait for
  virtual bool enqueue() = 0;
  /// Takes it away again. @return false when a waker has it already, or it is not there (yet)
  virtual bool withdraw() noexcept = 0;

 private:
  struct deadline_timer final : timer {
    parking* owner = nullptr;
    void expired() noexcept override { owner->give_up(wait_result::timed_out); }
  };
  struct stop_action {
    parking* owner;
    void operator()() const noexcept { owner->give_up(wait_result::stopped); }
  };
  struct blocker;  // on the stack of a thread that waits
  bool suspend(const environment& env, std::coroutine_handle<> self);
  bool begin();
  void block(blocker& here);
  void give_up(wait_result reason) noexcept;

  const environment* env_ = nullptr;
  std::coroutine_handle<> waiter_;
  wait_result result_ = wait_result::ready;  // written by whoever ends the wait
  bool armed_ = false;
  blocker* blocker_ = nullptr;
  deadline_timer timer_;
  std::optional<std::stop_callback<stop_action>> stop_;
};

struct parking::elsewhere {
  parking& place;
  const environment& env;
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> self) { return place.suspend(env, self); }
  wait_result await_resume() noexcept { return place.await_resume(); }
};
inline parking::elsewhere parking::in(const environment& env) noexcept { return {*this, env}; }

/// `co_await sleep_until(t)`: ends at that time, at the deadline (`timed_out`), or on a stop (`stopped`).
task<wait_result> sleep_until(time_point when);
/// `co_await sleep_for(d)`: the same, counted from now.
task<wait_result> sleep_for(duration span);

/// `co_await yield_turn()` lets what is ready on the task's executor go first. Does nothing when the task blocks.
class yield_turn {
 public:
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) const noexcept {
    const environment& env = *self.promise().env;
    if (env.blocking()) return false;
    env.waits->resume(self);
    return true;
  }
  void await_resume() const noexcept {}
};

/// An event that any number of tasks and threads wait for; once set, it stays set until reset. Thread-safe.
class event {
 public:
  event();
  ~event();
  event(const event&) = delete;
  event& operator=(const event&) = delete;
  void set() noexcept;
  void reset() noexcept;
  bool is_set() const noexcept;
  /// Ends when it is set, at the deadline, or on a stop. The event has to outlive the wait.
  task<wait_result> wait();

 private:
  struct waiter;
  mutable std::mutex mutex_;
  waiter* first_ = nullptr;
  bool set_ = false;
};

/// `co_await offload(fn)` makes a blocking call: inline when the task blocks anyway, else on a worker thread.
/// Returns and throws what `fn` does. The call itself is not interrupted by the deadline.
template <class Function>
class [[nodiscard]] offload final : public offloaded_call {
 public:
  using result_type = std::invoke_result_t<Function&>;

  explicit offload(Function function) : function_(std::move(function)) {}
  offload(const offload&) = delete;

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) {
    const environment& env = *self.promise().env;
    if (env.blocking()) {
      call();
      return false;
    }
    waiter = self;
    env.waits->offload(*this);
    return true;
  }
  result_type await_resume() {
    if (failure_) std::rethrow_exception(failure_);
    if constexpr (!std::is_void_v<result_type>) return std::move(*value_);
  }
  void call() noexcept override {
    try {
      if constexpr (std::is_void_v<result_type>) {
        function_();
      } else {
        value_.emplace(function_());
      }
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

 private:
  struct nothing {};
  Function function_;
  std::optional<std::conditional_t<std::is_void_v<result_type>, nothing, result_type>> value_;
  std::exception_ptr failure_;
};

}  // namespace polypool
