// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// Talking SQL: handles, transactions, streams. Each call exists blocking and, with `async_` before it, as a task.
#pragma once

#include <polypool/call.hpp>
#include <polypool/driver.hpp>
#include <polypool/located.hpp>
#include <polypool/mapping.hpp>
#include <polypool/pool.hpp>
#include <polypool/result.hpp>
#include <polypool/row_stream.hpp>

#include <array>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polypool {

class transaction;
class table_query;
namespace detail {
class manager_core;
class connection_state;
struct transaction_state;
struct stream_state;

/// A parameter for a call that blocks: text is bound where it lies.
template <class T>
value borrowed(const T& argument) {
  if constexpr (std::convertible_to<const T&, std::string_view> && !std::same_as<T, std::nullptr_t>) {
    return value(text_view{std::string_view(argument)});
  } else {
    return value(argument);
  }
}
template <class T>
value owned(T&& argument) {
  return value(std::forward<T>(argument));
}
template <class... Args>
std::vector<value> owned_list(Args&&... args) {
  std::vector<value> list;
  list.reserve(sizeof...(Args));
  (list.push_back(owned(std::forward<Args>(args))), ...);
  return list;
}
[[noreturn]] void throw_row_count(std::size_t wanted, std::size_t got);
}  // namespace detail

/// The calls that handles and transactions share. Placeholders are `$1, $2 …` for every database.
///
/// Parameters may be anything a polypool::value is made from. Errors: what the database said (`syntax_error`,
/// `unique_violation` …), `parameter_count`, `pool_timeout`, `deadline_exceeded`, `connection_lost`,
/// `connection_closed`.
class sql_operations {
 public:
  virtual ~sql_operations() = default;

  /// Runs a statement and gives all its rows.
  template <class... Args>
    requires(!described<Args> && ...)
  result query(located_text text, const Args&... args) {
    const std::array<value, sizeof...(Args)> parameters{detail::borrowed(args)...};
    return run_now(statement(text, parameters));
  }
  /// Runs a statement and gives how many rows it changed.
  template <class... Args>
  std::uint64_t execute(located_text text, const Args&... args) {
    return query(text, args...).affected_rows();
  }
  /// The first row as a result of one row; throws row_count when there is none.
  template <class... Args>
    requires(!described<Args> && ...)
  result query_one(located_text text, const Args&... args) {
    auto rows = query(text, args...);
    if (rows.empty()) detail::throw_row_count(1, 0);
    return rows;
  }
  /// The first column of the first row; throws row_count when there is no row.
  template <class T, class... Args>
  T query_value(located_text text, const Args&... args) {
    return query_one(text, args...).front().template get<T>(0);
  }
  /// The first column of all rows.
  template <class T, class... Args>
  std::vector<T> query_column(located_text text, const Args&... args) {
    return first_column<T>(query(text, args...));
  }
  /// Runs a statement with parameters that come as a list.
  result query_with(located_text text, std::span<const value> parameters) {
    return run_now(statement(text, parameters));
  }
  /// Runs several statements separated by semicolons, without parameters; stops at the first error.
  void execute_script(located_text text);

  /// The rows as structures of type T; see mapping.hpp. Throws column_not_found, null_value, type_mismatch.
  template <described T, class... Args>
  std::vector<T> query(located_text text, const Args&... args) {
    return mapped<T>(query(text, args...));
  }
  /// The first row as a structure; throws row_count when there is none.
  template <described T, class... Args>
  T query_one(located_text text, const Args&... args) {
    return first_mapped<T>(query_one(text, args...));
  }
  /// The first row as a structure, if there is one.
  template <described T, class... Args>
  std::optional<T> query_optional(located_text text, const Args&... args) {
    const result rows = query(text, args...);
    return rows.empty() ? std::nullopt : std::optional<T>(first_mapped<T>(rows));
  }

  /// Starts a statement about a table: `db.from("posts").where("user_id", "=", 7).get()`. Where it comes from a
  /// transaction, it must not outlive it.
  table_query from(std::string table, std::string alias = {},
                   std::source_location where = std::source_location::current());

  template <class... Args>
    requires(!described<Args> && ...)
  task<result> async_query(located_string text, Args... args) {
    return run_owned(std::move(text), detail::owned_list(std::move(args)...));
  }
  template <class... Args>
  task<std::uint64_t> async_execute(located_string text, Args... args) {
    return affected(run_owned(std::move(text), detail::owned_list(std::move(args)...)));
  }
  template <class T, class... Args>
  task<T> async_query_value(located_string text, Args... args) {
    return first_value<T>(run_owned(std::move(text), detail::owned_list(std::move(args)...)));
  }
  template <described T, class... Args>
  task<std::vector<T>> async_query(located_string text, Args... args) {
    return mapped_later<T>(run_owned(std::move(text), detail::owned_list(std::move(args)...)));
  }
  task<result> async_query_with(located_string text, std::vector<value> parameters) {
    return run_owned(std::move(text), std::move(parameters));
  }
  task<void> async_execute_script(located_string text) { return script_owned(std::move(text)); }

