// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// The ways to work with one SQL database: natively, with built statements, or with structures. All share its pool.
#pragma once

#include <polypool/config.hpp>
#include <polypool/located.hpp>
#include <polypool/sql.hpp>

#include <cstdint>
#include <functional>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

namespace polypool {

/// The driver's own interface, on sessions of the pool.
class native_access {
 public:
  explicit native_access(sql_database on) noexcept : on_(std::move(on)) {}
  /// Borrows a session; its `native<PGconn*>()` gives the driver's object.
  polypool::lease lease(std::source_location where = std::source_location::current()) { return on_.lease(where); }
  task<polypool::lease> async_lease(std::source_location where = std::source_location::current()) {
    return on_.async_lease(where);
  }
  /// Calls `work` with the driver's object of type Handle, such as `PGconn*`, on a session borrowed for it.
  template <class Handle, std::invocable<Handle> Work>
  decltype(auto) with(Work&& work, std::source_location where = std::source_location::current()) {
    const auto borrowed = lease(where);
    return std::invoke(std::forward<Work>(work), borrowed.template native<Handle>());
  }

 private:
  sql_database on_;
};

/// Statements built piece by piece, and statements as text.
class builder_access {
 public:
  explicit builder_access(sql_database on) noexcept : on_(std::move(on)) {}
  table_query from(std::string table, std::string alias = {}) { return on_.from(std::move(table), std::move(alias)); }
  sql_database& sql() noexcept { return on_; }

 private:
  sql_database on_;
};

/// Structures described by Boost.Describe; see mapping.hpp. Each call exists blocking and, with `async_` before it, as
/// a task.
class mapped_access {
 public:
  explicit mapped_access(sql_database on) noexcept : on_(std::move(on)) {}
  template <described T, class... Args>
  std::vector<T> query(located_text text, const Args&... args) {
    return on_.template query<T>(text, args...);
  }
  /// All rows of a table.
  template <described T>
  std::vector<T> all(std::string table) {
    return on_.from(std::move(table)).template get<T>();
  }
  /// The row whose column `key` has this value, if there is one.
  template <described T>
  std::optional<T> find(std::string table, std::string key, value wanted) {
    return on_.from(std::move(table)).where(std::move(key), std::move(wanted)).template first<T>();
  }
  template <described T>
  std::uint64_t insert(std::string table, const T& row) {
    return on_.from(std::move(table)).insert(row);
  }
  /// Changes the row whose column `key` has the value of that member. @return how many rows
  template <described T>
  std::uint64_t update(std::string table, std::string key, const T& row) {
    auto changes = columns_of(row);
    auto keyed = row_by(std::move(table), key, changes);
    return keyed.update(std::move(changes));
  }
  template <described T, class... Args>
  task<std::vector<T>> async_query(located_string text, Args... args) {
    return on_.template async_query<T>(std::move(text), std::move(args)...);
  }
  template <described T>
  task<std::vector<T>> async_all(std::string table) {
    return on_.from(std::move(table)).template async_get<T>();
  }
  template <described T>
  task<std::optional<T>> async_find(std::string table, std::string key, value wanted) {
    return on_.from(std::move(table)).where(std::move(key), std::move(wanted)).template async_first<T>();
  }
  template <described T>
  task<std::uint64_t> async_insert(std::string table, const T& row) {
    return on_.from(std::move(table)).async_insert(row);
  }
  template <described T>
  task<std::uint64_t> async_update(std::string table, std::string key, const T& row) {
    auto changes = columns_of(row);
    auto keyed = row_by(std::move(table), key, changes);
    return keyed.async_update(std::move(changes));
  }
  sql_database& sql() noexcept { return on_; }

 private:
  /// The row whose column `key` has the value in `changes`, which is taken out of them.
  table_query row_by(std::string table, const std::string& key, column_values& changes);
  sql_database on_;
};

/// One SQL database with every way to work with it; `default_orm` of its configuration says which one is meant.
class database {
 public:
  database(sql_database on, config::access_style style) noexcept : on_(std::move(on)), style_(style) {}
  config::access_style style() const noexcept { return style_; }
  native_access native() const { return native_access(on_); }
  builder_access builder() const { return builder_access(on_); }
  mapped_access mapped() const { return mapped_access(on_); }
  sql_database sql() const { return on_; }
  /// Calls `work` with the access that the configuration picks: `work` takes all three.
  template <class Work>
  decltype(auto) visit(Work&& work) const {
    switch (style_) {
      case config::access_style::builder:
        return std::invoke(std::forward<Work>(work), builder());
      case config::access_style::mapped:
        return std::invoke(std::forward<Work>(work), mapped());
      case config::access_style::native:
        break;
    }
    return std::invoke(std::forward<Work>(work), native());
  }

 private:
  sql_database on_;
  config::access_style style_;
};

}  // namespace polypool
