// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// Statements about one table, built piece by piece and run.
#pragma once

#include <polypool/builder.hpp>
#include <polypool/mapping.hpp>
#include <polypool/sql.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace polypool {

/// What `from()` of a database or a transaction gives. Copies are independent of each other.
///
/// The statement is built in the dialect of the session that it goes to. Besides what any statement throws, the calls
/// that run it throw invalid_argument for what cannot be built. One thread or task at a time. Each call exists blocking
/// and, with `async_` before it, as a task, which keeps what it needs of this object.
class table_query final : public query_clauses<table_query> {
 public:
  /// The rows.
  result get() { return now(parts()); }
  template <described T>
  std::vector<T> get() {
    return mapped<T>(get());
  }
  /// At most one row.
  result first() { return now(one(parts())); }
  template <described T>
  std::optional<T> first() {
    auto rows = mapped<T>(first());
    return rows.empty() ? std::nullopt : std::optional<T>(std::move(rows.front()));
  }
  /// One column of the first row; throws row_count when there is no row.
  template <class T>
  T value(std::string column) {
    const result rows = now(one(only(std::move(column))));
    if (rows.empty()) detail::throw_row_count(1, 0);
    return rows.front().template get<T>(0);
  }
  /// One column of all rows.
  template <class T>
  std::vector<T> pluck(std::string column) {
    std::vector<T> all;
    for (const row each : now(only(std::move(column)))) all.push_back(each.template get<T>(0));
    return all;
  }
  /// How many rows there are.
  std::uint64_t count() { return now(counting()).front().get<std::uint64_t>(0); }
  /// Whether there is one.
  bool exists() { return !now(asking()).empty(); }
  /// Inserts one row. @return how many rows were inserted
  std::uint64_t insert(column_values row) { return now(inserting(single(std::move(row)), {})).affected_rows(); }
  template <described T>
  std::uint64_t insert(const T& row) {
    return insert(columns_of(row));
  }
  /// Inserts rows with the same columns in one statement.
  std::uint64_t insert_many(std::vector<column_values> rows) {
    return now(inserting(std::move(rows), {})).affected_rows();
  }
  /// Inserts one row and gives columns of it back, such as the id that the database made. Not on MySQL, only MariaDB.
  result insert_returning(column_values row, std::vector<std::string> columns) {
    return now(inserting(single(std::move(row)), std::move(columns)));
  }
  /// Changes the rows that meet the conditions; without a condition only after all_rows(). @return how many
  std::uint64_t update(column_values changes) { return now(updating(std::move(changes))).affected_rows(); }
  /// Deletes the rows that meet the conditions; without a condition only after all_rows(). @return how many
  std::uint64_t remove() { return now(removing()).affected_rows(); }

  task<result> async_get() { return later(parts()); }
  template <described T>
  task<std::vector<T>> async_get() {
    return sql_operations::mapped_later<T>(later(parts()));
  }
  task<result> async_first() { return later(one(parts())); }
  template <described T>
  task<std::optional<T>> async_first() {
    return sql_operations::optional_later<T>(later(one(parts())));
  }
  template <class T>
  task<T> async_value(std::string column) {
    return sql_operations::first_value<T>(later(one(only(std::move(column)))));
  }
  template <class T>
  task<std::vector<T>> async_pluck(std::string column) {
    return sql_operations::column_later<T>(later(only(std::move(column))));
  }
  task<std::uint64_t> async_count() { return number(later(counting())); }
  task<bool> async_exists() { return any(later(asking())); }
  task<std::uint64_t> async_insert(column_values row) { return changed(later(inserting(single(std::move(row)), {}))); }
  template <described T>
  task<std::uint64_t> async_insert(const T& row) {
    return async_insert(columns_of(row));
  }
  task<std::uint64_t> async_insert_many(std::vector<column_values> rows) {
    return changed(later(inserting(std::move(rows), {})));
  }
  task<result> async_insert_returning(column_values row, std::vector<std::string> columns) {
    return later(inserting(single(std::move(row)), std::move(columns)));
  }
  task<std::uint64_t> async_update(column_values changes) { return changed(later(updating(std::move(changes)))); }
  task<std::uint64_t> async_remove() { return changed(later(removing())); }

 private:
  friend class sql_operations;  // from() makes it
  using maker = std::function<built_statement(dialect)>;
  table_query(std::shared_ptr<sql_operations> on, std::string table, std::string alias, std::source_location where)
      : query_clauses(std::move(table), std::move(alias)), on_(std::move(on)), where_(where) {}

  query_parts only(std::string column) const;
  static query_parts one(query_parts from);
  static std::vector<column_values> single(column_values row);
  maker counting() const;
  maker asking() const;
  maker inserting(std::vector<column_values> rows, std::vector<std::string> returning) const;
  maker updating(column_values changes) const;
  maker removing() const;

  result now(maker make);
  result now(query_parts selected);
  task<result> later(maker make) { return on_->run_built(std::move(make), where_); }
  task<result> later(query_parts selected);
  static task<std::uint64_t> number(task<result> work);
  static task<bool> any(task<result> work);
  static task<std::uint64_t> changed(task<result> work) { return sql_operations::affected(std::move(work)); }

  std::shared_ptr<sql_operations> on_;
  std::source_location where_;
};

}  // namespace polypool
