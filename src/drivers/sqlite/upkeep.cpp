// SPDX-License-Identifier: Apache-2.0
// Opening, probing, and bringing a session back to how it was.
#include "drivers/sqlite/errors.hpp"
#include "drivers/sqlite/session.hpp"

#include <polypool/waits.hpp>

#include <sqlite3.h>

#include <utility>

namespace polypool::sqlite {
namespace {

std::string quoted(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) out.append(c == '"' ? 2 : 1, c);
  return out + '"';
}

}  // namespace

void sqlite_session::prepare_handle(const environment& env) {
  const watch::scope watching(watch_, env);
  watch_.install(db_.get());
  recorder_.install(db_.get());
  apply_pragmas();
  apply_journal_mode();
  if (!how_.synchronous.empty()) {
    set_pragma("synchronous", how_.synchronous);
  } else if (const auto mode = ask("PRAGMA journal_mode"); mode == "wal") {
    set_pragma("synchronous", "normal");  // with a write-ahead log this loses nothing but the newest after a power cut
  }
}

void sqlite_session::apply_pragmas() {
  sqlite3* const db = db_.get();
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, how_.foreign_keys ? 1 : 0, nullptr);
  sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1'000'000'000);
  sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, 64 * 1024 * 1024);
  sqlite3_limit(db, SQLITE_LIMIT_TRIGGER_DEPTH, 100);
}

void sqlite_session::apply_journal_mode() {
  const auto now = ask("PRAGMA journal_mode");  // the first read: says whether this is a database at all
  if (how_.journal_mode.empty() || now == how_.journal_mode) return;
  std::optional<std::string> got;
  for (int attempt = 0;; ++attempt) {
    try {
      got = ask("PRAGMA journal_mode = " + how_.journal_mode);
      break;
    } catch (const error& problem) {
      // Changing the mode needs the file for itself, and SQLite does not always wait for that by itself.
      if (problem.portable_code() != errc::lock_timeout || !watch_.wait_for_lock(attempt)) throw;
    }
  }
  if (how_.journal_mode_asked && got != how_.journal_mode) {
    error problem(errc::invalid_configuration, "option journal_mode: this database stays with '" + got.value_or("?") +
                                                   "' and cannot change to '" + how_.journal_mode + "'");
    throw problem;
  }
}

task<void> sqlite_session::probe() {
  const environment& env = co_await this_environment();
  const auto call = [this, &env] { probe_now(env); };
  offload work(call);
  co_await work;
}

void sqlite_session::probe_now(const environment& env) {
  const watch::scope watching(watch_, env);
  check_usable();
  int moved = 0;
  if (!how_.in_memory && sqlite3_file_control(db_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
      moved) {
    broken_ = true;
    error problem(errc::connection_lost, "the database file was moved, deleted or replaced while it was open");
    problem.with_poisoned_session().with_disposition(disposition::retryable);
    throw problem;
  }
  ask("SELECT 1");
}

task<server_info> sqlite_session::describe() {
  const watch::scope watching(watch_, co_await this_environment());
  check_usable();
  server_info info;
  info.version = sqlite3_libversion();
  const bool read_only = sqlite3_db_readonly(db_.get(), "main") == 1;
  info.role = read_only ? server_info::role_type::read_only : server_info::role_type::primary;
  co_return info;
}

bool sqlite_session::dirty() const noexcept {
  return temporary_ || attached_ || native_used_ || aborted_ || !old_pragmas_.empty() || !cursors_.empty() ||
         in_transaction();
}

task<void> sqlite_session::reset() {
  const environment& env = co_await this_environment();
  const auto call = [this, &env] { reset_now(env); };
  offload work(call);
  co_await work;
}

void sqlite_session::reset_now(const environment& env) {
  const watch::scope watching(watch_, env);
  check_usable();
  if (!dirty()) return;
  try {
    while (!cursors_.empty()) cursors_.back()->end(sqlite_cursor::state::lost);
    if (native_used_) {
      for (sqlite3_stmt* each = sqlite3_next_stmt(db_.get(), nullptr); each;
           each = sqlite3_next_stmt(db_.get(), each)) {
        sqlite3_reset(each);
      }
      watch_.install(db_.get());
      recorder_.install(db_.get());
      apply_pragmas();
    }
    if (in_transaction()) ask("ROLLBACK");
    restore_pragmas();  // first: query_only would keep the rest from happening
    if (temporary_ || native_used_) drop_temporary();
    if (attached_ || native_used_) detach_all();
    temporary_ = attached_ = native_used_ = aborted_ = false;
  } catch (...) {
    broken_ = true;
    throw;
  }
}

void sqlite_session::drop_temporary() {
  // Views and triggers first; a table takes its indexes and its own triggers along.
  const auto found = ask_rows(
      "SELECT type, name FROM temp.sqlite_schema WHERE type IN ('view', 'trigger', 'table') "
      "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type DESC");
  const std::string foreign_keys = how_.foreign_keys ? "1" : "0";
  if (how_.foreign_keys) set_pragma("foreign_keys", "0");  // dropping in any order must not count as deleting
  for (const auto& each : found) ask("DROP " + each[0] + " IF EXISTS temp." + quoted(each[1]));
  set_pragma("foreign_keys", foreign_keys);
}

void sqlite_session::detach_all() {
  for (const auto& each : ask_rows("PRAGMA database_list")) {
    if (each[1] != "main" && each[1] != "temp") ask("DETACH " + quoted(each[1]));
  }
}

// Before a PRAGMA changes a setting, what it was is noted: some take effect while they are prepared.
std::unique_ptr<prepared> sqlite_session::prepare_pragma(std::string_view text, std::string_view& tail) {
  const auto name = changed_pragma(text);
  if (!name.empty() && !old_pragmas_.contains(name)) old_pragmas_.emplace(name, ask("PRAGMA " + name));
  auto out = prepare_fresh(text, false, tail);
  if (name == "busy_timeout") {  // it has replaced the watch's callback by one that knows no deadline
    watch_.set_busy_timeout(std::chrono::milliseconds(std::stoll(ask("PRAGMA busy_timeout").value_or("0"))));
    watch_.install(db_.get());
  }
  return out;
}

void sqlite_session::restore_pragmas() {
  for (const auto& [name, before] : old_pragmas_) {
    if (name == "busy_timeout") {
      watch_.set_busy_timeout(how_.busy_timeout);
    } else if (before) {
      set_pragma(name, *before);
    } else if (name == "case_sensitive_like") {  // has no question form
      set_pragma(name, "0");
    }
  }
  old_pragmas_.clear();
}

void sqlite_session::set_pragma(const std::string& name, const std::string& text) {
  std::string value = "'";
  for (const char c : text) value.append(c == '\'' ? 2 : 1, c);
  ask("PRAGMA " + name + " = " + value + "'");
}

std::optional<std::string> sqlite_session::ask(const std::string& text) {
  auto rows = ask_rows(text);
  if (rows.empty() || rows.front().empty()) return std::nullopt;
  return std::move(rows.front().front());
}

std::vector<std::vector<std::string>> sqlite_session::ask_rows(const std::string& text) {
  std::string_view tail;
  const statement_use use(prepare_fresh(text, false, tail));
  std::vector<std::vector<std::string>> out;
  while (step(*use.operator->()) == SQLITE_ROW) {
    auto& line = out.emplace_back();
    for (int i = 0; i < sqlite3_column_count(use->get()); ++i) {
      const auto* content = reinterpret_cast<const char*>(sqlite3_column_text(use->get(), i));
      line.emplace_back(content ? content : "");
    }
  }
  return out;
}

}  // namespace polypool::sqlite
