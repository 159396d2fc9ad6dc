// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// The calls that a handle to a SQL database and a transaction have in common. Included by polypool/sql.hpp.
#pragma once

#include <polypool/driver.hpp>
#include <polypool/located.hpp>
#include <polypool/mapping.hpp>
#include <polypool/result.hpp>

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

class table_query;
namespace detail {

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
/// Each exists blocking and, with `async_` before it, as a task. A task owns its text and parameters; a blocking call
/// binds text where it lies.
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
  /// The same for statements that have to give a row: throws row_count when there is none. `front()` is the first.
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
  template <class... Args>
    requires(!described<Args> && ...)
  task<result> async_query_one(located_string text, Args... args) {
    return not_empty(run_owned(std::move(text), detail::owned_list(std::move(args)...)));
  }
  template <class T, class... Args>
  task<std::vector<T>> async_query_column(located_string text, Args... args) {
    return column_later<T>(run_owned(std::move(text), detail::owned_list(std::move(args)...)));
  }
  template <described T, class... Args>
  task<T> async_query_one(located_string text, Args... args) {
    return one_later<T>(run_owned(std::move(text), detail::owned_list(std::move(args)...)));
  }
  template <described T, class... Args>
  task<std::optional<T>> async_query_optional(located_string text, Args... args) {
    return optional_later<T>(run_owned(std::move(text), detail::owned_list(std::move(args)...)));
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
  template <described T>
  static task<std::optional<T>> optional_later(task<result> work) {
    const result rows = co_await std::move(work);
    co_return rows.empty() ? std::nullopt : std::optional<T>(first_mapped<T>(rows));
  }
  template <described T>
  static task<T> one_later(task<result> work) {
    task<result> checked = not_empty(std::move(work));
    const result rows = co_await std::move(checked);
    co_return first_mapped<T>(rows);
  }
  static task<std::uint64_t> affected(task<result> work);
  static task<result> not_empty(task<result> work);
  template <class T>
  static std::vector<T> first_column(const result& rows) {
    std::vector<T> out;
    out.reserve(rows.size());
    for (const row each : rows) out.push_back(each.template get<T>(0));
    return out;
  }
  template <class T>
  static task<std::vector<T>> column_later(task<result> work) {
    const result rows = co_await std::move(work);
    co_return first_column<T>(rows);
  }
  template <class T>
  static task<T> first_value(task<result> work) {
    task<result> checked = not_empty(std::move(work));
    const result rows = co_await std::move(checked);
    co_return rows.front().template get<T>(0);
  }
};

}  // namespace polypool
