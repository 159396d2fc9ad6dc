// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup sql
/// The parts of a statement, put together in the dialect of the database it goes to.
///
/// Names are quoted and values are bound, always: nothing that a caller passes becomes SQL text by itself.
#pragma once

#include <polypool/driver.hpp>
#include <polypool/value.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polypool {

/// Which way rows are sorted.
enum class sort_order : std::uint8_t { ascending, descending };
inline constexpr sort_order asc = sort_order::ascending;
inline constexpr sort_order desc = sort_order::descending;

/// Columns with their new values, in order.
using column_values = std::vector<std::pair<std::string, value>>;

/// A statement in one database's dialect, with `$1, $2 …` and what they stand for.
struct built_statement {
  std::string text;
  std::vector<value> parameters;
};

/// What a statement is built from. Names may be qualified (`shop.orders`, `o.id`).
struct query_parts {
  enum class test : std::uint8_t { compare, in, not_in, null, not_null, between };
  struct condition {
    test what = test::compare;
    bool alternative = false;  ///< joined by OR instead of AND
    std::string column;
    std::string comparison;     ///< of `compare`: =, <>, !=, <, <=, >, >=, like, not like
    std::vector<value> values;  ///< of `compare` one, of `between` two
  };
  struct sorting {
    std::string column;
    sort_order order = asc;
  };

  std::string table;
  std::string alias;
  std::vector<std::string> columns;  ///< none: all
  std::vector<condition> conditions;
  std::vector<sorting> order;
  std::optional<std::uint64_t> limit;
  std::optional<std::uint64_t> offset;
  bool all_rows = false;  ///< an UPDATE or DELETE without conditions is meant
};

/// Each throws invalid_argument for what cannot be built, and says what to do instead.
built_statement build_select(const query_parts& parts, dialect language);
/// `SELECT count(*)`; a limit or offset counts only the rows within it.
built_statement build_count(const query_parts& parts, dialect language);
/// One row if there is any, none otherwise.
built_statement build_exists(const query_parts& parts, dialect language);
/// @param rows all with the same columns in the same order
/// @param returning columns of the new rows to give back (PostgreSQL, SQLite, SQL Server, MariaDB); `*` for all
built_statement build_insert(const query_parts& parts, const std::vector<column_values>& rows,
                             const std::vector<std::string>& returning, dialect language);
built_statement build_update(const query_parts& parts, const column_values& changes, dialect language);
built_statement build_delete(const query_parts& parts, dialect language);

/// A name as the dialect quotes it; each part of a qualified one by itself. Throws invalid_argument for an empty name.
std::string quoted_name(std::string_view name, dialect language);

namespace detail {
void set_page(query_parts& parts, std::uint64_t page, std::uint64_t per_page);
}  // namespace detail

/// The clauses that say which rows; what `from()` gives has them. Each adds to what was said before.
template <class Derived>
class query_clauses {
 public:
  /// Which columns; without it all.
  template <std::convertible_to<std::string>... Names>
  Derived& select(Names&&... names) {
    (parts_.columns.emplace_back(std::forward<Names>(names)), ...);
    return self();
  }
  /// @param comparison =, <>, !=, <, <=, >, >=, like, not like
  Derived& where(std::string column, std::string comparison, value right) {
    return compare(false, std::move(column), std::move(comparison), std::move(right));
  }
  Derived& where(std::string column, value equal_to) {
    return compare(false, std::move(column), "=", std::move(equal_to));
  }
  /// Joined to what stands before it by OR; AND binds closer, as in SQL.
  Derived& or_where(std::string column, std::string comparison, value right) {
    return compare(true, std::move(column), std::move(comparison), std::move(right));
  }
  Derived& where_in(std::string column, std::vector<value> any_of) {
    return add(query_parts::test::in, std::move(column), std::move(any_of));
  }
  Derived& where_not_in(std::string column, std::vector<value> none_of) {
    return add(query_parts::test::not_in, std::move(column), std::move(none_of));
  }
  Derived& where_null(std::string column) { return add(query_parts::test::null, std::move(column), {}); }
  Derived& where_not_null(std::string column) { return add(query_parts::test::not_null, std::move(column), {}); }
  Derived& where_between(std::string column, value low, value high) {
    std::vector<value> bounds;
    bounds.push_back(std::move(low));
    bounds.push_back(std::move(high));
    return add(query_parts::test::between, std::move(column), std::move(bounds));
  }
  Derived& order_by(std::string column, sort_order order = asc) {
    parts_.order.push_back({std::move(column), order});
    return self();
  }
  Derived& limit(std::uint64_t rows) {
    parts_.limit = rows;
    return self();
  }
  Derived& offset(std::uint64_t rows) {
    parts_.offset = rows;
    return self();
  }
  /// The rows of one page. @param page from 1 @param per_page at least 1; throws invalid_argument for 0
  Derived& paginate(std::uint64_t page, std::uint64_t per_page) {
    detail::set_page(parts_, page, per_page);
    return self();
  }
  /// Says that an update or a removal without conditions is meant.
  Derived& all_rows() {
    parts_.all_rows = true;
    return self();
  }

  const query_parts& parts() const noexcept { return parts_; }

 protected:
  query_clauses(std::string table, std::string alias) {
    parts_.table = std::move(table);
    parts_.alias = std::move(alias);
  }

 private:
  Derived& self() noexcept { return static_cast<Derived&>(*this); }
  Derived& add(query_parts::test what, std::string column, std::vector<value> values) {
    query_parts::condition one;
    one.what = what;
    one.column = std::move(column);
    one.values = std::move(values);
    parts_.conditions.push_back(std::move(one));
    return self();
  }
  Derived& compare(bool alternative, std::string column, std::string comparison, value right) {
    add(query_parts::test::compare, std::move(column), {});
    auto& one = parts_.conditions.back();
    one.alternative = alternative;
    one.comparison = std::move(comparison);
    one.values.push_back(std::move(right));
    return self();
  }
  query_parts parts_;
};

}  // namespace polypool
