// SPDX-License-Identifier: Apache-2.0
// Threads for calls that block and cannot be waited for in any other way.
#pragma once

#include "async/timer_thread.hpp"

#include <polypool/waits.hpp>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

namespace polypool::odbc {

/// As many threads as there are calls at once; they go when there has been nothing to do for a while. The destructor
/// waits for all of them. Thread-safe.
class call_threads {
 public:
  call_threads() = default;
  ~call_threads();
  call_threads(const call_threads&) = delete;
  call_threads& operator=(const call_threads&) = delete;

  /// Runs the job, which must not throw, on a thread. Throws when there can be no more threads.
  void submit(std::function<void()> job);
  /// Timers on the machine's clock.
  detail::timer_thread& timers() noexcept { return timers_; }

 private:
  using thread_list = std::list<std::thread>;
  void serve(thread_list::iterator self);
  void join_ended(std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  thread_list threads_;
  thread_list ended_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
  detail::timer_thread timers_;
};

/// A call on another thread. Shared with whoever waits for it, who may give up.
template <class T>
struct pending_call {
  event done;
  std::exception_ptr failure;
  std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> value;

  T take() {
    if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
    if constexpr (!std::is_void_v<T>) return std::move(*value);
  }
};

/// Starts a call. The body goes, with all that it holds, before the call counts as done.
template <class Body>
std::shared_ptr<pending_call<std::invoke_result_t<Body&>>> start_call(call_threads& threads, Body body) {
  using T = std::invoke_result_t<Body&>;
  auto call = std::make_shared<pending_call<T>>();
  // std::function wants to copy what it holds.
  auto kept = std::make_shared<std::optional<Body>>(std::move(body));
  threads.submit([call, kept] {
    try {
      if constexpr (std::is_void_v<T>) {
        (**kept)();
      } else {
        call->value.emplace((**kept)());
      }
    } catch (...) {
      call->failure = std::current_exception();
    }
    kept->reset();
    call->done.set();
  });
  return call;
}

}  // namespace polypool::odbc
