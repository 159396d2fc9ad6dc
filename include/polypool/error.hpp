// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup base
/// The one exception of Polypool, and the portable codes it carries.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <system_error>

namespace polypool {

/// What went wrong, in words that mean the same for every database.
enum class errc {
  // naming and configuration
  connection_not_found = 1,  ///< no connection of that name is registered
  invalid_configuration,     ///< a field has a value that is not allowed
  connection_closed,         ///< the connection was closed or removed
  not_sql_database,          ///< SQL was asked of something that does not speak it
  not_mongodb,               ///< documents were asked of something that is not MongoDB
  not_redis,                 ///< a Redis command was asked of something else
  unsupported_database,      ///< the type is unknown, or this build has no driver for it
  no_default_connection,     ///< an unnamed call, and no connection is active
  already_connected,         ///< connect on what is connected
  already_registered,        ///< a connection of that name exists
  shutting_down,             ///< the manager is closing; no new work is taken
  // reaching the server
  connect_failed,         ///< the server cannot be reached or refused
  authentication_failed,  ///< the server does not accept these credentials
  connection_lost,        ///< the session broke in the middle of something
  too_many_connections,   ///< the server has no room for another session
  no_primary,             ///< no member of the group may take writes now: none is the primary, or several are
  // limits
  pool_timeout,         ///< no session became free in time; the text says who holds them
  pool_queue_full,      ///< too many callers wait already
  circuit_open,         ///< the breaker keeps calls away from a failing server
  rate_limited,         ///< the caller's limit is used up
  query_too_expensive,  ///< the estimated cost is over the limit
  deadline_exceeded,    ///< the time given to the operation is over
  cancelled,            ///< the caller asked to stop
  in_doubt,             ///< the connection broke during commit: done or not, nobody knows
  // what the database said
  unique_violation,
  foreign_key_violation,
  not_null_violation,
  check_violation,
  constraint_violation,   ///< another integrity rule
  serialization_failure,  ///< retry the whole transaction
  deadlock,               ///< chosen as the victim; retry the whole transaction
  lock_timeout,           ///< a lock was not free in time
  transaction_aborted,    ///< an earlier error ended this transaction; roll back first
  syntax_error,
  undefined_object,  ///< no such table, column, function …
  invalid_value,     ///< the database does not accept this value
  permission_denied,
  read_only,  ///< a write to a read-only server, transaction or file
  disk_full,
  database_error,  ///< any other complaint of the server
  unsupported,     ///< the server's kind, version or setup does not have this
  // how the call was made
  parameter_count,   ///< too few or too many parameters
  invalid_argument,  ///< an argument that cannot work
  type_mismatch,     ///< a value cannot become the type that was asked for
  null_value,        ///< NULL, and the type asked for has no room for it
  column_not_found,  ///< the result has no such column
  row_count,         ///< exactly one row was asked for
  internal_error,    ///< a fault in Polypool itself; please report it
};

/// The error category "polypool".
const std::error_category& polypool_category() noexcept;

/// Makes `errc` usable as a std::error_code.
inline std::error_code make_error_code(errc code) noexcept { return {static_cast<int>(code), polypool_category()}; }

/// The snake_case name of a code, such as "pool_timeout".
std::string_view to_string(errc code) noexcept;

/// What a caller may do about an error.
enum class disposition {
  permanent,            ///< the same call will fail again
  retryable,            ///< the same call may work on the same server a little later
  retryable_elsewhere,  ///< another server of the same group may do it now
  in_doubt,             ///< may have happened; retry only what is idempotent
};

/// The snake_case name of a disposition.
std::string_view to_string(disposition value) noexcept;

/// The one exception type of Polypool.
///
/// One type with properties instead of a tree of types: what a handler asks is "may I retry?" or "was it a duplicate?",
/// and one error answers several such questions at once. The text reads
/// `connection 'primary' query: <cause> (SQLSTATE 42P01); <hint>`.
/// Copying never throws. Passwords never appear in it.
class error : public std::system_error {
 public:
  /// @param code what went wrong
  /// @param cause one sentence that says what failed and why, without the connection's name
  error(errc code, std::string_view cause);

  /// The whole text.
  const char* what() const noexcept override;

  /// The portable code as an enumerator (`code()` gives it as std::error_code).
  errc portable_code() const noexcept;
  /// The text given at construction.
  const std::string& cause() const noexcept;
  /// The connection's name; empty when no connection was involved.
  const std::string& connection() const noexcept;
  /// What was being done, such as "query" or "connect".
  const std::string& operation() const noexcept;
  /// Five characters of SQLSTATE; empty when the database gave none.
  const std::string& sqlstate() const noexcept;
  /// The server's own words, unchanged.
  const std::string& server_message() const noexcept;
  /// What to do about it; may be empty.
  const std::string& hint() const noexcept;
  /// The database's own number for the error; 0 when it has none.
  int native_code() const noexcept;
  /// What a caller may do about it.
  polypool::disposition disposition() const noexcept;
  /// True when the session it came from cannot be used again.
  bool poisons_session() const noexcept;

  // Each of these adds one fact and returns the error, so that `throw error{...}.sqlstate("23505")` reads well.
  // What is already known is not overwritten by at(): the innermost place knows best.
  error& at(std::string_view connection, std::string_view operation);
  error& with_sqlstate(std::string_view sqlstate);
  error& with_server_message(std::string_view message);
  error& with_hint(std::string_view hint);
  error& with_native_code(int code);
  error& with_disposition(polypool::disposition value);
  error& with_poisoned_session(bool poisoned = true);

 private:
  struct state;
  state& writable();
  void compose();
  std::shared_ptr<const state> state_;
};

/// The disposition that a code has when nothing more is known.
disposition default_disposition(errc code) noexcept;

}  // namespace polypool

template <>
struct std::is_error_code_enum<polypool::errc> : std::true_type {};
