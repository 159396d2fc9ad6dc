// SPDX-License-Identifier: Apache-2.0
#include "sql/statement_writer.hpp"

#include <polypool/builder.hpp>
#include <polypool/error.hpp>

#include <algorithm>
#include <limits>

namespace polypool {
namespace {

void require_columns(const column_values& values, std::string_view what) {
  if (values.empty()) throw error(errc::invalid_argument, std::string(what) + " without columns");
}

// One slip of the pen must not empty a table.
void require_conditions(const query_parts& parts, std::string_view what) {
  if (!parts.conditions.empty() || parts.all_rows) return;
  throw error(errc::invalid_argument, std::string(what) + " of '" + parts.table + "' has no condition")
      .with_hint("add where(…), or all_rows() when every row is meant");
}

// What only a SELECT can have would be left out of these silently.
void refuse_what_only_selects_have(const query_parts& parts, std::string_view what) {
  if (!parts.limit && !parts.offset && parts.order.empty() && parts.columns.empty()) return;
  throw error(errc::invalid_argument, std::string(what) + " takes no columns, order, limit or offset")
      .with_hint("name the rows by conditions");
}

// SQL Server reads a zero-row FETCH as an error.
bool asks_for_none(const query_parts& parts, dialect language) {
  return language == dialect::mssql && parts.limit == std::uint64_t{0};
}

void write_select(statement_writer& out, const query_parts& parts) {
  if (parts.columns.empty()) {
    out.text("*");
  } else {
    out.list(parts.columns, [&](const std::string& each) { out.columns(each); });
  }
  out.text(" FROM ");
  out.table(parts);
  out.conditions(parts);
  out.order(parts);
  out.limits(parts);
}

void write_returning(statement_writer& out, const std::vector<std::string>& columns, std::string_view from) {
  out.list(columns, [&](const std::string& each) { out.text(from).columns(each); });
}

}  // namespace

namespace detail {

void set_page(query_parts& parts, std::uint64_t page, std::uint64_t per_page) {
  if (page == 0 || per_page == 0) {
    throw error(errc::invalid_argument, "page " + std::to_string(page) + " of " + std::to_string(per_page) + " rows")
        .with_hint("pages count from 1, and have at least 1 row");
  }
  if (page - 1 > std::numeric_limits<std::int64_t>::max() / per_page) {
    throw error(errc::invalid_argument, "page " + std::to_string(page) + " is beyond every table");
  }
  parts.limit = per_page;
  parts.offset = (page - 1) * per_page;
}

}  // namespace detail

built_statement build_select(const query_parts& parts, dialect language) {
  statement_writer out(language);
  if (asks_for_none(parts, language)) {
    query_parts none = parts;
    none.limit.reset();
    none.offset.reset();
    none.order.clear();
    out.text("SELECT TOP 0 ");
    write_select(out, none);
    return out.finish();
  }
  out.text("SELECT ");
  write_select(out, parts);
  return out.finish();
}

built_statement build_count(const query_parts& parts, dialect language) {
  statement_writer out(language);
  query_parts counted = parts;
  counted.order.clear();
  counted.columns.clear();
  out.text("SELECT count(*) FROM ");
  if (!parts.limit && !parts.offset) {
    out.table(counted);
    out.conditions(counted);
    return out.finish();
  }
  out.text("(SELECT 1 AS one FROM ");
  out.table(counted);
  out.conditions(counted);
  if (asks_for_none(parts, language)) {
    out.text(parts.conditions.empty() ? " WHERE 1 = 0" : " AND 1 = 0");
  } else {
    out.limits(counted);
  }
  out.text(") AS counted");
  return out.finish();
}

built_statement build_exists(const query_parts& parts, dialect language) {
  query_parts any = parts;
  any.columns.clear();
  any.order.clear();
  if (any.limit != std::uint64_t{0}) any.limit = 1;
  statement_writer out(language);
  if (asks_for_none(any, language)) {
    any.limit.reset();
    any.offset.reset();
    out.text("SELECT TOP 0 1 FROM ");
  } else {
    out.text("SELECT 1 FROM ");
  }
  out.table(any);
  out.conditions(any);
  out.limits(any);
  return out.finish();
}

built_statement build_insert(const query_parts& parts, const std::vector<column_values>& rows,
                             const std::vector<std::string>& returning, dialect language) {
  if (rows.empty()) throw error(errc::invalid_argument, "an INSERT without rows");
  if (!parts.conditions.empty()) {
    throw error(errc::invalid_argument, "an INSERT takes no conditions").with_hint("update(…) changes rows");
  }
  refuse_what_only_selects_have(parts, "an INSERT");
  const auto& first = rows.front();
  require_columns(first, "an INSERT");
  statement_writer out(language);
  out.text("INSERT INTO ").name(parts.table, "table").text(" (");
  out.list(first, [&](const auto& each) { out.name(each.first, "column"); });
  out.text(")");
  if (!returning.empty() && language == dialect::mssql) {
    out.text(" OUTPUT ");
    write_returning(out, returning, "INSERTED.");
  }
  out.text(" VALUES ");
  out.list(rows, [&](const column_values& row) {
    const auto same_column = [](const auto& a, const auto& b) { return a.first == b.first; };
    if (!std::ranges::equal(row, first, same_column)) {
      throw error(errc::invalid_argument, "the rows of an INSERT have different columns");
    }
    out.text("(");
    out.list(row, [&](const auto& each) { out.bind(each.second); });
    out.text(")");
  });
  if (!returning.empty() && language != dialect::mssql) {
    out.text(" RETURNING ");
    write_returning(out, returning, "");
  }
  return out.finish();
}

built_statement build_update(const query_parts& parts, const column_values& changes, dialect language) {
  require_columns(changes, "an UPDATE");
  require_conditions(parts, "an UPDATE");
  refuse_what_only_selects_have(parts, "an UPDATE");
  statement_writer out(language);
  out.text("UPDATE ").name(parts.table, "table").text(" SET ");
  out.list(changes, [&](const auto& each) { out.name(each.first, "column").text(" = ").bind(each.second); });
  out.conditions(parts);
  return out.finish();
}

built_statement build_delete(const query_parts& parts, dialect language) {
  require_conditions(parts, "a DELETE");
  refuse_what_only_selects_have(parts, "a DELETE");
  statement_writer out(language);
  out.text("DELETE FROM ").name(parts.table, "table");
  out.conditions(parts);
  return out.finish();
}

}  // namespace polypool
