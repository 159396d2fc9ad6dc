// SPDX-License-Identifier: Apache-2.0
#include "manager/sql_call.hpp"

#include <algorithm>

namespace polypool {
namespace detail {

void throw_row_count(std::size_t wanted, std::size_t got) {
  throw error(errc::row_count,
              "the statement gave " + std::to_string(got) + " rows where " + std::to_string(wanted) + " was asked for");
}

task<result> execute_on(const call_context& context, sql_session& on, statement what, const environment& env) {
  const auto started = context.state->time().now();
  std::optional<error> failure;
  try {
    task<result> executing = on.execute(what);
    result rows = co_await std::move(executing).in(env);
    note_call(context, started, nullptr);
    co_return rows;
  } catch (const error& e) {
    failure.emplace(e);
  }
  note_call(context, started, &*failure);
  throw in_context(std::move(*failure), context, "query");
}

}  // namespace detail

void sql_operations::execute_script(located_text text) {
  run(script_owned(located_string(text.text(), text.where())), detail::blocking_environment(time()));
}

task<std::uint64_t> sql_operations::affected(task<result> work) {
  const result rows = co_await std::move(work);
  co_return rows.affected_rows();
}

task<result> sql_operations::not_empty(task<result> work) {
  result rows = co_await std::move(work);
  if (rows.empty()) detail::throw_row_count(1, 0);
  co_return rows;
}

// whole transactions ------------------------------------------------------------------------------------------------

namespace detail {

transaction_retry::transaction_retry(const sql_database& on)
    : core_(on.core_), state_(target_of(*on.core_, on.state_, on.call_, database_kind::sql, "begin").state) {}

bool transaction_retry::again_after(const error& why) {
  const bool clash = why.code() == errc::serialization_failure || why.code() == errc::deadlock;
  const auto& guards = state_->guards();
  if (!clash || attempt_ >= guards.retries.attempts) return false;
  const bool affordable = state_->guards().budget.take(why);
  state_->count_retry(affordable);
  if (affordable) pause_ = retry_pause(guards.retries, attempt_++);
  return affordable;
}

void transaction_retry::wait() const { run(async_wait(), blocking_environment(state_->time())); }
task<void> transaction_retry::async_wait() const {
  task<wait_result> pausing = sleep_for(pause_);
  const wait_result how = co_await std::move(pausing);
  if (how == wait_result::stopped) throw error(errc::cancelled, "stopped before the transaction was made again");
}

}  // namespace detail

// the handle ---------------------------------------------------------------------------------------------------------

sql_database::sql_database(std::shared_ptr<detail::manager_core> core,
                           std::shared_ptr<detail::connection_state> state) noexcept
    : core_(std::move(core)), state_(std::move(state)) {}

namespace {

// Where a SQL call goes.
detail::call_context target_of(const detail::manager_core& core, const detail::connection_pointer& named,
                               const std::shared_ptr<const call>& how) {
  return detail::target_of(core, named, how, database_kind::sql, "query");
}

using detail::again;
using detail::call_attempts;
using detail::call_context;

// The session of one attempt. What follows is the server's time.
task<lease> session_for(const call_context& context, call_attempts& attempts, std::source_location where) {
  lease borrowed = context.state->usable_pool().try_acquire(where);
  if (!borrowed) {
    task<lease> waiting = context.state->acquire(where);
    borrowed = co_await std::move(waiting);
  }
  attempts.begun();
  co_return borrowed;
}

task<result> execute_attempt(const call_context& context, call_attempts& attempts, statement what) {
  task<lease> borrowing = session_for(context, attempts, what.where());
  const lease borrowed = co_await std::move(borrowing);
  task<result> executing = static_cast<sql_session&>(borrowed.session()).execute(what);
  co_return co_await std::move(executing);
}

task<result> execute_once(call_context& context, statement what) {
  const environment parent = co_await this_environment();
  auto make = [&](call_attempts& attempts) { return execute_attempt(context, attempts, what); };
  task<result> calling = detail::make_call<result>(context, again::if_undone, context.limited(parent), "query", make);
  co_return co_await std::move(calling);
}

task<result> built_attempt(const call_context& context, call_attempts& attempts,
                           const std::function<built_statement(dialect)>& build, std::source_location where) {
  task<lease> borrowing = session_for(context, attempts, where);
  const lease borrowed = co_await std::move(borrowing);
  auto& session = static_cast<sql_session&>(borrowed.session());
  const built_statement made = build(session.dialect());
  const statement what(made.text, made.parameters);
  task<result> executing = session.execute(what);
  co_return co_await std::move(executing);
}

task<result> execute_built(call_context context, std::function<built_statement(dialect)> build,
                           std::source_location where) {
  const environment parent = co_await this_environment();
  auto make = [&](call_attempts& attempts) { return built_attempt(context, attempts, build, where); };
  task<result> calling = detail::make_call<result>(context, again::if_undone, context.limited(parent), "query", make);
  co_return co_await std::move(calling);
}

task<void> script_attempt(const call_context& context, call_attempts& attempts, located_text text) {
  task<lease> borrowing = session_for(context, attempts, text.where());
  const lease borrowed = co_await std::move(borrowing);
  task<void> executing = static_cast<sql_session&>(borrowed.session()).execute_script(text.text());
  co_await std::move(executing);
}

task<result> execute_owned(call_context context, located_string text, std::vector<value> parameters) {
  const statement what(text, parameters);
  task<result> executing = execute_once(context, what);
  co_return co_await std::move(executing);
}

// Part of a script may be done when it fails, so it is made again only when it was never made.
task<void> script_owned_text(call_context context, located_string text) {
  const environment parent = co_await this_environment();
  auto make = [&](call_attempts& attempts) { return script_attempt(context, attempts, text); };
  task<void> calling = detail::make_call<void>(context, again::never, context.limited(parent), "script", make);
  co_await std::move(calling);
}

using stream_pointer = std::unique_ptr<detail::stream_state>;

task<stream_pointer> stream_attempt(const call_context& context, call_attempts& attempts, statement what) {
  auto stream = std::make_unique<detail::stream_state>();
  stream->context = context;
  task<lease> borrowing = session_for(context, attempts, what.where());
  stream->session = co_await std::move(borrowing);
  stream->places = attempts.take_places();
  task<stream_pointer> opening = detail::open_stream(std::move(stream), what);
  co_return co_await std::move(opening);
}

task<stream_pointer> stream_once(call_context context, statement what) {
  const environment parent = co_await this_environment();
  auto make = [&](call_attempts& attempts) { return stream_attempt(context, attempts, what); };
  task<stream_pointer> calling =
      detail::make_call<stream_pointer>(context, again::if_undone, context.limited(parent), "stream", make);
  co_return co_await std::move(calling);
}

task<stream_pointer> stream_owned_text(call_context context, located_string text, std::vector<value> parameters) {
  const statement what(text, parameters);
  task<stream_pointer> opening = stream_once(std::move(context), what);
  co_return co_await std::move(opening);
}

using transaction_pointer = std::shared_ptr<detail::transaction_state>;

task<transaction_pointer> begin_attempt(const call_context& context, call_attempts& attempts,
                                        const transaction_options& options, std::source_location where) {
  auto tx = std::make_shared<detail::transaction_state>();
  tx->context = context;
  task<lease> borrowing = session_for(context, attempts, where);
  tx->session = co_await std::move(borrowing);
  task<void> beginning = tx->sql().begin(options);
  co_await std::move(beginning);
  tx->places = attempts.take_places();
  co_return tx;
}

task<transaction_pointer> begin_once(call_context context, transaction_options options, std::source_location where) {
  const environment parent = co_await this_environment();
  auto make = [&](call_attempts& attempts) { return begin_attempt(context, attempts, options, where); };
  task<transaction_pointer> calling =
      detail::make_call<transaction_pointer>(context, again::always_safe, context.limited(parent), "begin", make);
  co_return co_await std::move(calling);
}

}  // namespace

std::string sql_database::name() const { return target_of(*core_, state_, call_).state->name(); }

sql_database sql_database::with(call how) const {
  sql_database other = *this;
  other.call_ = std::make_shared<const call>(std::move(how));
  return other;
}

clock& sql_database::time() const noexcept { return core_->time(); }

// What execute_once does, without its coroutines: a thread that blocks anyway needs none around the driver's.
result sql_database::run_now(statement what) {
  auto context = target_of(*core_, state_, call_);
  const environment env = context.limited(detail::blocking_environment(context.state->time()));
  return detail::make_call_now(context, again::if_undone, env, "query", [&](call_attempts& attempts) {
    polypool::lease borrowed = context.state->usable_pool().try_acquire(what.where());
    if (!borrowed) borrowed = run(context.state->acquire(what.where()), env);
    attempts.begun();
    return run(static_cast<sql_session&>(borrowed.session()).execute(what), env);
  });
}
task<result> sql_database::run_owned(located_string text, std::vector<value> parameters) {
  return execute_owned(target_of(*core_, state_, call_), std::move(text), std::move(parameters));
}
task<void> sql_database::script_owned(located_string text) {
  return script_owned_text(target_of(*core_, state_, call_), std::move(text));
}

task<result> sql_database::run_built(std::function<built_statement(dialect)> make, std::source_location where) {
  return execute_built(target_of(*core_, state_, call_), std::move(make), where);
}
std::shared_ptr<sql_operations> sql_database::shared() { return std::make_shared<sql_database>(*this); }

row_stream sql_database::stream_with(located_text text, std::span<const value> parameters) {
  const statement what(text, parameters);
  return row_stream(
      run(stream_once(target_of(*core_, state_, call_), what), detail::blocking_environment(core_->time())));
}
task<row_stream> sql_database::async_stream_with(located_string text, std::vector<value> parameters) {
  auto opening = stream_owned_text(target_of(*core_, state_, call_), std::move(text), std::move(parameters));
  return row_stream::made_by(std::move(opening));
}

transaction sql_database::begin(const transaction_options& options, std::source_location where) {
  return transaction(
      run(begin_once(target_of(*core_, state_, call_), options, where), detail::blocking_environment(core_->time())));
}
task<transaction> sql_database::async_begin(transaction_options options, std::source_location where) {
  return transaction::made_by(begin_once(target_of(*core_, state_, call_), options, where));
}

polypool::lease sql_database::lease(std::source_location where) {
  return run(async_lease(where), detail::blocking_environment(core_->time()));
}
task<polypool::lease> sql_database::async_lease(std::source_location where) {
  return detail::lease_once(target_of(*core_, state_, call_), where);
}

}  // namespace polypool
