// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup driver
/// What a driver implements: how to open a session, and what a session can do.
#pragma once

#include <polypool/located.hpp>
#include <polypool/result.hpp>
#include <polypool/secret.hpp>
#include <polypool/task.hpp>
#include <polypool/value.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <typeindex>
#include <vector>

namespace polypool {

/// What kind of language a database speaks.
enum class database_kind : std::uint8_t { sql, document, key_value };

/// How strict TLS is; libpq's words, meant the same for every database.
enum class tls_mode : std::uint8_t { disable, allow, prefer, require, verify_ca, verify_full };

/// Where and as whom a session is opened. A driver reads what concerns it.
struct endpoint {
  std::string host;
  std::uint16_t port = 0;  ///< 0: the driver's default
  std::string user;
  secret password;
  std::string database;
  tls_mode tls = tls_mode::disable;
  std::string schema;
  std::string filepath;                        ///< SQLite; `:memory:` for a database in memory
  std::map<std::string, std::string> options;  ///< the driver's own: a URL's query, `auth_source`, `busy_timeout` …
  duration connect_timeout = std::chrono::seconds(10);
  std::size_t statement_cache = 256;  ///< prepared statements kept per session; 0 prepares nothing
};

/// What a server says of itself.
struct server_info {
  enum class role_type : std::uint8_t { unknown, primary, replica, read_only };
  std::string version;
  role_type role = role_type::unknown;
  std::optional<duration> lag;  ///< of a replica: how far behind its primary it is; nothing when it cannot tell
  /// How far it has written, or applied as a replica: a PostgreSQL LSN, a GTID set of MySQL or MariaDB, an offset of
  /// Redis, an optime of MongoDB. Empty when it cannot tell.
  std::string position;
};

/// Whether a server that is at `position` has everything that a server of the same kind had at `wanted`; see
/// server_info::position. False when that cannot be said.
bool position_reached(std::string_view position, std::string_view wanted) noexcept;

/// "primary", "replica" …
std::string_view to_string(server_info::role_type role) noexcept;

/// A native object of the driver underneath, such as `PGconn*`, with its type.
struct native_handle {
  std::type_index type;
  void* pointer;
};

/// One physical connection to a server. One caller at a time; only interrupt() may come from another thread.
///
/// Deadlines and stops come from the environment of the awaiting task. When one strikes, the operation throws
/// `deadline_exceeded` or `cancelled` at once and leaves the session dirty; reset() (or the next operation) cancels on
/// the server, drains what still comes, and makes the session usable again.
class session {
 public:
  virtual ~session() = default;  ///< closes at once, without waiting for the server
  /// Asks the server for a sign of life. Throws when there is none.
  virtual task<void> probe() = 0;
  /// Brings the session back to how it was when opened: cancels, drains, rolls back, forgets settings, temporary
  /// tables, listens and locks. Keeps prepared statements. Throws when the session cannot be saved.
  virtual task<void> reset() = 0;
  /// True when somebody left something behind that the next caller must not see.
  virtual bool dirty() const noexcept = 0;
  /// True when it can never be used again.
  virtual bool broken() const noexcept = 0;
  /// Ends the running and every later operation with an error. Thread-safe; for pools that close by force.
  virtual void interrupt() noexcept = 0;
  /// The driver's own object. The session counts as dirty from now on.
  virtual native_handle native() noexcept = 0;
  /// Asks the server for its version and role.
  virtual task<server_info> describe() = 0;
};

/// A statement with its parameters, both owned by the caller.
class statement {
 public:
  statement(located_text text, std::span<const value> parameters = {}) noexcept  // NOLINT: reads well implicit
      : text_(text), parameters_(parameters) {}
  template <std::convertible_to<std::string_view> Text>
  statement(const Text& text, std::span<const value> parameters = {},  // NOLINT
            std::source_location where = std::source_location::current()) noexcept
      : text_(text, where), parameters_(parameters) {}
  std::string_view text() const noexcept { return text_.text(); }
  std::span<const value> parameters() const noexcept { return parameters_; }
  /// Where in the program it was asked.
  const std::source_location& where() const noexcept { return text_.where(); }