 protected:
  sql_operations() = default;
  sql_operations(const sql_operations&) = default;
  sql_operations(sql_operations&&) = default;
  sql_operations& operator=(const sql_operations&) = default;
  sql_operations& operator=(sql_operations&&) = default;

  virtual result run_now(statement what) = 0;
  virtual task<result> run_owned(located_string text, std::vector<value> parameters) = 0;
  virtual task<void> script_owned(located_string text) = 0;
  /// Runs what `make` builds for the dialect of the session that it goes to.
  virtual task<result> run_built(std::function<built_statement(dialect)> make, std::source_location where) = 0;
  /// These operations, for a table_query to keep.
  virtual std::shared_ptr<sql_operations> shared() = 0;
  virtual clock& time() const noexcept = 0;

 private:
  friend class table_query;
  template <described T>
  static T first_mapped(const result& rows) {
    return row_mapper<T>(rows.columns())(rows.front());
  }
  template <described T>
  static task<std::vector<T>> mapped_later(task<result> work) {
    const result rows = co_await std::move(work);
    co_return mapped<T>(rows);
  }
  static task<std::uint64_t> affected(task<result> work);
  template <class T>
  static std::vector<T> first_column(const result& rows) {
    std::vector<T> out;
    out.reserve(rows.size());
    for (const row each : rows) out.push_back(each.template get<T>(0));
    return out;
  }
  template <class T>
  static task<T> first_value(task<result> work) {
    const result rows = co_await std::move(work);
    if (rows.empty()) detail::throw_row_count(1, 0);
    co_return rows.front().template get<T>(0);
  }
};

/// A point inside a transaction to go back to. Its destructor goes back, unless it was committed.
class savepoint {
 public:
  savepoint(savepoint&& other) noexcept;
  savepoint& operator=(savepoint&&) = delete;
  ~savepoint();
  /// Keeps what was done since.
  void commit();
  task<void> async_commit();
  /// Undoes what was done since, now.
  void rollback();
  task<void> async_rollback();

 private:
  friend class transaction;
  savepoint(std::shared_ptr<detail::transaction_state> state, std::string name) noexcept;
  std::shared_ptr<detail::transaction_state> state_;
  std::string name_;
};

/// A transaction on one session. Its destructor rolls back, never commits. Movable; one thread or task at a time.
/// It has to outlive the tasks it gives.
class transaction final : public sql_operations {
 public:
  transaction(transaction&&) noexcept;
  transaction& operator=(transaction&&) noexcept;
  ~transaction() override;

  /// Throws in_doubt when the connection broke so that nobody knows.
  void commit();
  task<void> async_commit();
  void rollback();
  task<void> async_rollback();
  /// Begins a nested part that can be undone alone.
  class savepoint savepoint();
  task<class savepoint> async_savepoint();
  /// How many savepoints are open.
  std::size_t depth() const noexcept;
  row_stream stream_with(located_text text, std::span<const value> parameters);
  /// The session underneath.
  sql_session& session();

 private:
  friend class sql_database;
  explicit transaction(std::shared_ptr<detail::transaction_state> state) noexcept;
  static task<transaction> made_by(task<std::shared_ptr<detail::transaction_state>> work);
  result run_now(statement what) override;
  task<result> run_owned(located_string text, std::vector<value> parameters) override;
  task<void> script_owned(located_string text) override;
  task<result> run_built(std::function<built_statement(dialect)> make, std::source_location where) override;
  std::shared_ptr<sql_operations> shared() override;
  clock& time() const noexcept override;
  std::shared_ptr<detail::transaction_state> state_;
};

class sql_database;

namespace detail {

/// Whether a whole transaction is made again, and when.
class transaction_retry {
 public:
  explicit transaction_retry(const sql_database& on);
  /// Counts a failure. @return false when it is not made again
  bool again_after(const error& why);
  void wait() const;
  task<void> async_wait() const;

 private:
  std::shared_ptr<manager_core> core_;
  std::shared_ptr<connection_state> state_;
  std::uint32_t attempt_ = 1;
  duration pause_{};
};

}  // namespace detail

