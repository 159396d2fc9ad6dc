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
  std::optional<error> failure;
  try {
    task<result> executing = on.execute(what);
    result rows = co_await std::move(executing).in(env);
    context.state->count_query(false);
    co_return rows;
  } catch (const error& e) {
    failure.emplace(e);
  }
  context.state->count_query(true);
  throw in_context(std::move(*failure), context, "query");
}

task<void> begin_on(const call_context& context, sql_session& on, transaction_options options, const environment& env) {
  std::optional<error> failure;
  try {
    task<void> beginning = on.begin(options);
    co_await std::move(beginning).in(env);
  } catch (const error& e) {
    failure.emplace(e);
  }
  context.state->count_query(failure.has_value());
  if (failure) throw in_context(std::move(*failure), context, "begin");
}

}  // namespace detail

void sql_operations::execute_script(located_text text) {
  run(script_owned(located_string(text.text(), text.where())), detail::blocking_environment(time()));
}

task<std::uint64_t> sql_operations::affected(task<result> work) {
  const result rows = co_await std::move(work);
  co_return rows.affected_rows();
}

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

task<result> execute_once(const detail::call_context& context, statement what) {
  const environment parent = co_await this_environment();
  const environment env = context.limited(parent);
  lease borrowed = context.state->usable_pool().try_acquire(what.where());
  if (!borrowed) {
    task<lease> waiting = context.state->acquire(what.where());
    borrowed = co_await std::move(waiting).in(env);
  }
  auto& session = static_cast<sql_session&>(borrowed.session());
  task<result> executing = detail::execute_on(context, session, what, env);
  co_return co_await std::move(executing);
}

task<result> execute_built(detail::call_context context, std::function<built_statement(dialect)> make,
                           std::source_location where) {
  const environment parent = co_await this_environment();
  const environment env = context.limited(parent);
  task<lease> waiting = context.state->acquire(where);
  const lease borrowed = co_await std::move(waiting).in(env);
  auto& session = static_cast<sql_session&>(borrowed.session());
  const built_statement made = make(session.dialect());
  const statement what(made.text, made.parameters);
  task<result> executing = detail::execute_on(context, session, what, env);
  co_return co_await std::move(executing);
}

task<void> script_once(const detail::call_context& context, located_text text) {
  const environment parent = co_await this_environment();
  const environment env = context.limited(parent);
  task<lease> waiting = context.state->acquire(text.where());
  const lease borrowed = co_await std::move(waiting).in(env);
  std::optional<error> failure;
  try {
    task<void> executing = static_cast<sql_session&>(borrowed.session()).execute_script(text.text());
    co_await std::move(executing).in(env);
  } catch (const error& e) {
    failure.emplace(e);
  }
  context.state->count_query(failure.has_value());
  if (failure) throw detail::in_context(std::move(*failure), context, "script");
}

task<result> execute_owned(detail::call_context context, located_string text, std::vector<value> parameters) {
  const statement what(text, parameters);
  task<result> executing = execute_once(context, what);
  co_return co_await std::move(executing);
}

task<void> script_owned_text(detail::call_context context, located_string text) {
  task<void> executing = script_once(context, text);
  co_await std::move(executing);
}

task<std::unique_ptr<detail::stream_state>> stream_once(detail::call_context context, statement what) {
  const environment parent = co_await this_environment();
  const environment env = context.limited(parent);
  auto stream = std::make_unique<detail::stream_state>();
  stream->context = std::move(context);
  task<lease> waiting = stream->context.state->acquire(what.where());
  stream->session = co_await std::move(waiting).in(env);
  task<std::unique_ptr<detail::stream_state>> opening = detail::open_stream(std::move(stream), what);
  co_return co_await std::move(opening);
}

task<std::unique_ptr<detail::stream_state>> stream_owned_text(detail::call_context context, located_string text,
                                                              std::vector<value> parameters) {
  const statement what(text, parameters);
  task<std::unique_ptr<detail::stream_state>> opening = stream_once(std::move(context), what);
  co_return co_await std::move(opening);
}

task<std::shared_ptr<detail::transaction_state>> begin_once(detail::call_context context, transaction_options options,
                                                            std::source_location where) {
  const environment parent = co_await this_environment();
  const environment env = context.limited(parent);
  auto tx = std::make_shared<detail::transaction_state>();
  tx->context = std::move(context);
  task<lease> waiting = tx->context.state->acquire(where);
  tx->session = co_await std::move(waiting).in(env);
  task<void> beginning = detail::begin_on(tx->context, tx->sql(), options, env);
  co_await std::move(beginning);
  co_return tx;
}

task<polypool::lease> lease_once(detail::call_context context, std::source_location where) {
  task<polypool::lease> waiting = context.state->acquire(where);
  co_return co_await std::move(waiting);
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
  const auto context = target_of(*core_, state_, call_);
  const environment env = context.limited(detail::blocking_environment(context.state->time()));
  polypool::lease borrowed = context.state->usable_pool().try_acquire(what.where());
  if (!borrowed) borrowed = run(context.state->acquire(what.where()), env);
  try {
    result rows = run(static_cast<sql_session&>(borrowed.session()).execute(what), env);
    context.state->count_query(false);
    return rows;
  } catch (const error& e) {
    context.state->count_query(true);
    throw detail::in_context(e, context, "query");
  }
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
task<row_stream> sql_database::stream_owned(located_string text, std::vector<value> parameters) {
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
  return lease_once(target_of(*core_, state_, call_), where);
}

}  // namespace polypool
