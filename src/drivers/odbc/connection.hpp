// SPDX-License-Identifier: Apache-2.0
// One connection over ODBC, as blocking calls. Shared by a session and by calls of it that are still under way when the
// session has given them up.
#pragma once

#include "driver/placeholders.hpp"
#include "driver/statement_cache.hpp"
#include "drivers/odbc/columns.hpp"
#include "drivers/odbc/connection_plan.hpp"
#include "drivers/odbc/native.hpp"
#include "drivers/odbc/parameters.hpp"
#include "drivers/odbc/profile.hpp"
#include "drivers/odbc/statement_kind.hpp"

#include <polypool/driver.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace polypool::odbc {

/// A statement that ODBC keeps for us.
struct prepared_statement {
  statement_handle handle;
  rewritten_statement text;
  statement_kind kind;
  parameter_list parameters;
  result_reader reader;
  bool prepared = false;
  bool ran = false;
  std::size_t limit = 0;  // seconds, as the driver knows it
  bool declared = false;  // psqlodbc has made a cursor of it, within a transaction of its own
};

class connection {
 public:
  using state = sql_session::transaction_state;
  class private_key {
    friend class connection;
    private_key() = default;
  };

  /// For `open` alone.
  connection(private_key, std::shared_ptr<const environment_handle> environment,
             std::shared_ptr<const connection_plan> plan);
  /// Connects; blocks for at most about that long. Throws connect_failed …
  static std::shared_ptr<connection> open(std::shared_ptr<const environment_handle> environment,
                                          std::shared_ptr<const connection_plan> plan, std::chrono::seconds limit);
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  const profile& what() const noexcept { return profile_; }
  SQLHDBC get() const noexcept { return handle_; }

  // One call at a time, between `begin_call` and `end_call`.
  result execute(const statement& what);
  /// Runs a statement, and leaves its rows to be fetched.
  std::shared_ptr<const column_list> start(const statement& what);
  /// The next rows of the statement that was started; null at the end.
  std::shared_ptr<const row_block> fetch();
  void script(std::string_view text);
  void begin_transaction(const transaction_options& options);
  void close_cursor();
  void probe();
  server_info describe();
  /// Forgets what callers left behind. @return false when only a new connection is rid of it
  bool clean();

  /// Numbers the calls, so that a cancel is not taken for the next one.
  /// @param limit after which drivers that can count give up by themselves, in seconds; 0: never
  std::uint64_t begin_call(std::size_t limit = 0);
  void end_call() noexcept;
  /// Waits for the end of that call. Thread-safe.
  bool wait_for_end(std::uint64_t call, std::chrono::milliseconds limit);
  /// Asks the database to end the statement of that call. Thread-safe.
  void cancel(std::uint64_t call) noexcept;
  /// Ends the connection's socket, so that whoever waits for it waits no more. Thread-safe.
  void cut() noexcept;
  /// The same, unless that call has ended. Thread-safe.
  void cut_call(std::uint64_t call) noexcept;
  /// The number of the call that runs; 0 when none does. Thread-safe.
  std::uint64_t running_call() noexcept;
  /// Whether a call can be brought back in any case.
  bool can_cut() const noexcept { return socket_ >= 0; }
  bool can_cancel() const noexcept { return can_cut() || profile_.family == driver_family::sqlite; }

  // What is known between calls.
  state transaction() const noexcept { return aborted_ ? state::failed : transaction_; }
  bool dirty() const noexcept;
  bool broken() const noexcept { return broken_ || cut_.load(std::memory_order_relaxed); }
  std::uint64_t execution() const noexcept { return execution_; }
  std::uint64_t affected_rows() const noexcept { return affected_; }
  void note_native_use() noexcept { native_used_ = true; }

 private:
  void connect(std::chrono::seconds limit);
  void look_around(const class socket_search& search);
  void check_schema();
  void set_running(SQLHSTMT statement, bool fetching = false) noexcept;
  void cut_now() noexcept;
  bool answers_cancels() const noexcept;
  void cancel_statement(SQLHSTMT statement, bool fetching) noexcept;
  void cancel_from_elsewhere() noexcept;

