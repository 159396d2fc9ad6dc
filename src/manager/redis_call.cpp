// SPDX-License-Identifier: Apache-2.0
#include "manager/redis_call.hpp"

#include <polypool/error.hpp>

namespace polypool::detail {
namespace {

// After a server was restarted, every idle session turns out to be dead, one after the other.
constexpr int most_attempts = 32;

// Nothing of it was sent, so that it may be said again on another session.
bool may_try_again(const error& failure, int attempt) noexcept {
  return failure.portable_code() == errc::connection_lost && failure.disposition() == disposition::retryable &&
         attempt < most_attempts;
}

// Its caller stopped waiting; what it asked for may still be under way on its session.
bool gave_up(const error& failure) noexcept {
  const auto code = failure.portable_code();
  return (code == errc::deadline_exceeded || code == errc::cancelled) && failure.disposition() == disposition::in_doubt;
}

task<redis_reply> start(key_value_session& on, const redis_command& what) { return on.execute(what); }
task<std::vector<redis_reply>> start(key_value_session& on, const redis_batch& what) { return on.pipeline(what); }

// What an error calls it: a command by its own name.
std::string_view words_for(const redis_command& what, std::string_view) noexcept { return what.name(); }
std::string_view words_for(const redis_batch&, std::string_view operation) noexcept { return operation; }

using place = redis_sharing::place;

// Without a coroutine around the session's own: a thread that blocks anyway needs none.
template <class Answer, class Request>
Answer shared_now(const call_context& context, const Request& what, std::string_view operation) {
  const environment env = context.limited(blocking_environment(context.state->time()));
  auto& sharing = context.state->redis();
  for (int attempt = 1;; ++attempt) {
    std::optional<place> mine = sharing.try_join(env);
    if (!mine) mine.emplace(run(sharing.join(), env));
    try {
      Answer answer = run(start(mine->session(), what), env);
      mine->done();
      context.state->count_query(false);
      return answer;
    } catch (const error& failure) {
      if (!gave_up(failure)) mine->done();
      if (may_try_again(failure, attempt)) continue;
      context.state->count_query(true);
      throw in_context(failure, context, operation);
    }
  }
}

template <class Answer, class Request>
task<Answer> shared_later(call_context context, Request what, std::string_view operation) {
  const environment env = context.limited(co_await this_environment());
  auto& sharing = context.state->redis();
  for (int attempt = 1;; ++attempt) {
    std::optional<error> failure;
    std::optional<place> mine = sharing.try_join(env);
    if (!mine) {
      task<place> joining = sharing.join();
      mine.emplace(co_await std::move(joining).in(env));
    }
    try {
      task<Answer> running = start(mine->session(), what);
      Answer answer = co_await std::move(running).in(env);
      mine->done();
      context.state->count_query(false);
      co_return std::move(answer);
    } catch (const error& problem) {
      failure = problem;
    }
    if (!gave_up(*failure)) mine->done();
    if (may_try_again(*failure, attempt)) continue;
    context.state->count_query(true);
    throw in_context(std::move(*failure), context, words_for(what, operation));
  }
}

// @return true when it may share a session
bool shareable(const call_context& context, redis_effect effect, std::string_view name) {
  if (effect == redis_effect::none || effect == redis_effect::blocks) return effect == redis_effect::none;
  error problem(errc::invalid_argument,
                std::string(name) + " changes the session it runs on, and the next call may run on another one");
  switch (effect) {
    case redis_effect::subscribes:
      problem.with_hint("use subscribe()");
      break;
    case redis_effect::state:
      problem.with_hint("use transaction() or watch(), or lease() for a session of your own");
      break;
    default:
      problem.with_hint("it cannot be used here");
  }
  throw problem.at(context.state->name(), context.operation(name));
}

}  // namespace

call_context redis_target(const manager_core& core, const connection_pointer& named,
                          const std::shared_ptr<const call>& how, std::string_view operation) {
  return target_of(core, named, how, database_kind::key_value, operation);
}

redis_reply redis_now(const call_context& context, const redis_command& what) {
  if (shareable(context, effect_of(what), what.name())) [[likely]] {
    return shared_now<redis_reply>(context, what, what.name());
  }
  return run(redis_alone(context, what, std::nullopt), blocking_environment(context.state->time()));
}

task<redis_reply> redis_later(call_context context, redis_command what) {
  if (shareable(context, effect_of(what), what.name())) [[likely]] {
    return shared_later<redis_reply>(std::move(context), std::move(what), {});
  }
  return redis_alone(std::move(context), std::move(what), std::nullopt);
}

std::vector<redis_reply> redis_now(const call_context& context, const redis_batch& what, std::string_view operation) {
  return shared_now<std::vector<redis_reply>>(context, what, operation);
}

task<std::vector<redis_reply>> redis_later(call_context context, redis_batch what, std::string_view operation) {
  return shared_later<std::vector<redis_reply>>(std::move(context), std::move(what), operation);
}

task<redis_reply> redis_alone(call_context context, redis_command what, std::optional<duration> wait) {
  environment env = co_await this_environment();
  env.time = &context.state->time();
  const duration usual = context.state->limits().query_timeout;
  task<lease> waiting = context.state->acquire(std::source_location::current());
  lease borrowed = co_await std::move(waiting).in(env);
  borrowed.expect_long();
  // The server keeps the time; ours is for a server that does not answer at all.
  if (context.how && context.how->timeout()) {
    env = context.limited(env);
  } else if (wait && *wait > duration::zero() && usual > duration::zero()) {
    env.deadline = std::min(env.deadline, saturating_add(env.time->now(), *wait + usual));
  }
  std::optional<error> failure;
  try {
    task<redis_reply> running = borrowed.key_value().execute(what);
    redis_reply answer = co_await std::move(running).in(env);
    context.state->count_query(false);
    co_return std::move(answer);
  } catch (const error& problem) {
    failure = problem;
  }
  context.state->count_query(true);
  throw in_context(std::move(*failure), context, what.name());
}

namespace {

template <class Answer, class Request>
task<Answer> exclusive(redis_exclusive& mine, Request what, std::string_view operation) {
  const environment parent = co_await this_environment();
  const environment env = mine.context.limited(parent);
  std::optional<error> failure;
  try {
    task<Answer> running = start(mine.session.key_value(), what);
    Answer answer = co_await std::move(running).in(env);
    mine.context.state->count_query(false);
    co_return std::move(answer);
  } catch (const error& problem) {
    failure = problem;
  }
  mine.context.state->count_query(true);
  throw in_context(std::move(*failure), mine.context, operation);
}

}  // namespace

task<redis_reply> redis_on(redis_exclusive& mine, redis_command what) {
  const std::string name(what.name());
  task<redis_reply> running = exclusive<redis_reply>(mine, std::move(what), name);
  co_return co_await std::move(running);
}

task<std::vector<redis_reply>> redis_on(redis_exclusive& mine, redis_batch what, std::string_view operation) {
  return exclusive<std::vector<redis_reply>>(mine, std::move(what), operation);
}

}  // namespace polypool::detail
