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
Answer attempt_now(const call_context& context, call_attempts& attempts, const Request& what, const environment& env) {
  auto& sharing = context.state->redis();
  for (int attempt = 1;; ++attempt) {
    std::optional<place> mine = sharing.try_join(env, env.time->coarse_now());
    if (!mine) mine.emplace(run(sharing.join(), env));
    try {
      attempts.begun();
      Answer answer = run(start(mine->session(), what), env);
      mine->done();
      return answer;
    } catch (const error& failure) {
      if (!gave_up(failure)) mine->done();
      if (!may_try_again(failure, attempt)) throw;
    }
  }
}

template <class Answer, class Request>
Answer shared_now(call_context context, const Request& what, std::string_view operation) {
  const environment env = context.limited(blocking_environment(context.state->time()));
  return make_call_now(context, again::if_undone, env, operation,
                       [&](call_attempts& attempts) { return attempt_now<Answer>(context, attempts, what, env); });
}

// What make_call() does, in one coroutine: there may be hundreds of these at once, and all that each of them does
// counts.
template <class Answer, class Request>
task<Answer> shared_later(call_context context, Request what, std::string_view operation) {
  clock& time = context.state->time();
  time_point now = time.now();
  const environment env = context.limited(co_await this_environment(), now);
  call_attempts attempts(context, again::if_undone);
  bool admitted = false;  // on another session of the same server it goes on with what it has
  for (int attempt = 1;; ++attempt, now = time.now()) {
    std::optional<place> mine;
    try {
      if (!admitted) {
        if (auto refused = attempts.admit()) [[unlikely]]
          throw error(std::move(*refused));
        if (!attempts.try_enter()) [[unlikely]] {
          task<call_places> entering = attempts.enter();
          attempts.hold(co_await std::move(entering).in(env));
          now = time.now();
        }
        admitted = true;
      }
      auto& sharing = context.state->redis();
      if (auto quick = sharing.try_join(env, now)) {
        mine.emplace(std::move(*quick));
        attempts.begun(now);
      } else {
        task<place> joining = sharing.join();
        mine.emplace(co_await std::move(joining).in(env));
        attempts.begun();
      }
      task<Answer> running = start(mine->session(), what);
      Answer answer = co_await std::move(running).in(env);
      mine->done();
      attempts.succeeded();
      co_return std::move(answer);
    } catch (error& why) {
      if (mine && !gave_up(why)) mine->done();
      if (may_try_again(why, attempt)) continue;
      if (!attempts.failed(why, env)) {
        why.at(context.state->name(), context.operation(words_for(what, operation)));
        throw;
      }
      admitted = false;
    }
    if (attempts.pause() > duration::zero()) {
      task<wait_result> pausing = sleep_for(attempts.pause());
      co_await std::move(pausing).in(env);
    }
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

namespace {

// Blocking commands have no limit of their own: the server keeps the time; ours is for a server that does not answer at
// all.
environment patient(const call_context& context, environment env, std::optional<duration> wait) {
  const duration usual = context.state->limits().query_timeout;
  if (context.how && context.how->timeout()) return context.limited(env);
  if (wait && *wait > duration::zero() && usual > duration::zero()) {
    env.deadline = std::min(env.deadline, saturating_add(env.time->now(), *wait + usual));
  }
  return env;
}

task<redis_reply> alone_attempt(const call_context& context, call_attempts& attempts, const redis_command& what,
                                std::optional<duration> wait) {
  const environment parent = co_await this_environment();
  task<lease> waiting = context.state->acquire(std::source_location::current());
  lease borrowed = co_await std::move(waiting);
  borrowed.expect_long();
  // What a blocking command waits for is not the server's slowness.
  if (wait) {
    attempts.check_member();
  } else {
    attempts.begun();
  }
  task<redis_reply> running = borrowed.key_value().execute(what);
  const environment env = patient(context, parent, wait);
  co_return co_await std::move(running).in(env);
}

}  // namespace

task<redis_reply> redis_alone(call_context context, redis_command what, std::optional<duration> wait) {
  environment env = co_await this_environment();
  env.time = &context.state->time();
  auto make = [&](call_attempts& attempts) { return alone_attempt(context, attempts, what, wait); };
  task<redis_reply> calling = make_call<redis_reply>(context, again::if_undone, env, what.name(), make);
  co_return co_await std::move(calling);
}

namespace {

template <class Answer, class Request>
task<Answer> exclusive(redis_exclusive& mine, Request what, std::string_view operation) {
  const environment parent = co_await this_environment();
  const environment env = mine.context.limited(parent);
  const auto started = mine.context.state->time().now();
  std::optional<error> failure;
  try {
    task<Answer> running = start(mine.session.key_value(), what);
    Answer answer = co_await std::move(running).in(env);
    note_call(mine.context, started, nullptr);
    co_return std::move(answer);
  } catch (const error& problem) {
    failure = problem;
  }
  note_call(mine.context, started, &*failure);
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