  // Statements.
  prepared_statement& take(std::string_view text);
  std::unique_ptr<prepared_statement> make_statement(std::string_view text);
  bool prepares(const prepared_statement& what) const noexcept;
  SQLRETURN execute_now(prepared_statement& what);
  bool run(prepared_statement& what, std::span<const value> values);
  void forget_plan(const std::string& name) const noexcept;
  prepared_statement& begin(const statement& what, bool& rows);
  void read_all(prepared_statement& what, cell_block& out);
  bool more_results(prepared_statement& what);
  void finish(prepared_statement& what);
  std::uint64_t row_count(const prepared_statement& what) const noexcept;
  void declare_cursors(bool on) noexcept;
  void set_limit(prepared_statement& what) const noexcept;
  void run_batch(std::string_view text);
  std::string in_one_try(std::string_view text) const;

  // Transactions and traces.
  void check_aborted(const statement_kind& kind) const;
  bool swallows(std::string_view text);
  bool is_portable_control(const statement_kind& kind) const noexcept;
  void control(transaction_effect effect);
  void note_before(const statement_kind& kind) noexcept;
  void note_after(const statement_kind& kind);
  [[noreturn]] void fail(error problem, prepared_statement& what);
  [[noreturn]] void fail_statement(prepared_statement& what);
  void note_death(error& problem);
  void note_failure(error& problem, const statement_kind& kind, bool declared);
  void end_own_transaction() noexcept;
  void ask_transaction();
  state answer_of_transaction();
  void roll_back();
  bool is_dead() noexcept;

  // describe.cpp
  server_info describe_postgres();
  server_info describe_mssql();

  // The driver's own statements.
  void plain(std::string_view text);
  std::string ask(std::string_view text);

  std::shared_ptr<const environment_handle> environment_;
  SQLHDBC handle_ = nullptr;
  bool connected_ = false;
  std::shared_ptr<const connection_plan> plan_;
  profile profile_;
  int socket_ = -1;  // a duplicate of the driver's, to end it
  statement_cache<std::unique_ptr<prepared_statement>> cache_;
  std::unique_ptr<prepared_statement> single_;  // the last one that is not kept
  prepared_statement* active_ = nullptr;        // has rows that nobody has fetched yet
  fetch_buffer buffer_;
  std::uint64_t execution_ = 0;  // tells a cursor that its statement is over
  std::uint64_t affected_ = 0;
  std::size_t limit_ = 0;  // of the call, in seconds
  std::uint64_t rows_ = 0;

  state transaction_ = state::none;
  int depth_ = 0;         // of SQL Server's transactions
  bool aborted_ = false;  // the database ended the transaction, and its owner does not know yet
  bool touched_ = false;  // a statement may have left something behind
  bool reopen_ = false;   // that only a new connection is rid of
  bool native_used_ = false;
  bool zone_moved_ = false;  // the session's time zone may not be UTC
  bool read_only_wanted_ = false;
  bool level_changed_ = false;  // SQL Server's isolation level, by begin_transaction
  bool tells_lag_ = true;       // as far as we know
  bool broken_ = false;
  std::string backend_;  // PostgreSQL's number for the session

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::uint64_t call_ = 0;
  bool in_call_ = false;
  SQLHSTMT running_ = nullptr;
  bool fetching_ = false;  // its rows, and the statement itself has been executed
  bool cancelling_ = false;
  std::atomic<bool> cut_ = false;  // written under the mutex
};

/// The statement that begins a transaction, as far as one statement can say it.
std::string begin_words(brand database, const transaction_options& options);

/// The columns of a statement that gives no rows.
const std::shared_ptr<const column_list>& no_columns();

/// Ends a call that was begun.
class call_end {
 public:
  explicit call_end(connection& where) noexcept : where_(where) {}
  call_end(const call_end&) = delete;
  ~call_end() { where_.end_call(); }

 private:
  connection& where_;
};

/// Marks a call while it lives.
class call_scope {
 public:
  explicit call_scope(connection& where, std::size_t limit = 0) : number_(where.begin_call(limit)), end_(where) {}
  std::uint64_t number() const noexcept { return number_; }

 private:
  std::uint64_t number_;
  call_end end_;
};

}  // namespace polypool::odbc
