// SPDX-License-Identifier: Apache-2.0
// Pipelines and transactions.
#include "manager/redis_call.hpp"

#include <polypool/redis_database.hpp>

namespace polypool {
namespace {

using detail::redis_exclusive;

redis_batch in_transaction(const redis_batch& commands) {
  redis_batch out;
  out.add(redis_command("MULTI")).append(commands).add(redis_command("EXEC"));
  return out;
}

// What EXEC answered: an answer for each command, or nothing when a watched key was changed.
std::optional<redis_replies> outcome_of(const std::vector<redis_reply>& answers) {
  const redis_reply& last = answers.back();
  if (last.is_null()) return std::nullopt;
  if (last.is_error()) {
    error problem = redis_error(last.text());
    for (const auto& each : answers) {
      if (!each.is_error() || &each == &last) continue;
      problem = error(errc::transaction_aborted,
                      "the transaction was refused, and nothing happened: " + std::string(each.text()));
      problem.with_server_message(each.text());
      break;
    }
    throw problem;
  }
  return redis_replies(last.as<std::vector<redis_reply>>());
}

task<redis_replies> finished(task<std::vector<redis_reply>> work, bool atomic, std::string name) {
  std::vector<redis_reply> answers = co_await std::move(work);
  if (!atomic) co_return redis_replies(std::move(answers));
  try {
    std::optional<redis_replies> done = outcome_of(answers);
    co_return done ? std::move(*done) : redis_replies();
  } catch (error& problem) {
    throw problem.at(name, "transaction");
  }
}

}  // namespace

redis_pipeline::redis_pipeline(std::shared_ptr<detail::manager_core> core,
                               std::shared_ptr<detail::connection_state> state, std::shared_ptr<const call> how,
                               bool atomic) noexcept
    : core_(std::move(core)), state_(std::move(state)), how_(std::move(how)), atomic_(atomic) {}

task<redis_replies> redis_pipeline::async_run() const {
  auto context = detail::redis_target(*core_, state_, how_, atomic_ ? "transaction" : "pipeline");
  const auto effect = commands_.effect();
  if (effect != redis_effect::none) {
    throw error(errc::invalid_argument, "one of these commands changes the session it runs on, or holds it up")
        .with_hint("use lease() for a session of your own")
        .at(context.state->name(), atomic_ ? "transaction" : "pipeline");
  }
  std::string name = context.state->name();
  redis_batch batch = atomic_ ? in_transaction(commands_) : commands_;
  auto work = detail::redis_later(std::move(context), std::move(batch), atomic_ ? "transaction" : "pipeline");
  return finished(std::move(work), atomic_, std::move(name));
}

redis_replies redis_pipeline::run() const {
  if (empty()) return redis_replies();
  return polypool::run(async_run(), detail::blocking_environment(core_->time()));
}

// transactions that watch --------------------------------------------------------------------------------------------

redis_transaction::redis_transaction(std::unique_ptr<redis_exclusive> state) noexcept : state_(std::move(state)) {}
redis_transaction::redis_transaction(redis_transaction&&) noexcept = default;
redis_transaction& redis_transaction::operator=(redis_transaction&&) noexcept = default;
redis_transaction::~redis_transaction() = default;

namespace {

redis_exclusive& running(const std::unique_ptr<redis_exclusive>& state) {
  if (state && state->session) return *state;
  error problem(errc::invalid_argument, "the transaction is over");
  if (state) problem.at(state->context.state->name(), "transaction");
  throw problem;
}

using exclusive_pointer = std::unique_ptr<redis_exclusive>;

task<exclusive_pointer> watch_attempt(const detail::call_context& context, detail::call_attempts& attempts,
                                      const redis_command& what) {
  auto made = std::make_unique<redis_exclusive>();
  made->context = context;
  task<lease> waiting = context.state->acquire(std::source_location::current());
  made->session = co_await std::move(waiting);
  attempts.begun();
  task<redis_reply> watching = made->session.key_value().execute(what);
  co_await std::move(watching);
  made->places = attempts.take_places();
  co_return made;
}

// To watch changes nothing, so it may be said again on another session.
task<exclusive_pointer> watched(detail::call_context context, redis_command what) {
  const environment parent = co_await this_environment();
  auto make = [&](detail::call_attempts& attempts) { return watch_attempt(context, attempts, what); };
  task<exclusive_pointer> calling =
      detail::make_call<exclusive_pointer>(context, detail::again::always_safe, context.limited(parent), "watch", make);
  co_return co_await std::move(calling);
}

task<std::optional<redis_replies>> committed(redis_exclusive& mine, redis_batch commands) {
  std::optional<error> failure;
  try {
    task<std::vector<redis_reply>> work = detail::redis_on(mine, in_transaction(commands), "commit");
    const std::vector<redis_reply> answers = co_await std::move(work);
    mine.end();
    co_return outcome_of(answers);
  } catch (const error& problem) {
    failure = problem;
  }
  mine.end();
  if (failure->disposition() == disposition::in_doubt && failure->portable_code() != errc::in_doubt) {
    error doubt(errc::in_doubt, "nobody knows whether the transaction happened: " + failure->cause());
    failure = doubt.with_poisoned_session(failure->poisons_session());
  }
  throw failure->at(mine.context.state->name(), "commit");
}

clock& time_of(const redis_exclusive& mine) { return mine.context.state->time(); }

}  // namespace

redis_transaction redis_database::watch_now(redis_command what) {
  return polypool::run(watch_later(std::move(what)), detail::blocking_environment(core_->time()));
}
task<redis_transaction> redis_database::watch_later(redis_command what) {
  return redis_transaction::made_by(watched(detail::redis_target(*core_, state_, call_, "watch"), std::move(what)));
}
task<redis_transaction> redis_transaction::made_by(task<std::unique_ptr<redis_exclusive>> work) {
  std::unique_ptr<redis_exclusive> state = co_await std::move(work);
  co_return redis_transaction(std::move(state));
}

redis_reply redis_transaction::run_now(const redis_command& what) {
  return polypool::run(run_later(what), detail::blocking_environment(time_of(running(state_))));
}
task<redis_reply> redis_transaction::run_later(redis_command what) {
  auto& mine = running(state_);
  if (effect_of(what) != redis_effect::none) {
    throw error(errc::invalid_argument, std::string(what.name()) + " cannot run inside of a transaction")
        .at(mine.context.state->name(), "transaction");
  }
  return detail::redis_on(mine, std::move(what));
}

task<void> redis_transaction::async_watch(std::string_view key) {
  auto work = detail::redis_on(running(state_), redis_command("WATCH", key));
  const auto ignoring = [](task<redis_reply> inner) -> task<void> { co_await std::move(inner); };
  return ignoring(std::move(work));
}
void redis_transaction::watch(std::string_view key) {
  polypool::run(async_watch(key), detail::blocking_environment(time_of(running(state_))));
}

task<std::optional<redis_replies>> redis_transaction::async_commit() { return committed(running(state_), commands_); }
std::optional<redis_replies> redis_transaction::commit() {
  return polypool::run(async_commit(), detail::blocking_environment(time_of(running(state_))));
}

void redis_transaction::discard() noexcept {
  if (state_) state_->end();
}

}  // namespace polypool
