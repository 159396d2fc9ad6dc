// SPDX-License-Identifier: Apache-2.0
// Running statements.
#include "drivers/sqlite/session.hpp"

#include "drivers/sqlite/errors.hpp"

#include <polypool/waits.hpp>

#include <sqlite3.h>

#include <utility>

namespace polypool::sqlite {
namespace {

constexpr std::size_t longest_cached_text = 16384;

// A count of changes only where rows were changed: SQLite keeps the last one otherwise.
std::uint64_t affected_by(sqlite3* db, const effects& does, std::uint64_t rows) {
  if (does.schema) return 0;
  return does.writes ? static_cast<std::uint64_t>(sqlite3_changes64(db)) : rows;
}

// Tells "the id made by this statement" from "the id made by an earlier one", which SQLite would report as well.
class insert_id {
 public:
  insert_id(sqlite3* db, const effects& does) noexcept : db_(does.inserts && !does.schema ? db : nullptr) {
    if (!db_) return;
    before_ = sqlite3_last_insert_rowid(db_);
    sqlite3_set_last_insert_rowid(db_, 0);
  }
  insert_id(const insert_id&) = delete;
  insert_id& operator=(const insert_id&) = delete;
  ~insert_id() {
    if (db_ && sqlite3_last_insert_rowid(db_) == 0) sqlite3_set_last_insert_rowid(db_, before_);
  }
  std::int64_t get() const noexcept { return db_ ? sqlite3_last_insert_rowid(db_) : 0; }

 private:
  sqlite3* db_;
  std::int64_t before_ = 0;
};

}  // namespace

void close_handle::operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }

sqlite_session::sqlite_session(std::unique_ptr<sqlite3, close_handle> db, settings how)
    : db_(std::move(db)), how_(std::move(how)), watch_(how_.busy_timeout), cache_(how_.statement_cache) {}

sqlite_session::~sqlite_session() {
  // Closing may roll back and write the log back into the file; nothing should stop that halfway.
  sqlite3_progress_handler(db_.get(), 0, nullptr, nullptr);
  sqlite3_busy_handler(db_.get(), nullptr, nullptr);
}

void sqlite_session::interrupt() noexcept {
  watch_.close();
  sqlite3_interrupt(db_.get());
}

native_handle sqlite_session::native() noexcept {
  native_used_ = true;
  return {typeid(sqlite3*), db_.get()};
}

bool sqlite_session::in_transaction() const noexcept { return sqlite3_get_autocommit(db_.get()) == 0; }

sql_session::transaction_state sqlite_session::transaction() const noexcept {
  if (broken()) return transaction_state::unknown;
  if (aborted_) return transaction_state::failed;
  return in_transaction() ? transaction_state::active : transaction_state::none;
}

std::string sqlite_session::begin_statement(const transaction_options& options) const {
  // Asking for the write lock at once is the only way to wait for it: a reader that becomes a writer may not wait.
  return options.read_only || how_.mode == settings::open_mode::read_only ? "BEGIN DEFERRED" : "BEGIN IMMEDIATE";
}

void sqlite_session::check_usable() const {
  if (!broken_) return;
  error problem(errc::connection_closed, "the session is unusable since an earlier error");
  problem.with_poisoned_session();
  throw problem;
}

task<result> sqlite_session::execute(statement what) {
  const environment& env = co_await this_environment();
  const auto call = [this, &env, &what] { return execute_now(env, what); };
  offload work(call);
  co_return co_await work;
}

task<std::unique_ptr<cursor>> sqlite_session::open(statement what) {
  const environment& env = co_await this_environment();
  const auto call = [this, &env, &what] { return open_now(env, what); };
  offload work(call);
  co_return co_await work;
}

task<void> sqlite_session::execute_script(std::string_view text) {
  const environment& env = co_await this_environment();
  const auto call = [this, &env, text] { script_now(env, text); };
  offload work(call);
  co_await work;
}

result sqlite_session::execute_now(const environment& env, const statement& what) {
  const watch::scope watching(watch_, env);
  check_usable();
  if (aborted_ && rolled_back_already(what.text())) return {};
  const auto use = take(what.text());
  use->bind(what.parameters(), binding::borrowed);
  note_effects(*use.operator->());
  const insert_id id(db_.get(), use->does());
  const bool in_transaction = this->in_transaction();
  int code = sqlite3_step(use->get());
  const auto& columns = use->columns();
  std::shared_ptr<cell_block> rows;
  if (code == SQLITE_ROW) {
    rows = std::make_shared<cell_block>(columns->size());
    do {
      append_row(*rows, use->get(), use->kinds(), columns->size());
      code = sqlite3_step(use->get());
    } while (code == SQLITE_ROW);
  }
  if (code != SQLITE_DONE) fail(code, in_transaction);
  const std::uint64_t count = rows ? rows->rows() : 0;
  return {columns, std::move(rows), affected_by(db_.get(), use->does(), count), id.get()};
}

