// SPDX-License-Identifier: Apache-2.0
// What every call goes through, whatever language the database speaks: breaker, bulkhead, counting, and being made
// again.
#pragma once

#include "manager/call_target.hpp"
#include "manager/safeguards.hpp"

namespace polypool::detail {

/// The places of one call in the bulkheads of its connection and of the manager; empty where there are no limits.
struct call_places {
  bulkhead::place own, total;
};

/// How a call may be made again.
enum class again : std::uint8_t {
  never,       ///< part of something larger, or nobody knows what it does
  if_undone,   ///< only when it is certain that nothing happened, or the call says it is idempotent
  always_safe  ///< it changes nothing by itself
};

/// How long to wait before the next attempt, at random.
duration retry_pause(const retry_options& options, std::uint32_t attempt);

/// One call on its way, attempt by attempt:
///
///     for (call_attempts attempts(context, again::if_undone);;) {
///       if (attempts.admit()) …                            // the error of an open breaker
///       … borrow a session …  attempts.begun();  … make the call …  attempts.succeeded(); return;
///       // on an error:
///       if (!attempts.failed(e, env)) throw in_context(e, …);
///       … sleep for attempts.pause() …
///     }
///
/// Leaves the context pointing at another member when the call goes to a group and another one can take it.
class call_attempts {
 public:
  call_attempts(call_context& context, again how) noexcept;
  call_attempts(const call_attempts&) = delete;
  call_attempts& operator=(const call_attempts&) = delete;
  /// A call that is dropped on its way tells nothing about the server.
  ~call_attempts() { abandon(); }

  /// Leave to make the call; what the attempt before had taken is given back first, or the next one would wait for it.
  /// @return the error circuit_open without; to throw it here would make it slow
  std::optional<error> admit();
  /// Takes what places are limited, unless one of them has to be waited for.
  bool try_enter() noexcept;
  /// The same, and waits in their queues. Throws pool_timeout, pool_queue_full, cancelled.
  task<call_places> enter() const;
  /// The session is there: what comes now is the server's time. Throws as check_member() does.
  void begun() { begun(context_.state->time().now()); }
  void begun(time_point now) {
    if (context_.group) [[unlikely]]
      check_member();
    started_ = now;
  }
  /// After waiting for a session: throws when the group's writes go to another member now, and failed() sends the call
  /// there. So what waited on a server that was demoted meanwhile never reaches it.
  void check_member();
  void succeeded() noexcept;
  /// Counts a failure. @return whether to make the call again, after pause()
  bool failed(const error& why, const environment& env) noexcept;
  duration pause() const noexcept { return pause_; }

  /// The places that the attempt has taken; whoever keeps the session for longer keeps them, too.
  void hold(call_places taken) noexcept { places_ = std::move(taken); }
  call_places take_places() noexcept { return std::move(places_); }

 private:
  static constexpr time_point not_begun{};
  void abandon() noexcept;
  void settle(const error& why, time_point now, duration took) noexcept;
  bool move_to_another(const error& why) noexcept;
  bool follow_successor(const error& why) noexcept;
  bool follow_group() noexcept;
  void start_over_at(connection_pointer next) noexcept;

  call_context& context_;
  safeguards* guards_ = nullptr;
  std::optional<circuit_breaker::permit> permit_;
  call_places places_;
  connection_pointer moved_to_;  // the member that gets the call instead
  time_point started_ = not_begun;
  duration pause_{};
  std::uint32_t attempt_ = 1;
  const again how_;
};

/// Tells breaker and counters of a call that no attempts are made for, such as a statement of a transaction.
/// @param why null when it succeeded
void note_call(const call_context& context, time_point started, const error* why) noexcept;

/// Waits before the next attempt.
inline void pause_now(const call_attempts& attempts, const environment& env) {
  if (attempts.pause() > duration::zero()) run(sleep_for(attempts.pause()), env);
}

/// Makes a call on a thread that blocks. @param make borrows a session, calls begun(), and makes the call
template <class Make>
auto make_call_now(call_context& context, again how, const environment& env, std::string_view operation,
                   const Make& make) {
  call_attempts attempts(context, how);
  for (;; pause_now(attempts, env)) {
    if (auto refused = attempts.admit()) [[unlikely]] {
      if (attempts.failed(*refused, env)) continue;
      throw error(std::move(*refused));
    }
    try {
      if (!attempts.try_enter()) [[unlikely]] {
        attempts.hold(run(attempts.enter(), env));
      }
      auto out = make(attempts);
      attempts.succeeded();
      return out;
    } catch (error& why) {  // keeps its type
      if (!attempts.failed(why, env)) {
        why.at(context.state->name(), context.operation(operation));
        throw;
      }
    }
  }
}

/// The same in a task. @param make gives the task of one attempt; it and what it refers to outlive this one
template <class Answer, class Make>
task<Answer> make_call(call_context& context, again how, environment env, std::string_view operation, Make& make) {
  call_attempts attempts(context, how);
  for (;;) {
    try {
      if (auto refused = attempts.admit()) [[unlikely]]
        throw error(std::move(*refused));
      if (!attempts.try_enter()) [[unlikely]] {
        task<call_places> entering = attempts.enter();
        attempts.hold(co_await std::move(entering).in(env));
      }
      task<Answer> attempt = make(attempts);
      if constexpr (std::is_void_v<Answer>) {
        co_await std::move(attempt).in(env);
        attempts.succeeded();
        co_return;
      } else {
        Answer out = co_await std::move(attempt).in(env);
        attempts.succeeded();
        co_return std::move(out);
      }
    } catch (error& why) {  // keeps its type
      if (!attempts.failed(why, env)) {
        why.at(context.state->name(), context.operation(operation));
        throw;
      }
    }
    if (attempts.pause() > duration::zero()) {
      task<wait_result> pausing = sleep_for(attempts.pause());
      co_await std::move(pausing).in(env);
    }
  }
}

/// A session for whoever called lease(), where the call belongs by the time there is one. What it is used for, nobody
/// knows: so it tells nothing about the server, and needs no place in the bulkhead.
task<lease> lease_once(call_context context, std::source_location where);

}  // namespace polypool::detail
