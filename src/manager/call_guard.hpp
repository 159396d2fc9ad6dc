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

/// True when there is a queue to wait in.
inline bool is_limited(connection_state& state) noexcept;

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
///       attempts.admit();                                  // throws circuit_open
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

  /// Leave to make the call. Throws circuit_open.
  void admit();
  /// Takes what places are limited; waits in their queues. Throws pool_timeout, pool_queue_full, cancelled.
  task<call_places> enter() const;
  /// The session is there: what comes now is the server's time.
  void begun() noexcept { started_ = context_.state->time().now(); }
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

  call_context& context_;
  safeguards* guards_ = nullptr;
  std::optional<circuit_breaker::permit> permit_;
  call_places places_;
  time_point started_ = not_begun;
  duration pause_{};
  std::uint32_t attempt_ = 1;
  const again how_;
};

inline bool is_limited(connection_state& state) noexcept {
  return state.guards().places.is_limited() || state.total_places().is_limited();
}

/// Tells breaker and counters of a call that no attempts are made for, such as a statement of a transaction.
/// @param why null when it succeeded
void note_call(const call_context& context, time_point started, const error* why) noexcept;

/// Makes a call on a thread that blocks. @param make borrows a session, calls begun(), and makes the call
template <class Make>
auto make_call_now(call_context& context, again how, const environment& env, std::string_view operation,
                   const Make& make) {
  call_attempts attempts(context, how);
  for (;;) {
    try {
      attempts.admit();
      if (is_limited(*context.state)) [[unlikely]] {
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
    if (attempts.pause() > duration::zero()) run(sleep_for(attempts.pause()), env);
  }
}

/// The same in a task. @param make gives the task of one attempt; it and what it refers to outlive this one
template <class Answer, class Make>
task<Answer> make_call(call_context& context, again how, environment env, std::string_view operation, Make& make) {
  call_attempts attempts(context, how);
  for (;;) {
    try {
      attempts.admit();
      if (is_limited(*context.state)) [[unlikely]] {
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

}  // namespace polypool::detail
