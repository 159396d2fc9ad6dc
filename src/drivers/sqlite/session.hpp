// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "drivers/sqlite/settings.hpp"
#include "drivers/sqlite/statement_cache.hpp"
#include "drivers/sqlite/watch.hpp"

#include <polypool/driver.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace polypool::sqlite {

class sqlite_cursor;
class sqlite_session;

/// Opens a database file; blocks. The environment limits the wait for locks.
std::unique_ptr<session> open_session(const settings& how, const environment& env);

/// A prepared statement on loan from its session: reset, and given back, when it goes.
class statement_use {
 public:
  statement_use() noexcept = default;
  statement_use(prepared& kept) noexcept : statement_(&kept) { kept.in_use = true; }  // NOLINT: reads well implicit
  explicit statement_use(std::unique_ptr<prepared> own) noexcept : own_(std::move(own)), statement_(own_.get()) {}
  statement_use(statement_use&& other) noexcept
      : own_(std::move(other.own_)), statement_(std::exchange(other.statement_, nullptr)) {}
  statement_use& operator=(statement_use&& other) noexcept {
    std::swap(own_, other.own_);
    std::swap(statement_, other.statement_);
    return *this;
  }
  ~statement_use() {
    if (!statement_) return;
    statement_->release();
    statement_->in_use = false;
  }
  prepared* operator->() const noexcept { return statement_; }
  explicit operator bool() const noexcept { return statement_ != nullptr; }

 private:
  std::unique_ptr<prepared> own_;
  prepared* statement_ = nullptr;
};

struct close_handle {
  void operator()(sqlite3* db) const noexcept;
};

/// One open database handle.
class sqlite_session final : public sql_session {
 public:
  sqlite_session(std::unique_ptr<sqlite3, close_handle> db, settings how);
  ~sqlite_session() override;
  /// Applies the settings to a handle that was just opened.
  void prepare_handle(const environment& env);

  task<void> probe() override;
  task<void> reset() override;
  bool dirty() const noexcept override;
  bool broken() const noexcept override { return broken_ || watch_.closed(); }
  void interrupt() noexcept override;
  native_handle native() noexcept override;
  task<server_info> describe() override;
  task<result> execute(statement what) override;
  task<std::unique_ptr<cursor>> open(statement what) override;
  task<void> execute_script(std::string_view text) override;
  transaction_state transaction() const noexcept override;
  polypool::dialect dialect() const noexcept override { return polypool::dialect::sqlite; }
  std::string begin_statement(const transaction_options& options) const override;

 private:
  friend class sqlite_cursor;

  result execute_now(const environment& env, const statement& what);
  std::unique_ptr<cursor> open_now(const environment& env, const statement& what);
  void script_now(const environment& env, std::string_view text);
  void probe_now(const environment& env);
  void reset_now(const environment& env);

  void check_usable() const;
  statement_use take(std::string_view text);
  statement_use prepare_first(std::string_view text);
  std::unique_ptr<prepared> prepare_fresh(std::string_view text, bool lasting, std::string_view& tail);
  bool rolled_back_already(std::string_view text);
  void note_effects(const prepared& what);
  std::unique_ptr<prepared> prepare_pragma(std::string_view text, std::string_view& tail);
  int step(prepared& what);
  [[noreturn]] void fail(int code, bool in_transaction);
  bool in_transaction() const noexcept;

  // What SQLite is asked for the driver's own purposes.
  std::optional<std::string> ask(const std::string& text);
  std::vector<std::vector<std::string>> ask_rows(const std::string& text);
  void set_pragma(const std::string& name, const std::string& text);
  void apply_pragmas();
  void apply_journal_mode();
  void drop_temporary();
  void detach_all();
  void restore_pragmas();

  std::unique_ptr<sqlite3, close_handle> db_;  // goes after the statements
  settings how_;
  watch watch_;
  effects_recorder recorder_;
  statement_cache cache_;
  std::vector<sqlite_cursor*> cursors_;                            // open ones
  std::map<std::string, std::optional<std::string>> old_pragmas_;  // changed settings with their former values
  bool temporary_ = false;
  bool attached_ = false;
  bool native_used_ = false;
  bool aborted_ = false;  // an error rolled the transaction back, and its owner does not know yet
  bool broken_ = false;
};

/// Rows of a running statement.
class sqlite_cursor final : public cursor {
 public:
  /// @param code what the first step gave
  sqlite_cursor(sqlite_session& owner, statement_use what, int code);
  ~sqlite_cursor() override;
  const std::shared_ptr<const column_list>& columns() const noexcept override { return columns_; }
  task<std::shared_ptr<const row_block>> next() override;
  task<void> finish() override;
  std::uint64_t affected_rows() const noexcept override { return affected_; }

 private:
  friend class sqlite_session;
  enum class state : std::uint8_t { running, ended, lost };

  std::shared_ptr<const row_block> next_now(const environment& env);
  void end(state how) noexcept;

  sqlite_session* owner_;
  statement_use what_;
  std::shared_ptr<const column_list> columns_;
  std::uint64_t rows_ = 0;
  std::uint64_t affected_ = 0;
  int code_;
  state state_ = state::running;
};

}  // namespace polypool::sqlite
