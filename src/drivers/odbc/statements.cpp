// SPDX-License-Identifier: Apache-2.0
// Running statements.
#include "drivers/odbc/connection.hpp"
#include "drivers/odbc/diagnostics.hpp"

#include <polypool/error.hpp>

#include <cstdlib>
#include <utility>

namespace polypool::odbc {
namespace {

constexpr std::size_t longest_cached_text = 16384;
constexpr std::size_t block_bytes = 64 * 1024;
constexpr std::size_t block_rows = 2048;

// psqlodbc's own attributes.
constexpr SQLINTEGER psqlodbc_use_declare_fetch = 65539;
constexpr SQLINTEGER psqlodbc_fetch = 65541;
constexpr std::size_t rows_a_fetch = 256;

[[noreturn]] void refuse_second_statement() {
  error problem(errc::invalid_argument, "there is a second statement behind the first one");
  problem.with_hint("run one statement at a time, or all of them with execute_script");
  throw problem;
}

}  // namespace

std::unique_ptr<prepared_statement> connection::make_statement(std::string_view text) {
  if (text.contains('\0')) throw error(errc::invalid_argument, "the statement has a NUL character in its text");
  auto out = std::make_unique<prepared_statement>();
  const auto dialect = profile_.dialect();
  out->text = rewrite_placeholders(text, dialect);
  out->kind = kind_of(text, profile_);
  if (sql_scanner(text, dialect).next().kind == sql_token::token_kind::end) {
    throw error(errc::syntax_error, "the statement is empty");
  }
  if (out->kind.several && !profile_.batches) refuse_second_statement();
  SQLHSTMT handle = nullptr;
  if (!succeeded(SQLAllocHandle(SQL_HANDLE_STMT, handle_, &handle))) {
    throw statement_error(read_diagnostics(SQL_HANDLE_DBC, handle_), profile_);
  }
  out->handle = statement_handle(handle);
  return out;
}

// The kept statement of this text, or a new one.
prepared_statement& connection::take(std::string_view text) {
  if (const auto* kept = cache_.find(text)) [[likely]] {
    return **kept;
  }
  auto fresh = make_statement(text);
  const bool worth_it = fresh->kind.repeats || !fresh->text.values.empty();
  if (cache_.capacity() == 0 || !worth_it || text.size() > longest_cached_text) {
    single_ = std::move(fresh);
    return *single_;
  }
  while (cache_.full()) cache_.evict();
  return *cache_.insert(text, std::move(fresh));
}

// SQL Server forgets temporary tables and wants transactions balanced within what is prepared.
bool connection::prepares(const prepared_statement& what) const noexcept {
  if (cache_.capacity() == 0) return false;
  if (!what.text.values.empty()) return true;
  return what.kind.repeats && profile_.database != brand::mssql;
}

SQLRETURN connection::execute_now(prepared_statement& what) {
  SQLHSTMT statement = what.handle.get();
  if (!prepares(what)) {
    wide_text text = to_wide(what.text.text);
    return SQLExecDirectW(statement, text.data(), SQL_NTS);
  }
  if (!what.prepared) {
    wide_text text = to_wide(what.text.text);
    const auto code = SQLPrepareW(statement, text.data(), SQL_NTS);
    if (!succeeded(code)) return code;
    what.prepared = true;
  }
  return SQLExecute(statement);
}

// @return true when the statement gives rows
bool connection::run(prepared_statement& what, std::span<const value> values) {
  check_parameter_count(what.text.expected, values.size());
  note_before(what.kind);
  SQLHSTMT statement = what.handle.get();
  set_limit(what);
  what.parameters.bind(statement, values, what.text.values, profile_);
  set_running(statement);
  ++execution_;
  affected_ = rows_ = 0;
  if (is_portable_control(what.kind)) {
    control(what.kind.transaction);
    return false;
  }
  const auto code = what.parameters.feed(statement, execute_now(what));
  what.parameters.clear();
  if (code != SQL_NO_DATA && !succeeded(code)) fail_statement(what);
  const bool trust = what.ran && profile_.family == driver_family::psqlodbc;
  active_ = &what;
  const bool rows = what.reader.look(statement, profile_, buffer_, !zone_moved_, trust);
  what.ran = true;
  if (!rows) affected_ = row_count(what);
  return rows;
}

// A second net under the deadline, where it costs nothing: psqlodbc would tell the server each time.
void connection::set_limit(prepared_statement& what) const noexcept {
  const auto family = profile_.family;
  if (what.limit == limit_ || (family != driver_family::freetds && family != driver_family::microsoft)) return;
  SQLSetStmtAttr(what.handle.get(), SQL_ATTR_QUERY_TIMEOUT, as_pointer(limit_), SQL_IS_UINTEGER);
  what.limit = limit_;
}

std::uint64_t connection::row_count(const prepared_statement& what) const noexcept {
  SQLLEN count = 0;
  if (!succeeded(SQLRowCount(what.handle.get(), &count)) || count < 0) return 0;
  return static_cast<std::uint64_t>(count);
}

// Only drivers that take several statements at once have more results than the first.
bool connection::more_results(prepared_statement& what) {
  if (profile_.database == brand::postgres || profile_.database == brand::sqlite) return false;
  const auto code = SQLMoreResults(what.handle.get());
  if (code == SQL_NO_DATA) return false;
  if (!succeeded(code)) fail_statement(what);
  return true;
}

void connection::finish(prepared_statement& what) {
  active_ = nullptr;
  SQLFreeStmt(what.handle.get(), SQL_CLOSE);
  note_after(what.kind);
}

void connection::close_cursor() {
  ++execution_;
  if (active_ == nullptr) return;
  auto& what = *std::exchange(active_, nullptr);
  set_running(what.handle.get());
  SQLFreeStmt(what.handle.get(), SQL_CLOSE);
  note_after(what.kind);
}

void connection::forget_plan(const std::string& name) const noexcept {
  SQLHSTMT handle = nullptr;
  if (name.empty() || !succeeded(SQLAllocHandle(SQL_HANDLE_STMT, handle_, &handle))) return;
  const statement_handle owned(handle);
  wide_text text = to_wide("DEALLOCATE \"" + name + '"');
  SQLExecDirectW(handle, text.data(), SQL_NTS);  // what it says, the next attempt says again
}

prepared_statement& connection::begin(const statement& what, bool& rows) {
  close_cursor();
  prepared_statement* taken = &take(what.text());
  check_aborted(taken->kind);
  try {
    rows = run(*taken, what.parameters());
  } catch (const error& problem) {
    if (transaction_ != state::none || !is_stale_statement(problem, profile_)) throw;
    forget_plan(plan_to_forget(problem));
    cache_.erase(what.text());
    taken = &take(what.text());
    rows = run(*taken, what.parameters());
  }
  return *taken;
}

result connection::execute(const statement& what) {
  if (swallows(what.text())) return {};
  bool rows = false;
  auto& running = begin(what, rows);
  std::shared_ptr<const column_list> columns;
  std::shared_ptr<cell_block> block;
  std::uint64_t affected = affected_;
  for (;;) {
    if (rows && !block) {
      columns = running.reader.columns();
      block = std::make_shared<cell_block>(columns->size());
      read_all(running, *block);
      affected = block->rows();
    }
    if (!more_results(running)) break;
    rows = running.reader.look(running.handle.get(), profile_, buffer_, !zone_moved_, false);
    if (!rows && !block) affected += row_count(running);
  }
  const bool made_id = running.kind.inserts && affected > 0 && profile_.database == brand::sqlite;
  finish(running);
  if (!columns) columns = no_columns();
  const std::int64_t id = made_id ? std::atoll(ask("SELECT last_insert_rowid()").c_str()) : 0;
  return {std::move(columns), std::move(block), affected, id};
}

void connection::read_all(prepared_statement& what, cell_block& out) {
  try {
    while (what.reader.fetch(what.handle.get(), out)) {
    }
  } catch (const error& problem) {
    fail(problem, what);
  }
}

std::shared_ptr<const column_list> connection::start(const statement& what) {
  if (swallows(what.text())) {
    throw error(errc::invalid_argument, "ROLLBACK gives no rows to read with a cursor; execute it");
  }
  const bool declares = profile_.family == driver_family::psqlodbc;
  bool rows = false;
  prepared_statement* running = nullptr;
  if (declares) {
    // It reads all rows into memory, unless it is told to declare a cursor for the statement.
    close_cursor();
    single_ = make_statement(what.text());
    single_->declared = true;
    running = single_.get();
    check_aborted(running->kind);
    declare_cursors(true);
    try {
      rows = run(*running, what.parameters());
    } catch (...) {
      declare_cursors(false);
      throw;
    }
    declare_cursors(false);
  } else {
    running = &begin(what, rows);
  }
  while (!rows && more_results(*running)) {
    rows = running->reader.look(running->handle.get(), profile_, buffer_, !zone_moved_, false);
    if (!rows) affected_ += row_count(*running);
  }
  if (rows) return running->reader.columns();
  finish(*running);
  return no_columns();
}

void connection::declare_cursors(bool on) noexcept {
  SQLSetConnectAttrW(handle_, psqlodbc_use_declare_fetch, as_pointer(on ? 1 : 0), SQL_IS_UINTEGER);
  if (on) SQLSetConnectAttrW(handle_, psqlodbc_fetch, as_pointer(rows_a_fetch), SQL_IS_UINTEGER);
}

std::shared_ptr<const row_block> connection::fetch() {
  if (active_ == nullptr) return nullptr;
  auto& running = *active_;
  set_running(running.handle.get(), true);
  auto block = std::make_shared<cell_block>(running.reader.columns()->size());
  bool more = true;
  try {
    while (more && block->bytes() < block_bytes && block->rows() < block_rows) {
      more = running.reader.fetch(running.handle.get(), *block);
    }
  } catch (const error& problem) {
    fail(problem, running);
  }
  rows_ += block->rows();
  if (!more) {
    affected_ = rows_;
    while (more_results(running)) {
    }
    finish(running);
  }
  if (block->rows() == 0) return nullptr;
  return block;
}

void connection::script(std::string_view text) {
  if (text.contains('\0')) throw error(errc::invalid_argument, "the script has a NUL character in its text");
  close_cursor();
  const bool whole = profile_.database == brand::postgres || is_one_batch(text, profile_);
  if (whole) return run_batch(text);
  for (const auto each : split_script(text, profile_)) {
    if (swallows(each)) continue;
    const statement one(each);
    bool rows = false;
    if (rewrite_placeholders(each, profile_.dialect()).expected != 0) {
      throw error(errc::parameter_count, "a script takes no parameters, but one of its statements has some");
    }
    single_ = make_statement(each);
    check_aborted(single_->kind);
    rows = run(*single_, {});
    while (more_results(*single_)) {
    }
    static_cast<void>(rows);
    finish(*single_);
  }
}

// Several statements that the database takes at once.
void connection::run_batch(std::string_view text) {
  const auto kind = kind_of(text, profile_);
  check_aborted(kind);
  note_before(kind);
  SQLHSTMT handle = nullptr;
  if (!succeeded(SQLAllocHandle(SQL_HANDLE_STMT, handle_, &handle))) {
    throw statement_error(read_diagnostics(SQL_HANDLE_DBC, handle_), profile_);
  }
  single_ = std::make_unique<prepared_statement>();
  single_->handle = statement_handle(handle);
  single_->kind = kind;
  if (sql_scanner(text, profile_.dialect()).next().kind == sql_token::token_kind::end) return;
  set_running(handle);
  wide_text wide = to_wide(in_one_try(text));
  auto code = SQLExecDirectW(handle, wide.data(), SQL_NTS);
  while (succeeded(code)) code = SQLMoreResults(handle);
  if (code != SQL_NO_DATA) fail_statement(*single_);
  finish(*single_);
}

// SQL Server goes on after most errors; in a TRY block it does not.
std::string connection::in_one_try(std::string_view text) const {
  if (profile_.database != brand::mssql) return std::string(text);
  return "BEGIN TRY\n" + std::string(text) + "\nEND TRY BEGIN CATCH THROW; END CATCH";
}

}  // namespace polypool::odbc
