// SPDX-License-Identifier: Apache-2.0
// Transactions and savepoints.
#include "manager/sql_call.hpp"

namespace polypool {
namespace detail {

void transaction_state::require_running(std::string_view operation) const {
  if (!over) return;
  throw error(errc::invalid_argument, "the transaction is over")
      .at(context.state->name(), context.operation(operation));
}

void transaction_state::cut_streams() noexcept {
  for (stream_state* each : streams) {
    each->cut_off = each->over = true;
    unfinished.push_back(std::move(each->source));
  }
  streams.clear();
}

void transaction_state::end() noexcept {
  over = true;
  cut_streams();
  unfinished.clear();
  session.release();  // the pool rolls back what is still open before anybody else gets it
  places = call_places();
}

namespace {

// An empty text is a step that the database does without.
task<void> execute_text(transaction_state& tx, std::string text) {
  if (text.empty()) co_return;
  const environment parent = co_await this_environment();
  const environment env = tx.context.limited(parent);
  const statement what(text);
  task<result> executing = execute_on(tx.context, tx.sql(), what, env);
  co_await std::move(executing);
}

}  // namespace

task<void> settle(transaction_state& tx) {
  while (!tx.unfinished.empty()) {
    const std::unique_ptr<cursor> last = std::move(tx.unfinished.back());
    tx.unfinished.pop_back();
    const environment parent = co_await this_environment();
    const environment env = tx.context.limited(parent);
    task<void> finishing = last->finish();
    co_await std::move(finishing).in(env);
  }
  if (tx.undo_to.empty()) co_return;
  const std::string name = std::exchange(tx.undo_to, {});
  task<void> back = execute_text(tx, tx.sql().savepoint_statement(savepoint_step::undo, name));
  co_await std::move(back);
  task<void> release = execute_text(tx, tx.sql().savepoint_statement(savepoint_step::release, name));
  co_await std::move(release);
}

task<result> execute_in(transaction_state& tx, statement what) {
  tx.require_running("query");
  if (!tx.undo_to.empty() || !tx.unfinished.empty()) {
    task<void> settling = settle(tx);
    co_await std::move(settling);
  }
  const environment parent = co_await this_environment();
  const environment env = tx.context.limited(parent);
  task<result> executing = execute_on(tx.context, tx.sql(), what, env);
  co_return co_await std::move(executing);
}

namespace {

// Ends the transaction whatever happens: the session goes back, and the pool resets it should anything be open still.
struct ends_transaction {
  transaction_state& tx;
  ~ends_transaction() { tx.end(); }
};

// A connection that breaks during COMMIT leaves nobody who knows; also when it was closed by force.
bool leaves_doubt(const error& e) {
  if (e.code() == errc::connection_closed) return true;
  const bool unanswered =
      e.code() == errc::connection_lost || e.code() == errc::deadline_exceeded || e.code() == errc::cancelled;
  return unanswered && e.disposition() == disposition::in_doubt;  // else it was never sent, or the server undid it
}

task<void> commit(std::shared_ptr<transaction_state> tx) {
  tx->require_running("commit");
  const ends_transaction guard{*tx};
  tx->cut_streams();
  task<void> settling = settle(*tx);
  co_await std::move(settling);
  // A server asked to commit what failed rolls back, and says so only in passing. What was cut off by a deadline fails
  // as it is ended.
  const auto state = tx->sql().transaction();
  if (state == sql_session::transaction_state::failed || state == sql_session::transaction_state::unknown) {
    task<void> undoing = execute_text(*tx, "ROLLBACK");
    co_await std::move(undoing);
    throw error(errc::transaction_aborted, "a statement of the transaction had failed; it was rolled back")
        .with_hint("catch the first error, or put what may fail into a savepoint")
        .at(tx->context.state->name(), "commit");
  }
  std::optional<error> failure;
  try {
    task<void> committing = execute_text(*tx, "COMMIT");
    co_await std::move(committing);
  } catch (const error& e) {
    failure.emplace(e);
  }
  if (!failure) co_return;
  if (!leaves_doubt(*failure)) throw *failure;
  throw error(errc::in_doubt, "the commit was sent, but its outcome is unknown: " + failure->cause())
      .with_hint("read back what it should have changed before doing it again")
      .with_poisoned_session(failure->poisons_session())
      .at(tx->context.state->name(), "commit");
}

task<void> rollback(std::shared_ptr<transaction_state> tx) {
  tx->require_running("rollback");
  const ends_transaction guard{*tx};
  tx->undo_to.clear();
  task<void> undoing = execute_text(*tx, "ROLLBACK");
  co_await std::move(undoing);
}

task<std::string> open_savepoint(std::shared_ptr<transaction_state> tx) {
  tx->require_running("query");
  std::string name = "polypool_" + std::to_string(++tx->serial);
  const std::string text = tx->sql().savepoint_statement(savepoint_step::open, name);
  const statement what(text);
  task<result> opening = execute_in(*tx, what);
  co_await std::move(opening);
  ++tx->depth;
  co_return name;
}

task<void> release_savepoint(std::shared_ptr<transaction_state> tx, std::string name) {
  tx->require_running("query");
  const std::string text = tx->sql().savepoint_statement(savepoint_step::release, name);
  std::optional<error> failure;
  try {
    task<void> settling = settle(*tx);
    co_await std::move(settling);
    task<void> releasing = execute_text(*tx, text);
    co_await std::move(releasing);
  } catch (const error& e) {
    failure.emplace(e);
  }
  if (!failure) co_return;
  if (!tx->over) tx->undo_to = std::move(name);  // what failed in it need not fail the whole transaction
  throw *failure;
}

task<void> undo_savepoint(std::shared_ptr<transaction_state> tx, std::string name) {
  tx->require_running("rollback");
  tx->undo_to = std::move(name);
  task<void> settling = settle(*tx);
  co_await std::move(settling);
}

task<result> execute_in_owned(std::shared_ptr<transaction_state> tx, located_string text,
                              std::vector<value> parameters) {
  const statement what(text, parameters);
  task<result> executing = execute_in(*tx, what);
  co_return co_await std::move(executing);
}

task<void> script_in(std::shared_ptr<transaction_state> tx, located_string text) {
  tx->require_running("script");
  task<void> settling = settle(*tx);
  co_await std::move(settling);
  const environment parent = co_await this_environment();
  const environment env = tx->context.limited(parent);
  std::optional<error> failure;
  try {
    task<void> executing = tx->sql().execute_script(text.text());
    co_await std::move(executing).in(env);
  } catch (const error& e) {
    failure.emplace(e);
  }
  tx->context.state->count_query(failure.has_value());
  if (failure) throw in_context(std::move(*failure), tx->context, "script");
}

task<std::unique_ptr<stream_state>> stream_in(std::shared_ptr<transaction_state> tx, statement what) {
  tx->require_running("stream");
  task<void> settling = settle(*tx);
  co_await std::move(settling);
  auto stream = std::make_unique<stream_state>();
  stream->context = tx->context;
  stream->tx = std::move(tx);
  task<std::unique_ptr<stream_state>> opening = open_stream(std::move(stream), what);
  co_return co_await std::move(opening);
}

task<std::unique_ptr<stream_state>> stream_in_owned(std::shared_ptr<transaction_state> tx, located_string text,
                                                    std::vector<value> parameters) {
  const statement what(text, parameters);
  task<std::unique_ptr<stream_state>> opening = stream_in(std::move(tx), what);
  co_return co_await std::move(opening);
}

}  // namespace
}  // namespace detail

// transactions -------------------------------------------------------------------------------------------------------

transaction::transaction(std::shared_ptr<detail::transaction_state> state) noexcept : state_(std::move(state)) {}
transaction::transaction(transaction&&) noexcept = default;
transaction& transaction::operator=(transaction&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}
transaction::~transaction() {
  if (state_ && !state_->over) state_->end();
}

task<transaction> transaction::made_by(task<std::shared_ptr<detail::transaction_state>> work) {
  std::shared_ptr<detail::transaction_state> state = co_await std::move(work);
  co_return transaction(std::move(state));
}

clock& transaction::time() const noexcept { return state_->context.state->time(); }

void transaction::commit() { run(async_commit(), detail::blocking_environment(time())); }
task<void> transaction::async_commit() { return detail::commit(state_); }
void transaction::rollback() { run(async_rollback(), detail::blocking_environment(time())); }
task<void> transaction::async_rollback() { return detail::rollback(state_); }
class savepoint transaction::savepoint() {
  return {state_, run(detail::open_savepoint(state_), detail::blocking_environment(time()))};
}
task<class savepoint> transaction::async_savepoint() {
  const auto state = state_;
  task<std::string> opening = detail::open_savepoint(state);
  std::string name = co_await std::move(opening);
  co_return polypool::savepoint(state, std::move(name));
}
std::size_t transaction::depth() const noexcept { return state_->depth; }
sql_session& transaction::session() {
  state_->require_running("session");
  return state_->sql();
}

result transaction::run_now(statement what) {
  return run(detail::execute_in(*state_, what), detail::blocking_environment(time()));
}
task<result> transaction::run_owned(located_string text, std::vector<value> parameters) {
  return detail::execute_in_owned(state_, std::move(text), std::move(parameters));
}
task<result> transaction::run_built(std::function<built_statement(dialect)> make, std::source_location where) {
  state_->require_running("query");
  built_statement made = make(state_->sql().dialect());
  return run_owned(located_string(std::move(made.text), where), std::move(made.parameters));
}
// Without ownership: the transaction has to outlive what it gives.
std::shared_ptr<sql_operations> transaction::shared() {
  return std::shared_ptr<sql_operations>(std::shared_ptr<void>(), this);
}
task<void> transaction::script_owned(located_string text) { return detail::script_in(state_, std::move(text)); }
row_stream transaction::stream_with(located_text text, std::span<const value> parameters) {
  const statement what(text, parameters);
  return row_stream(run(detail::stream_in(state_, what), detail::blocking_environment(time())));
}
task<row_stream> transaction::async_stream_with(located_string text, std::vector<value> parameters) {
  return row_stream::made_by(detail::stream_in_owned(state_, std::move(text), std::move(parameters)));
}

// savepoints ---------------------------------------------------------------------------------------------------------

savepoint::savepoint(std::shared_ptr<detail::transaction_state> state, std::string name) noexcept
    : state_(std::move(state)), name_(std::move(name)) {}
savepoint::savepoint(savepoint&& other) noexcept = default;

// Inner savepoints go before outer ones, so the last one to ask is the one to go back to.
savepoint::~savepoint() {
  if (!state_) return;
  --state_->depth;
  if (!state_->over) state_->undo_to = std::move(name_);
}

void savepoint::commit() {
  auto& time = state_->context.state->time();
  run(async_commit(), detail::blocking_environment(time));
}
task<void> savepoint::async_commit() {
  --state_->depth;
  return detail::release_savepoint(std::move(state_), std::move(name_));
}
void savepoint::rollback() {
  auto& time = state_->context.state->time();
  run(async_rollback(), detail::blocking_environment(time));
}
task<void> savepoint::async_rollback() {
  --state_->depth;
  return detail::undo_savepoint(std::move(state_), std::move(name_));
}

}  // namespace polypool