/// A handle to a SQL database: cheap to copy, safe to share between threads. An unnamed one goes to whatever connection
/// is active at each call; a named one to that connection, also after it was removed and registered again.
class sql_database final : public sql_operations {
 public:
  /// The connection's name now. Throws no_default_connection.
  std::string name() const;
  /// The same database, with calls made this way.
  sql_database with(call how) const;

  /// Runs a statement and gives its rows as they are asked for.
  template <class... Args>
  row_stream stream(located_text text, const Args&... args) {
    const std::array<value, sizeof...(Args)> parameters{detail::borrowed(args)...};
    return stream_with(text, parameters);
  }
  row_stream stream_with(located_text text, std::span<const value> parameters);
  template <class... Args>
  task<row_stream> async_stream(located_string text, Args... args) {
    return stream_owned(std::move(text), detail::owned_list(std::move(args)...));
  }

  /// Begins a transaction; each of its statements has the query timeout.
  transaction begin(const transaction_options& options = {},
                    std::source_location where = std::source_location::current());
  task<transaction> async_begin(transaction_options options = {},
                                std::source_location where = std::source_location::current());
  /// Runs `work(tx)` in a transaction and commits when it returns; rolls back when it throws.
  template <std::invocable<transaction&> Work>
  auto transact(Work&& work, const transaction_options& options = {}) {
    auto tx = begin(options);
    if constexpr (std::is_void_v<std::invoke_result_t<Work, transaction&>>) {
      std::forward<Work>(work)(tx);
      tx.commit();
    } else {
      auto out = std::forward<Work>(work)(tx);
      tx.commit();
      return out;
    }
  }

  /// transact(), all of it made again when the database could not serialize it or chose it as the victim of a deadlock:
  /// up to `retry_attempts` times, with growing pauses, while the retry budget lasts. A commit in doubt is never made
  /// again. `work` may run several times: what it does outside of the database should bear that.
  template <std::invocable<transaction&> Work>
  auto with_retry(Work&& work, const transaction_options& options = {}) {
    for (detail::transaction_retry attempts(*this);;) {
      try {
        return transact(work, options);
      } catch (const error& why) {
        if (!attempts.again_after(why)) throw;
      }
      attempts.wait();
    }
  }
  /// The same for a `work(tx)` that gives a task.
  template <std::invocable<transaction&> Work>
  std::invoke_result_t<Work&, transaction&> async_with_retry(Work work, transaction_options options = {}) {
    return retried(*this, std::move(work), options);
  }

  /// Borrows a session from the same pool, for the native driver.
  polypool::lease lease(std::source_location where = std::source_location::current());
  task<polypool::lease> async_lease(std::source_location where = std::source_location::current());

 private:
  friend class manager;
  friend class connection;
  friend class detail::transaction_retry;
  template <class Work>
  static std::invoke_result_t<Work&, transaction&> retried(sql_database db, Work work, transaction_options options) {
    using answer = decltype(run_type(std::declval<std::invoke_result_t<Work&, transaction&>>()));
    for (detail::transaction_retry attempts(db);;) {
      try {
        task<transaction> beginning = db.async_begin(options);
        transaction tx = co_await std::move(beginning);
        task<answer> working = work(tx);
        if constexpr (std::is_void_v<answer>) {
          co_await std::move(working);
          task<void> committing = tx.async_commit();
          co_await std::move(committing);
          co_return;
        } else {
          answer out = co_await std::move(working);
          task<void> committing = tx.async_commit();
          co_await std::move(committing);
          co_return std::move(out);
        }
      } catch (const error& why) {
        if (!attempts.again_after(why)) throw;
      }
      task<void> pausing = attempts.async_wait();
      co_await std::move(pausing);
    }
  }
  template <class T>
  static T run_type(task<T>);
  sql_database(std::shared_ptr<detail::manager_core> core, std::shared_ptr<detail::connection_state> state) noexcept;
  result run_now(statement what) override;
  task<result> run_owned(located_string text, std::vector<value> parameters) override;
  task<void> script_owned(located_string text) override;
  task<row_stream> stream_owned(located_string text, std::vector<value> parameters);
  task<result> run_built(std::function<built_statement(dialect)> make, std::source_location where) override;
  std::shared_ptr<sql_operations> shared() override;
  clock& time() const noexcept override;

  std::shared_ptr<detail::manager_core> core_;
  std::shared_ptr<detail::connection_state> state_;  // null: the active one
  std::shared_ptr<const call> call_;                 // null: as configured
};

}  // namespace polypool

#include <polypool/table_query.hpp>  // what from() gives
