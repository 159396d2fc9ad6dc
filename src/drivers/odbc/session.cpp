// SPDX-License-Identifier: Apache-2.0
#include "drivers/odbc/session.hpp"

#include "drivers/odbc/calls.hpp"

#include <typeinfo>
#include <utility>

namespace polypool::odbc {
namespace {

/// A statement with values of its own: a call that is given up may still read them.
class owned_statement {
 public:
  explicit owned_statement(const statement& what) : text_(what.text()) {
    values_.reserve(what.parameters().size());
    for (const value& each : what.parameters()) values_.push_back(owned(each));
  }
  statement get() const noexcept { return {text_, values_}; }

 private:
  static value owned(const value& each) {
    if (const auto* text = std::get_if<text_view>(&each.data())) return std::string(text->text);
    if (const auto* view = std::get_if<bytes_view>(&each.data())) return bytes(view->data.begin(), view->data.end());
    return each;
  }
  std::string text_;
  std::vector<value> values_;
};

}  // namespace

session::session(std::shared_ptr<shared_parts> parts, std::shared_ptr<const connection_plan> plan,
                 std::shared_ptr<connection> made) noexcept
    : parts_(std::move(parts)), plan_(std::move(plan)), connection_(std::move(made)) {}

session::~session() {
  if (running_) end_running_call();
  let_go(std::move(connection_));
}

// Cuts its socket, and asks the database to end it.
void session::end_running_call() noexcept {
  connection_->cut();
  try {
    if (const auto call = connection_->running_call()) bring_back(parts_->threads, connection_, call, std::nullopt);
  } catch (...) {
    // No thread to ask the database with; the call ends when it ends.
  }
}

bool session::broken() const noexcept {
  if (broken_ || interrupted_.load(std::memory_order_relaxed)) return true;
  return !running_ && connection_->broken();
}

void session::interrupt() noexcept {
  interrupted_.store(true);
  const std::scoped_lock lock(mutex_);
  end_running_call();
}

native_handle session::native() noexcept {
  connection_->note_native_use();
  return {typeid(SQLHDBC), connection_->get()};
}

sql_session::transaction_state session::transaction() const noexcept {
  return running_ ? transaction_state::unknown : connection_->transaction();
}

polypool::dialect session::dialect() const noexcept {
  switch (connection_->what().database) {
    case brand::postgres:
      return dialect::postgres;
    case brand::sqlite:
      return dialect::sqlite;
    case brand::mssql:
      return dialect::mssql;
    case brand::other:
      break;
  }
  return dialect::standard;
}

std::string session::begin_statement(const transaction_options& options) const {
  return begin_words(connection_->what().database, options);
}

task<void> session::begin(transaction_options options) {
  auto work = [options](connection& on) { on.begin_transaction(options); };
  task<void> call = perform(work);
  co_await std::move(call);
}

std::string session::savepoint_statement(savepoint_step step, std::string_view name) const {
  if (connection_->what().database != brand::mssql) return sql_session::savepoint_statement(step, name);
  switch (step) {
    case savepoint_step::open:
      return "SAVE TRANSACTION " + std::string(name);
    case savepoint_step::undo:
      return "ROLLBACK TRANSACTION " + std::string(name);
    case savepoint_step::release:
      break;
  }
  return {};
}

void session::check_usable(const environment& env) const {
  if (interrupted_.load(std::memory_order_relaxed)) {
    throw error(errc::connection_closed, "the session was closed by force").with_poisoned_session();
  }
  if (broken()) {
    throw error(errc::connection_lost, "the session with " + plan_->place + " broke earlier")
        .with_poisoned_session()
        .with_disposition(disposition::retryable);
  }
  if (env.stop.stop_requested()) {
    throw error(errc::cancelled, "the caller asked to stop before anything was sent")
        .with_disposition(disposition::retryable);
  }
  if (env.expired()) {
    throw error(errc::deadline_exceeded, "the deadline passed before anything was sent")
        .with_disposition(disposition::retryable);
  }
}

error session::gave_up(wait_result how) const {
  if (how == wait_result::stopped) {
    return {errc::cancelled, "the caller asked to stop while " + plan_->place + " was at work"};
  }
  return {errc::deadline_exceeded, plan_->place + " did not answer before the deadline"};
}

error session::translated(const error& problem) const {
  if (!interrupted_.load()) return problem;
  return error(errc::connection_closed, "the session was closed by force").with_poisoned_session();
}

// operations
// -----------------------------------------------------------------------------------------------------------

task<result> session::execute(statement what) {
  const environment& env = co_await this_environment();
  check_usable(env);
  if (running_) co_await attend();
  if (runs_here(env)) {
    const auto work = [&what](connection& on) { return on.execute(what); };
    co_return here(env, work);
  }
  const auto own = std::make_shared<const owned_statement>(what);
  auto work = [own](connection& on) { return on.execute(own->get()); };
  task<result> call = elsewhere(std::move(work));
  co_return co_await std::move(call);
}

task<std::unique_ptr<cursor>> session::open(statement what) {
  const environment& env = co_await this_environment();
  check_usable(env);
  if (running_) co_await attend();
  std::shared_ptr<const column_list> columns;
  if (runs_here(env)) {
    const auto work = [&what](connection& on) { return on.start(what); };
    columns = here(env, work);
  } else {
    const auto own = std::make_shared<const owned_statement>(what);
    auto work = [own](connection& on) { return on.start(own->get()); };
    task<std::shared_ptr<const column_list>> call = elsewhere(std::move(work));
    columns = co_await std::move(call);
  }
  std::unique_ptr<cursor> out = std::make_unique<row_cursor>(*this, std::move(columns));
  co_return out;
}

task<void> session::execute_script(std::string_view text) {
  auto work = [own = std::string(text)](connection& on) { on.script(own); };
  task<void> call = perform(std::move(work));
  co_await std::move(call);
}

task<void> session::probe() {
  auto work = [](connection& on) { on.probe(); };
  task<void> call = perform(work);
  co_await std::move(call);
}

task<server_info> session::describe() {
  auto work = [](connection& on) { return on.describe(); };
  task<server_info> call = perform(work);
  co_return co_await std::move(call);
}

// cursors
// --------------------------------------------------------------------------------------------------------------

row_cursor::row_cursor(session& owner, std::shared_ptr<const column_list> columns) noexcept
    : owner_(&owner),
      columns_(std::move(columns)),
      opened_(owner.opened_),
      execution_(owner.connection_->execution()),
      affected_(owner.connection_->affected_rows()) {}

bool row_cursor::is_over() const noexcept {
  return opened_ != owner_->opened_ || execution_ != owner_->connection_->execution();
}

task<std::shared_ptr<const row_block>> row_cursor::next() {
  std::shared_ptr<const row_block> out;
  if (ended_) co_return out;
  if (lost_ || owner_->running_ || is_over()) {
    owner_->check_usable(co_await this_environment());
    throw error(errc::invalid_argument, "the cursor is over: its session has run something else since");
  }
  auto work = [](connection& on) { return on.fetch(); };
  task<std::shared_ptr<const row_block>> call = owner_->perform(work);
  try {
    out = co_await std::move(call);
  } catch (const error& problem) {
    // What the database says ends the rows; what was given up has lost some.
    const auto code = problem.portable_code();
    lost_ = code == errc::deadline_exceeded || code == errc::cancelled;
    ended_ = !lost_;
    throw;
  }
  if (!out) {
    ended_ = true;
    affected_ = owner_->connection_->affected_rows();
  }
  co_return out;
}

task<void> row_cursor::finish() {
  if (ended_ || is_over()) co_return;
  ended_ = true;
  auto work = [](connection& on) { on.close_cursor(); };
  task<void> call = owner_->perform(work);
  co_await std::move(call);
}

}  // namespace polypool::odbc
