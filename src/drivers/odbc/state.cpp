// SPDX-License-Identifier: Apache-2.0
// Transactions, and what callers leave behind.
#include "driver/postgres_words.hpp"
#include "drivers/odbc/connection.hpp"
#include "drivers/odbc/diagnostics.hpp"
#include "drivers/odbc/sql_server.hpp"

#include <polypool/error.hpp>

#include <algorithm>
#include <utility>

namespace polypool::odbc {
namespace {

// Errors of SQLite that may have ended the whole transaction.
bool may_end_transaction(const error& problem) noexcept {
  switch (problem.native_code() & 0xFF) {
    case 5:   // SQLITE_BUSY
    case 7:   // SQLITE_NOMEM
    case 9:   // SQLITE_INTERRUPT
    case 10:  // SQLITE_IOERR
    case 13:  // SQLITE_FULL
      return true;
    default:
      return false;
  }
}

}  // namespace

const std::shared_ptr<const column_list>& no_columns() {
  static const auto none = std::make_shared<const column_list>();
  return none;
}

bool connection::dirty() const noexcept {
  return active_ != nullptr || transaction() != state::none || touched_ || reopen_ || native_used_ || level_changed_;
}

// before and after a statement
// -----------------------------------------------------------------------------------------

// After an error that ended the transaction only its ROLLBACK is taken: whatever else its owner sends was meant to
// happen together with what is gone.
void connection::check_aborted(const statement_kind&) const {
  if (!aborted_) return;
  error problem(errc::transaction_aborted, "an earlier error has rolled this transaction back");
  problem.with_hint("end it with ROLLBACK, then run it again from its beginning");
  throw problem;
}

// @return true for the ROLLBACK of a transaction that is over already
bool connection::swallows(std::string_view text) {
  if (!aborted_ || kind_of(text, profile_).transaction != transaction_effect::rolls_back) return false;
  aborted_ = false;
  return true;
}

// A database whose words are not known gets its transactions by way of ODBC.
bool connection::is_portable_control(const statement_kind& kind) const noexcept {
  using enum transaction_effect;
  const auto effect = kind.transaction;
  return profile_.database == brand::other && (effect == begins || effect == commits || effect == rolls_back);
}

void connection::control(transaction_effect effect) {
  const bool begins = effect == transaction_effect::begins;
  SQLRETURN code = SQL_SUCCESS;
  if (!begins) {
    const bool commits = effect == transaction_effect::commits;
    code = SQLEndTran(SQL_HANDLE_DBC, handle_, commits ? SQL_COMMIT : SQL_ROLLBACK);
  }
  if (succeeded(code)) {
    code = SQLSetConnectAttr(handle_, SQL_ATTR_AUTOCOMMIT, as_pointer(begins ? SQL_AUTOCOMMIT_OFF : SQL_AUTOCOMMIT_ON),
                             SQL_IS_UINTEGER);
  }
  if (!succeeded(code)) {
    auto problem = statement_error(read_diagnostics(SQL_HANDLE_DBC, handle_), profile_);
    broken_ = broken_ || problem.poisons_session() || is_dead();
    throw problem;
  }
  note_after(statement_kind{.transaction = effect});
}

// Should its end never be known, its traces count all the same.
void connection::note_before(const statement_kind& kind) noexcept {
  if (transaction_ == state::none && !touched_) read_only_wanted_ = false;
  touched_ = touched_ || kind.leaves_state;
  reopen_ = reopen_ || kind.needs_reopening;
  zone_moved_ = zone_moved_ || kind.moves_zone;
  read_only_wanted_ = read_only_wanted_ || kind.asks_read_only;
}

void connection::note_after(const statement_kind& kind) {
  using enum transaction_effect;
  switch (kind.transaction) {
    case none:
      return;
    case begins:
      ++depth_;
      transaction_ = state::active;
      return;
    case commits:
      depth_ = profile_.database == brand::mssql ? std::max(depth_ - 1, 0) : 0;
      transaction_ = depth_ > 0 ? state::active : state::none;
      return;
    case rolls_back:
      depth_ = 0;
      transaction_ = state::none;
      return;
    case undoes:
      if (transaction_ == state::failed) transaction_ = state::active;
      return;
    case unclear:
      ask_transaction();
      return;
  }
}

// failures
// -------------------------------------------------------------------------------------------------------------

void connection::fail_statement(prepared_statement& what) {
  fail(statement_error(read_diagnostics(SQL_HANDLE_STMT, what.handle.get()), profile_), what);
}

void connection::fail(error problem, prepared_statement& what) {
  active_ = nullptr;
  SQLFreeStmt(what.handle.get(), SQL_CLOSE);
  if (!what.ran) what.prepared = false;
  note_death(problem);
  if (!broken_) note_failure(problem, what.kind, what.declared);
  throw problem;
}

// Some drivers give a broken connection no code of its own.
void connection::note_death(error& problem) {
  if (!problem.poisons_session() && !is_dead()) return;
  if (problem.portable_code() == errc::read_only && read_only_wanted_) {
    problem.with_poisoned_session(false).with_disposition(disposition::permanent);
    return;
  }
  broken_ = true;
  if (!problem.poisons_session() && problem.portable_code() == errc::database_error) {
    error lost(errc::connection_lost, "the session broke: " + problem.cause());
    lost.with_sqlstate(problem.sqlstate()).with_native_code(problem.native_code());
    problem = lost.with_server_message(problem.server_message());
  }
  problem.with_poisoned_session();
}

void connection::note_failure(error& problem, const statement_kind& kind, bool declared) {
  const bool inside = transaction_ != state::none;
  if (profile_.database == brand::postgres) {
    if (declared && !inside) end_own_transaction();
    if (kind.transaction == transaction_effect::commits) transaction_ = state::none;
    if (kind.transaction == transaction_effect::unclear) ask_transaction();
    if (transaction_ == state::active) transaction_ = state::failed;
    return;
  }
  const bool look = profile_.database == brand::mssql ||
                    (profile_.database == brand::sqlite && may_end_transaction(problem)) ||
                    kind.transaction == transaction_effect::unclear;
  if (!(inside || kind.transaction != transaction_effect::none) || !look) return;
  ask_transaction();
  if (inside && transaction_ == state::none && !broken_) {
    aborted_ = true;
    problem.with_hint("the whole transaction was rolled back" +
                      (problem.hint().empty() ? std::string() : "; " + problem.hint()));
  }
}

// psqlodbc leaves the transaction open that it began for a cursor, when the statement fails.
void connection::end_own_transaction() noexcept {
  try {
    plain("ROLLBACK");
  } catch (const error&) {
    broken_ = broken_ || is_dead();
  }
}

void connection::ask_transaction() {
  try {
    transaction_ = answer_of_transaction();
  } catch (const error&) {
    transaction_ = state::unknown;
    broken_ = broken_ || is_dead();
  }
}

connection::state connection::answer_of_transaction() {
  if (profile_.database == brand::mssql) {
    const std::string answer = ask("SELECT CONCAT(@@TRANCOUNT, ' ', XACT_STATE())");
    depth_ = std::atoi(answer.c_str());
    if (depth_ == 0) return state::none;
    return answer.ends_with("-1") ? state::failed : state::active;
  }
  // Neither of the others has a question for this; what they say to a statement that needs, or forbids, a transaction
  // tells.
  const bool postgres = profile_.database == brand::postgres;
  try {
    plain(postgres ? "SAVEPOINT polypool_look" : "BEGIN");
  } catch (const error& problem) {
    if (postgres && problem.sqlstate() == "25P01") return state::none;
    if (postgres && problem.sqlstate() == "25P02") return state::failed;
    if (!postgres && problem.server_message().contains("within a transaction")) return state::active;
    return state::unknown;
  }
  plain(postgres ? "RELEASE SAVEPOINT polypool_look" : "ROLLBACK");
  return postgres ? state::active : state::none;
}

// the driver's own statements
// ------------------------------------------------------------------------------------------

void connection::plain(std::string_view text) { ask(text); }

// Runs a statement, also several, and gives the first value as text.
std::string connection::ask(std::string_view text) {
  SQLHSTMT raw = nullptr;
  if (!succeeded(SQLAllocHandle(SQL_HANDLE_STMT, handle_, &raw))) {
    throw statement_error(read_diagnostics(SQL_HANDLE_DBC, handle_), profile_);
  }
  const statement_handle handle(raw);
  const auto check = [&](SQLRETURN code) {
    if (succeeded(code) || code == SQL_NO_DATA) return;
    auto problem = statement_error(read_diagnostics(SQL_HANDLE_STMT, raw), profile_);
    set_running(nullptr);
    note_death(problem);
    throw problem;
  };
  set_running(raw);
  wide_text wide = to_wide(text);
  check(SQLExecDirectW(raw, wide.data(), SQL_NTS));
  std::string out;
  SQLSMALLINT columns = 0;
  SQLNumResultCols(raw, &columns);
  if (columns > 0) {
    std::array<char, 512> value{};
    SQLLEN length = 0;
    const auto code = SQLFetch(raw);
    check(code);
    if (code != SQL_NO_DATA) check(SQLGetData(raw, 1, SQL_C_CHAR, value.data(), value.size(), &length));
    if (length != SQL_NULL_DATA) out = value.data();
  }
  SQLRETURN code = SQL_SUCCESS;
  while (succeeded(code)) code = SQLMoreResults(raw);
  check(code);
  set_running(nullptr);
  return out;
}

void connection::probe() {
  close_cursor();
  try {
    plain("SELECT 1");
  } catch (const error&) {
    if (broken_) throw;  // else it has answered, and that was the question
  }
}

// cleaning
// -------------------------------------------------------------------------------------------------------------

bool connection::clean() {
  close_cursor();
  if (native_used_ || (reopen_ && !plan_->owns_data)) return false;
  if (transaction_ != state::none && !aborted_) roll_back();
  if (touched_ && profile_.database == brand::postgres) {
    plain(postgres::forget_everything);
    zone_moved_ = false;
  } else if (touched_ && !plan_->owns_data) {
    return false;
  }
  if (level_changed_) plain("SET TRANSACTION ISOLATION LEVEL READ COMMITTED");
  aborted_ = touched_ = reopen_ = read_only_wanted_ = level_changed_ = false;
  transaction_ = state::none;
  depth_ = 0;
  return true;
}

void connection::roll_back() {
  switch (profile_.database) {
    case brand::postgres:
      return plain("ROLLBACK");
    case brand::sqlite:
      return plain("ROLLBACK");
    case brand::mssql:
      return plain("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION");
    case brand::other:
      return control(transaction_effect::rolls_back);
  }
}

}  // namespace polypool::odbc
