// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup async
/// Tasks on Boost.Asio executors.
#pragma once

#include <polypool/task.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace polypool {
namespace detail {

/// What happens when a root task is done. Called once, on the executor.
class root_completion {
 public:
  virtual ~root_completion() = default;
  virtual void complete() = 0;
};

/// Starts `body`, which must not throw, on the executor; calls `done` when it is over.
void start_root(const boost::asio::any_io_executor& executor, task<void> body, std::unique_ptr<root_completion> done,
                std::stop_token stop, clock& time);

// What a handler gets: T itself where one can be made up for the error case, else an optional.
template <class T>
using handler_value = std::conditional_t<std::is_default_constructible_v<T>, T, std::optional<T>>;
template <class T>
struct handler_signature {
  using type = void(std::exception_ptr, handler_value<T>);
};
template <>
struct handler_signature<void> {
  using type = void(std::exception_ptr);
};

template <class T>
struct outcome {
  std::exception_ptr failure;
  std::optional<T> value;
};
template <>
struct outcome<void> {
  std::exception_ptr failure;
};

template <class T>
task<void> capture(task<T> work, outcome<T>& out) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(work);
    } else {
      out.value.emplace(co_await std::move(work));
    }
  } catch (...) {
    out.failure = std::current_exception();
  }
}

template <class T, class Handler>
class handler_completion final : public root_completion {
 public:
  handler_completion(Handler handler, const boost::asio::any_io_executor& fallback)
      : handler_(std::move(handler)), work_(boost::asio::get_associated_executor(handler_, fallback)) {
    auto slot = boost::asio::get_associated_cancellation_slot(handler_);
    if (slot.is_connected()) {
      stop_.emplace();
      slot.assign([stop = *stop_](boost::asio::cancellation_type) mutable { stop.request_stop(); });
    }
  }
  outcome<T>& out() noexcept { return out_; }
  std::stop_token stop() const noexcept { return stop_ ? stop_->get_token() : std::stop_token(); }
  void complete() override {
    boost::asio::get_associated_cancellation_slot(handler_).clear();
    auto executor = work_.get_executor();
    auto call = [handler = std::move(handler_), out = std::move(out_), work = std::move(work_)]() mutable {
      if constexpr (std::is_void_v<T>) {
        std::move(handler)(out.failure);
      } else if constexpr (std::is_default_constructible_v<T>) {
        std::move(handler)(out.failure, out.value ? std::move(*out.value) : T());
      } else {
        std::move(handler)(out.failure, std::move(out.value));
      }
    };
    boost::asio::dispatch(executor, std::move(call));
  }

 private:
  Handler handler_;
  boost::asio::executor_work_guard<boost::asio::associated_executor_t<Handler, boost::asio::any_io_executor>> work_;
  outcome<T> out_;
  std::optional<std::stop_source> stop_;
};

}  // namespace detail

/// Starts a task on an executor, with any completion token. The handler gets `(std::exception_ptr, T)`, or
/// `(std::exception_ptr)` for a task<void>; `use_awaitable` and `use_future` turn the first into a throw. Where T has
/// no default constructor it comes as std::optional<T>.
///
/// The executor has outstanding work until the task is done. Its threads may be many: the task itself runs on one at a
/// time. Cancelling the operation through its cancellation slot requests a stop of the task. When the execution context
/// is destroyed first, the task is dropped with it.
template <class T, boost::asio::completion_token_for<typename detail::handler_signature<T>::type> Token>
auto spawn(const boost::asio::any_io_executor& executor, task<T> work, Token&& token) {
  auto initiate = [](auto handler, boost::asio::any_io_executor where, task<T> what) {
    using completion = detail::handler_completion<T, decltype(handler)>;
    auto done = std::make_unique<completion>(std::move(handler), where);
    auto body = detail::capture(std::move(what), done->out());
    auto stop = done->stop();
    detail::start_root(where, std::move(body), std::move(done), std::move(stop), clock::system());
  };
  return boost::asio::async_initiate<Token, typename detail::handler_signature<T>::type>(
      std::move(initiate), token, boost::asio::any_io_executor(executor), std::move(work));
}

/// A task inside an asio::awaitable, on its executor: `co_await as_awaitable(db.async_query("SELECT 1"))`.
/// (Boost 1.81 cannot await an operation that hands over an exception and a value directly; hence a function.)
template <class T>
boost::asio::awaitable<T> as_awaitable(task<T> work) {
  auto executor = co_await boost::asio::this_coro::executor;
  if constexpr (std::is_void_v<T> || std::is_default_constructible_v<T>) {
    co_return co_await spawn(executor, std::move(work), boost::asio::use_awaitable);
  } else {
    auto made = co_await spawn(executor, std::move(work), boost::asio::use_awaitable);
    co_return std::move(*made);
  }
}

}  // namespace polypool
