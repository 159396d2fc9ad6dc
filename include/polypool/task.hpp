// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup async
/// A lazy coroutine that does not know how it waits.
#pragma once

#include <polypool/environment.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace polypool {

template <class T = void>
class task;

namespace detail {

/// Memory for coroutine frames, recycled per thread by size.
void* allocate_frame(std::size_t size);
void free_frame(void* frame, std::size_t size) noexcept;

struct promise_base {
  const environment* env = nullptr;      // owned by the root or by with_deadline; outlives the coroutine
  std::coroutine_handle<> continuation;  // set only once the child really suspended
  std::exception_ptr failure;

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { free_frame(frame, size); }

  struct final_awaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      const auto next = self.promise().continuation;
      return next ? next : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  final_awaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { failure = std::current_exception(); }

  // Below -O2 g++ does not turn symmetric transfer into a jump, so a loop of awaits that finish at once would grow the
  // stack without bound. Therefore the parent runs its child here, inside its own await_suspend, and goes on by itself
  // when the child finished. No race: a scheduler resumes nothing of a tree while another part of it runs.
  // Returns true when the child suspended and will resume the parent later.
  template <class Promise>
  static bool start(std::coroutine_handle<Promise> child, std::coroutine_handle<> parent, const environment* env) {
    child.promise().env = env;
    child.resume();
    if (child.done()) return false;
    child.promise().continuation = parent;
    return true;
  }
};

template <class T>
struct promise : promise_base {
  std::optional<T> value;
  task<T> get_return_object() noexcept;
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() {
    if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
    return std::move(*value);
  }
};

template <>
struct promise<void> : promise_base {
  task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() {
    if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
  }
};

}  // namespace detail

/// A lazy coroutine that does not know how it waits: where it is *started* decides how every wait inside it happens.
///
/// - `run(task)`: on the calling thread; each wait blocks it, and the coroutine never really suspends.
/// - `spawn(executor, task, token)` (polypool/asio.hpp): on a Boost.Asio executor.
/// - `co_await task` inside another task: as the parent waits, with the parent's deadline and stop token.
///
/// A task runs once and at most one thread at a time. Destroying a task that has not been started costs nothing; one
/// that is suspended must be stopped (stop token) and finished first.
///
/// g++ 12 miscompiles some coroutines: in an expression with `co_await`, write no braced list, no aggregate temporary
/// with members that need destruction, and no lambda that captures by value. Name it first, then move it in.
template <class T>
class [[nodiscard]] task {
 public:
  using promise_type = detail::promise<T>;
  using value_type = T;

  explicit task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}
  task(task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  task& operator=(task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~task() {
    if (handle_) handle_.destroy();
  }

  struct awaiter {
    std::coroutine_handle<promise_type> child;
    const environment* env = nullptr;  // null: the parent's
    bool await_ready() const noexcept { return false; }
    template <class Promise>
      requires std::derived_from<Promise, detail::promise_base>
    bool await_suspend(std::coroutine_handle<Promise> parent) {
      return detail::promise_base::start(child, parent, env ? env : parent.promise().env);
    }
    T await_resume() { return child.promise().take(); }
  };

  /// Awaits the task from another task, in the parent's environment.
  awaiter operator co_await() && noexcept { return awaiter{handle_}; }
  /// Awaits it in another environment, which has to outlive it.
  awaiter in(const environment& env) && noexcept { return awaiter{handle_, &env}; }

  std::coroutine_handle<promise_type> handle() const noexcept { return handle_; }

 private:
  std::coroutine_handle<promise_type> handle_;
};

template <class T>
task<T> detail::promise<T>::get_return_object() noexcept {
  return task<T>{std::coroutine_handle<promise>::from_promise(*this)};
}
inline task<void> detail::promise<void>::get_return_object() noexcept {
  return task<void>{std::coroutine_handle<promise>::from_promise(*this)};
}

/// Runs a task on the calling thread and returns its result; every wait inside blocks the thread.
/// Throws what the task throws. Not for use inside a task: await it there.
/// @param env deadline, stop token and clock; its scheduler is ignored
template <class T>
T run(task<T> work, const environment& env = {}) {
  auto& promise = work.handle().promise();
  environment blocking;  // stays empty where the given one blocks already
  promise.env = &env;
  if (!env.blocking()) {
    blocking = env;
    blocking.waits = nullptr;
    promise.env = &blocking;
  }
  work.handle().resume();
  return promise.take();
}

/// `co_await this_environment()` gives the environment of the running task.
struct this_environment {
  const environment* env = nullptr;
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    env = self.promise().env;
    return false;
  }
  const environment& await_resume() const noexcept { return *env; }
};

/// A task with an earlier deadline for everything below it. A later one than the parent's has no effect.
template <class T>
task<T> with_deadline(time_point deadline, task<T> work) {
  environment env = co_await this_environment();
  if (deadline < env.deadline) env.deadline = deadline;
  task<T> child = std::move(work);  // goes before its environment does
  co_return co_await std::move(child).in(env);
}

/// A task that has at most this long, counted from when it starts.
template <class T>
task<T> with_timeout(duration timeout, task<T> work) {
  environment env = co_await this_environment();
  const auto deadline = saturating_add(env.time->now(), timeout);
  if (deadline < env.deadline) env.deadline = deadline;
  task<T> child = std::move(work);  // goes before its environment does
  co_return co_await std::move(child).in(env);
}

/// A task that runs on although its parent's deadline has passed or it was told to stop: for cleaning up.
/// @param timeout its own limit
template <class T>
task<T> shielded(duration timeout, task<T> work) {
  environment env = co_await this_environment();
  env.deadline = saturating_add(env.time->now(), timeout);
  env.stop = {};
  task<T> child = std::move(work);  // goes before its environment does
  co_return co_await std::move(child).in(env);
}

/// A task that also stops when this token says so. Replaces the parent's token.
template <class T>
task<T> with_stop(std::stop_token stop, task<T> work) {
  environment env = co_await this_environment();
  env.stop = std::move(stop);
  task<T> child = std::move(work);  // goes before its environment does
  co_return co_await std::move(child).in(env);
}

}  // namespace polypool
