// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// Talking SQL: handles, transactions, streams. Each call exists blocking and, with `async_` before it, as a task.
#pragma once

#include <polypool/call.hpp>
#include <polypool/pool.hpp>
#include <polypool/row_stream.hpp>
#include <polypool/sql_operations.hpp>

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
namespace detail {
class manager_core;
class connection_state;
struct transaction_state;
struct stream_state;
}  // namespace detail

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

  /// Makes what was done last. Throws in_doubt when the connection broke so that nobody knows, transaction_aborted when
  /// a statement had failed. The transaction is over then, whatever happened.
  void commit();
  task<void> async_commit();
  /// Undoes what was done, now. The transaction is over then, whatever happened.
  void rollback();
  task<void> async_rollback();
  /// Begins a nested part that can be undone alone.
  class savepoint savepoint();
  task<class savepoint> async_savepoint();
  /// How many savepoints are open.
  std::size_t depth() const noexcept;
  /// Runs a statement and gives its rows as they are asked for. Read them to the end, or close the stream, before the
  /// next statement, which may end it. When the transaction is over, so is the stream.
  template <class... Args>
  row_stream stream(located_text text, const Args&... args) {
    const std::array<value, sizeof...(Args)> parameters{detail::borrowed(args)...};
    return stream_with(text, parameters);
  }
  row_stream stream_with(located_text text, std::span<const value> parameters);
  template <class... Args>
  task<row_stream> async_stream(located_string text, Args... args) {
    return async_stream_with(std::move(text), detail::owned_list(std::move(args)...));
  }
  task<row_stream> async_stream_with(located_string text, std::vector<value> parameters);
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
    return async_stream_with(std::move(text), detail::owned_list(std::move(args)...));
  }
  task<row_stream> async_stream_with(located_string text, std::vector<value> parameters);

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

  /// The same for a `work(tx)` that gives a task.
  template <std::invocable<transaction&> Work>
  std::invoke_result_t<Work&, transaction&> async_transact(Work work, transaction_options options = {}) {
    return transacted(*this, std::move(work), options);
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
  // Its work is one for each task, or belongs to a task that outlives this one.
  template <class Work>
  static std::invoke_result_t<Work&, transaction&> transacted(sql_database db, Work work, transaction_options options) {
    using answer = decltype(run_type(std::declval<std::invoke_result_t<Work&, transaction&>>()));
    task<transaction> beginning = db.async_begin(options);
    transaction tx = co_await std::move(beginning);
    task<answer> working = work(tx);
    if constexpr (std::is_void_v<answer>) {
      co_await std::move(working);
      task<void> committing = tx.async_commit();
      co_await std::move(committing);
    } else {
      answer out = co_await std::move(working);
      task<void> committing = tx.async_commit();
      co_await std::move(committing);
      co_return std::move(out);
    }
  }
  template <class Work>
  static std::invoke_result_t<Work&, transaction&> retried(sql_database db, Work work, transaction_options options) {
    using answer = decltype(run_type(std::declval<std::invoke_result_t<Work&, transaction&>>()));
    for (detail::transaction_retry attempts(db);;) {
      try {
        task<answer> attempt = transacted<Work&>(db, work, options);
        co_return co_await std::move(attempt);
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
  task<result> run_built(std::function<built_statement(dialect)> make, std::source_location where) override;
  std::shared_ptr<sql_operations> shared() override;
  clock& time() const noexcept override;

  std::shared_ptr<detail::manager_core> core_;
  std::shared_ptr<detail::connection_state> state_;  // null: the active one
  std::shared_ptr<const call> call_;                 // null: as configured
};

}  // namespace polypool

#include <polypool/table_query.hpp>  // what from() gives