 private:
  located_text text_;
  std::span<const value> parameters_;
};

/// The rows of a running statement, fetched as they are asked for. Ended by reading to the end or by finish(); one that
/// is destroyed before leaves its session dirty. Must not outlive its session.
class cursor {
 public:
  virtual ~cursor() = default;
  virtual const std::shared_ptr<const column_list>& columns() const noexcept = 0;
  /// The next rows; null at the end. A block is a few dozen kilobytes, or one row where that is larger.
  virtual task<std::shared_ptr<const row_block>> next() = 0;
  /// Ends the statement early (cancels it on the server, drains) and leaves the session usable.
  virtual task<void> finish() = 0;
  /// Known once next() gave null.
  virtual std::uint64_t affected_rows() const noexcept = 0;
};

/// The isolation of a transaction.
enum class isolation : std::uint8_t { server_default, read_uncommitted, read_committed, repeatable_read, serializable };

/// How a transaction begins.
struct transaction_options {
  polypool::isolation isolation = isolation::server_default;
  bool read_only = false;
};

/// In which SQL a database is spoken to where they differ: quoting, limits, what an INSERT gives back.
enum class dialect : std::uint8_t { standard, postgres, mysql, sqlite, mssql };

/// What is done with a savepoint.
enum class savepoint_step : std::uint8_t { open, undo, release };

/// A session that speaks SQL. `$1, $2 …` are the placeholders, whatever the database.
class sql_session : public session {
 public:
  enum class transaction_state : std::uint8_t { none, active, failed, unknown };

  /// Runs one statement and fetches all its rows. Throws `parameter_count` when the parameters do not match.
  virtual task<result> execute(statement what) = 0;
  /// Runs one statement and fetches its rows as they are asked for, in constant memory.
  virtual task<std::unique_ptr<cursor>> open(statement what) = 0;
  /// Runs several statements separated by semicolons, without parameters; stops at the first error.
  virtual task<void> execute_script(std::string_view text) = 0;
  virtual transaction_state transaction() const noexcept = 0;
  virtual polypool::dialect dialect() const noexcept { return polypool::dialect::standard; }
  /// The statement that begins a transaction with these options, as far as one statement can say them; see begin().
  virtual std::string begin_statement(const transaction_options& options) const = 0;
  /// Begins a transaction with these options. By itself it executes begin_statement(); a database that wants more than
  /// one statement for that (MySQL sets the isolation level before) overrides it.
  virtual task<void> begin(transaction_options options);
  /// The statement for a step of a savepoint; standard SQL unless the database has words of its own. Empty: the
  /// database knows no such step, and needs none (SQL Server releases nothing).
  /// @param name letters, digits and underscores
  virtual std::string savepoint_statement(savepoint_step step, std::string_view name) const;
};

/// Opens sessions to one type of database. Thread-safe, without state of its own.
class driver {
 public:
  virtual ~driver() = default;
  /// The type as configuration says it: "postgres", "sqlite" …
  virtual std::string_view type() const noexcept = 0;
  virtual database_kind kind() const noexcept = 0;
  /// Opens a session within the task's deadline and the endpoint's connect_timeout, whichever is earlier.
  /// Throws connect_failed, authentication_failed, too_many_connections, deadline_exceeded …
  /// @param where outlives the task
  virtual task<std::unique_ptr<session>> connect(const endpoint& where) = 0;
  /// True when every session has a database of its own that is gone when it closes (SQLite's `:memory:`): a pool then
  /// has exactly one session, and keeps it.
  virtual bool session_owns_data(const endpoint&) const noexcept { return false; }
};

/// The drivers a manager may use.
using driver_list = std::vector<std::shared_ptr<driver>>;

}  // namespace polypool