std::unique_ptr<cursor> sqlite_session::open_now(const environment& env, const statement& what) {
  const watch::scope watching(watch_, env);
  check_usable();
  if (aborted_ && rolled_back_already(what.text())) {
    throw error(errc::invalid_argument, "ROLLBACK gives no rows to read with a cursor; execute it");
  }
  auto use = take(what.text());
  use->bind(what.parameters(), binding::copied);
  note_effects(*use.operator->());
  const int code = step(*use.operator->());  // errors come now, not with the first rows
  use->columns();
  return std::make_unique<sqlite_cursor>(*this, std::move(use), code);
}

void sqlite_session::script_now(const environment& env, std::string_view text) {
  const watch::scope watching(watch_, env);
  check_usable();
  while (!token_reader(text).next().empty()) {
    if (aborted_ && rolled_back_already(text)) {
      text.remove_prefix(std::min(text.find(';'), text.size() - 1) + 1);
      continue;
    }
    std::string_view tail;
    const statement_use use(is_pragma(text) ? prepare_pragma(text, tail) : prepare_fresh(text, false, tail));
    text = tail;
    if (!use->get()) continue;
    if (use->parameter_count() != 0) {
      throw error(errc::parameter_count, "a script takes no parameters, but one of its statements has " +
                                             std::to_string(use->parameter_count()));
    }
    note_effects(*use.operator->());
    while (step(*use.operator->()) == SQLITE_ROW) {
    }
  }
}

// Only ROLLBACK is taken after an error has ended the transaction: whatever else its owner sends was meant to happen
// together with what is gone. @return true when this is the ROLLBACK, and there is nothing left to do
bool sqlite_session::rolled_back_already(std::string_view text) {
  if (!is_rollback(text)) {
    error problem(errc::transaction_aborted, "an earlier error has rolled this transaction back");
    problem.with_hint("end it with ROLLBACK, then run it again from its beginning");
    throw problem;
  }
  aborted_ = false;
  return true;
}

// The cached statement of this text, or a new one.
statement_use sqlite_session::take(std::string_view text) {
  prepared* const kept = cache_.find(text);
  if (kept && !kept->in_use) [[likely]]
    return *kept;
  return prepare_first(text);
}

statement_use sqlite_session::prepare_first(std::string_view text) {
  const bool pragma = is_pragma(text);
  const bool lasting = !pragma && cache_.capacity() != 0 && text.size() <= longest_cached_text && !cache_.find(text);
  std::string_view tail;
  auto fresh = pragma ? prepare_pragma(text, tail) : prepare_fresh(text, lasting, tail);
  if (!fresh->get()) throw error(errc::syntax_error, "the statement is empty");
  token_reader behind(tail);
  for (auto token = behind.next(); !token.empty(); token = behind.next()) {
    if (token == ";") continue;
    error problem(errc::invalid_argument, "there is a second statement behind the first one");
    problem.with_hint("run one statement at a time, or all of them with execute_script");
    throw problem;
  }
  if (lasting && !fresh->does().schema) return cache_.keep(std::move(fresh));
  return statement_use(std::move(fresh));
}

std::unique_ptr<prepared> sqlite_session::prepare_fresh(std::string_view text, bool lasting, std::string_view& tail) {
  if (text.contains('\0')) throw error(errc::syntax_error, "the statement contains a NUL byte");
  // Preparing reads the schema, so it waits for locks too.
  try {
    return std::make_unique<prepared>(db_.get(), text, lasting, recorder_, tail);
  } catch (const error& problem) {
    if (problem.native_code() == 0) throw;
    if (watch_.struck()) throw watch_.cause();
    broken_ = broken_ || problem.poisons_session();
    throw;
  }
}

void sqlite_session::note_effects(const prepared& what) {
  temporary_ = temporary_ || what.does().temp;
  attached_ = attached_ || what.does().attaches;
}

// One step of a statement: SQLITE_ROW or SQLITE_DONE.
int sqlite_session::step(prepared& what) {
  const bool in_transaction = this->in_transaction();
  const int code = sqlite3_step(what.get());
  if (code != SQLITE_ROW && code != SQLITE_DONE) fail(code, in_transaction);
  return code;
}

void sqlite_session::fail(int code, bool in_transaction) {
  const int kind = code & 0xFF;
  const bool ended_early = watch_.struck() || watch_.closed();
  error problem =
      ended_early && (kind == SQLITE_INTERRUPT || kind == SQLITE_BUSY) ? watch_.cause() : last_error(db_.get(), code);
  if (in_transaction && !this->in_transaction()) {
    aborted_ = true;
    problem.with_hint("the whole transaction was rolled back" +
                      (problem.hint().empty() ? std::string() : "; " + problem.hint()));
  }
  broken_ = broken_ || problem.poisons_session();
  throw problem;
}

}  // namespace polypool::sqlite
