// SPDX-License-Identifier: Apache-2.0
// The columns of a result: what they are, and where their values are put.
#include "drivers/odbc/columns.hpp"

#include "drivers/odbc/diagnostics.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace polypool::odbc {
namespace {

// Types of SQL Server that ODBC's headers do not know.
constexpr SQLSMALLINT sql_variant = -150;
constexpr SQLSMALLINT sql_xml = -152;
constexpr SQLSMALLINT sql_time2 = -154;
constexpr SQLSMALLINT sql_timestamp_offset = -155;

struct type_row {
  SQLSMALLINT sql_type;
  data_type type;
  reading how;
};

constexpr std::array type_rows{
    type_row{SQL_BIT, data_type::boolean, reading::boolean},
    type_row{SQL_TINYINT, data_type::integer, reading::integer},
    type_row{SQL_SMALLINT, data_type::integer, reading::integer},
    type_row{SQL_INTEGER, data_type::integer, reading::integer},
    type_row{SQL_BIGINT, data_type::integer, reading::integer},
    type_row{SQL_REAL, data_type::real, reading::real},
    type_row{SQL_FLOAT, data_type::real, reading::real},
    type_row{SQL_DOUBLE, data_type::real, reading::real},
    type_row{SQL_DECIMAL, data_type::numeric, reading::plain},
    type_row{SQL_NUMERIC, data_type::numeric, reading::plain},
    type_row{SQL_CHAR, data_type::text, reading::wide},
    type_row{SQL_VARCHAR, data_type::text, reading::wide},
    type_row{SQL_LONGVARCHAR, data_type::text, reading::wide},
    type_row{SQL_WCHAR, data_type::text, reading::wide},
    type_row{SQL_WVARCHAR, data_type::text, reading::wide},
    type_row{SQL_WLONGVARCHAR, data_type::text, reading::wide},
    type_row{SQL_BINARY, data_type::bytes, reading::binary},
    type_row{SQL_VARBINARY, data_type::bytes, reading::binary},
    type_row{SQL_LONGVARBINARY, data_type::bytes, reading::binary},
    type_row{SQL_TYPE_DATE, data_type::date, reading::date},
    type_row{SQL_DATE, data_type::date, reading::date},
    type_row{SQL_TYPE_TIME, data_type::time, reading::plain},
    type_row{SQL_TIME, data_type::time, reading::plain},
    type_row{SQL_TYPE_TIMESTAMP, data_type::timestamp, reading::timestamp},
    type_row{SQL_TIMESTAMP, data_type::timestamp, reading::timestamp},
    type_row{SQL_GUID, data_type::uuid, reading::guid},
    type_row{sql_time2, data_type::time, reading::plain},
    type_row{sql_timestamp_offset, data_type::timestamp_tz, reading::zoned},
    type_row{sql_xml, data_type::text, reading::wide},
    type_row{sql_variant, data_type::other, reading::wide},
};

// A value of these has no size that one could rely on.
bool is_long(const column_plan& column) noexcept {
  switch (column.sql_type) {
    case SQL_LONGVARCHAR:
    case SQL_WLONGVARCHAR:
    case SQL_LONGVARBINARY:
    case sql_xml:
    case sql_variant:
      return true;
    default:
      return column.size == 0 || column.size > 8000;
  }
}

SQLSMALLINT c_type_of(reading how) noexcept {
  switch (how) {
    case reading::integer:
    case reading::boolean:
      return SQL_C_SBIGINT;
    case reading::unsigned_integer:
      return SQL_C_UBIGINT;
    case reading::real:
      return SQL_C_DOUBLE;
    case reading::wide:
      return SQL_C_WCHAR;
    case reading::binary:
      return SQL_C_BINARY;
    case reading::guid:
      return SQL_C_GUID;
    case reading::date:
      return SQL_C_TYPE_DATE;
    case reading::timestamp:
      return SQL_C_TYPE_TIMESTAMP;
    case reading::plain:
    case reading::zoned:
    case reading::utc:
      return SQL_C_CHAR;
  }
  return SQL_C_CHAR;
}

std::size_t fixed_width(reading how) noexcept {
  switch (how) {
    case reading::integer:
    case reading::unsigned_integer:
    case reading::boolean:
    case reading::real:
      return 8;
    case reading::guid:
      return sizeof(SQLGUID);
    case reading::date:
      return sizeof(SQL_DATE_STRUCT);
    case reading::timestamp:
      return sizeof(SQL_TIMESTAMP_STRUCT);
    default:
      return 0;
  }
}

// What a value of a variable size takes in the buffer; 0 when it is better not bound.
std::size_t variable_width(const column_plan& column, const profile& with) noexcept {
  constexpr std::size_t short_text = 500;  // what is longer is fetched again
  const bool long_type = is_long(column);
  if (!with.gets_again && (!with.honest_sizes || long_type)) {
    const bool number = column.type != data_type::text && column.how == reading::plain && !long_type;
    return number ? std::max<std::size_t>(column.size + 8, 64) : 0;
  }
  const std::size_t size = with.honest_sizes ? column.size : std::min<std::size_t>(column.size, short_text);
  const std::size_t units = long_type ? short_text : std::max<std::size_t>(size, 16);
  switch (column.how) {
    case reading::wide:
      return (units + 1) * sizeof(SQLWCHAR);
    case reading::binary:
      return units;
    default:
      return std::max<std::size_t>(units + 8, 48);
  }
}

constexpr std::size_t aligned(std::size_t size) noexcept { return (size + 7) & ~std::size_t{7}; }

std::string text_attribute(SQLHSTMT statement, SQLUSMALLINT number, SQLUSMALLINT what) {
  std::array<SQLWCHAR, 128> buffer{};
  SQLSMALLINT bytes = 0;
  if (!succeeded(SQLColAttributeW(statement, number, what, buffer.data(), sizeof buffer, &bytes, nullptr))) return {};
  const auto units = std::min<std::size_t>(static_cast<std::size_t>(std::max<SQLSMALLINT>(bytes, 0)) / 2, 127);
  return to_utf8(std::span(buffer).first(units));
}

// Some drivers count a name's length in bytes of UTF-8, and the name ends before that.
std::span<const SQLWCHAR> name_in(std::span<const SQLWCHAR> buffer, SQLSMALLINT length) {
  const auto told = buffer.first(std::clamp<std::size_t>(static_cast<std::size_t>(length), 0, buffer.size() - 1));
  return told.first(static_cast<std::size_t>(std::ranges::find(told, SQLWCHAR(0)) - told.begin()));
}

// What only this or that database means by a type.
void refine(column_plan& column, SQLHSTMT statement, SQLUSMALLINT number, const profile& with, bool utc) {
  if (with.database == brand::sqlite) {
    // Columns may hold anything there; only text comes as it is.
    if (column.how == reading::wide || column.how == reading::date || column.how == reading::timestamp) {
      column.how = reading::plain;
    }
    return;
  }
  if (with.database == brand::postgres) {
    if (column.how == reading::date) column.how = reading::plain;
    if (column.how == reading::timestamp) {
      column.how = reading::plain;
      if (utc && text_attribute(statement, number, SQL_DESC_TYPE_NAME).starts_with("timestamptz")) {
        column.how = reading::utc;
        column.type = data_type::timestamp_tz;
      }
    }
    return;
  }
  SQLLEN is_unsigned = SQL_FALSE;
  if (column.how == reading::integer && column.sql_type == SQL_BIGINT &&
      succeeded(SQLColAttributeW(statement, number, SQL_DESC_UNSIGNED, nullptr, 0, nullptr, &is_unsigned)) &&
      is_unsigned == SQL_TRUE) {
    column.how = reading::unsigned_integer;
    column.type = data_type::unsigned_integer;
  }
}

}  // namespace

std::byte* fetch_buffer::reserve(std::size_t size) {
  const std::size_t units = (std::max(size, usual_size) + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t);
  if (memory_.size() < units) {
    memory_ = std::vector<std::max_align_t>(units);
    ++version_;
  }
  return reinterpret_cast<std::byte*>(memory_.data());
}

bool result_reader::look(SQLHSTMT statement, const profile& with, fetch_buffer& buffer, bool utc, bool trust_last) {
  with_ = &with;
  buffer_ = &buffer;
  ended_ = false;
  SQLSMALLINT count = 0;
  if (!succeeded(SQLNumResultCols(statement, &count))) {
    throw statement_error(read_diagnostics(SQL_HANDLE_STMT, statement), with);
  }
  if (count == 0) return false;
  const bool same_count = columns_ && columns_->size() == static_cast<std::size_t>(count);
  if (!(trust_last && same_count)) {
    auto plan = describe(statement, count, utc);
    const auto same = [](const column_plan& a, const column_plan& b) {
      return a.name == b.name && a.sql_type == b.sql_type && a.size == b.size && a.type == b.type && a.how == b.how;
    };
    if (!same_count || !std::ranges::equal(plan, plan_, same)) {
      plan_ = std::move(plan);
      std::vector<column> list;
      for (const auto& each : plan_) list.push_back(column{each.name, each.type});
      columns_ = std::make_shared<const column_list>(std::move(list));
      lay_out();
      bound_version_ = 0;
    }
  }
  buffer.reserve(size_);
  if (bound_version_ != buffer.version()) bind(statement);
  return true;
}

std::vector<column_plan> result_reader::describe(SQLHSTMT statement, SQLSMALLINT count, bool utc) const {
  std::vector<column_plan> out;
  std::array<SQLWCHAR, 1024> name{};
  for (SQLUSMALLINT i = 1; i <= static_cast<SQLUSMALLINT>(count); ++i) {
    column_plan column;
    SQLSMALLINT length = 0;
    SQLSMALLINT digits = 0;
    SQLSMALLINT nullable = 0;
    const auto code = SQLDescribeColW(statement, i, name.data(), static_cast<SQLSMALLINT>(name.size()), &length,
                                      &column.sql_type, &column.size, &digits, &nullable);
    if (!succeeded(code)) throw statement_error(read_diagnostics(SQL_HANDLE_STMT, statement), *with_);
    column.name = to_utf8(name_in(name, length));
    const auto known = std::ranges::find(type_rows, column.sql_type, &type_row::sql_type);
    if (known != type_rows.end()) {
      column.type = known->type;
      column.how = known->how;
    }
    refine(column, statement, i, *with_, utc);
    column.c_type = c_type_of(column.how);
    out.push_back(std::move(column));
  }
  return out;
}

// A driver that cannot fetch again what was cut short gets its long columns, and what is behind them, asked for one by
// one, in their order.
void result_reader::lay_out() {
  bool all_bound = true;
  for (auto& each : plan_) {
    each.width = fixed_width(each.how);
    each.variable = each.width == 0;
    if (each.variable) each.width = variable_width(each, *with_);
    if (!all_bound) each.width = 0;
    all_bound = all_bound && each.width != 0;
  }
  std::size_t row_size = 0;
  for (const auto& each : plan_) row_size += aligned(each.width) + sizeof(SQLLEN);
  const bool many = all_bound && (with_->row_arrays || with_->honest_sizes);
  rows_ = many ? std::clamp<std::size_t>(fetch_buffer::usual_size / row_size, 1, fetch_buffer::most_rows) : 1;
  size_ = 0;
  for (auto& each : plan_) {
    each.offset = size_;
    size_ += rows_ * aligned(each.width);
  }
  lengths_at_ = size_;
  size_ += rows_ * plan_.size() * sizeof(SQLLEN);
}

SQLLEN* result_reader::lengths_of(std::size_t column) const noexcept {
  return reinterpret_cast<SQLLEN*>(buffer_->reserve(size_) + lengths_at_) + column * rows_;
}

void result_reader::bind(SQLHSTMT statement) {
  std::byte* memory = buffer_->reserve(size_);
  SQLFreeStmt(statement, SQL_UNBIND);
  SQLSetStmtAttr(statement, SQL_ATTR_ROW_ARRAY_SIZE, as_pointer(rows_), 0);
  SQLSetStmtAttr(statement, SQL_ATTR_ROWS_FETCHED_PTR, &buffer_->fetched, 0);
  SQLSetStmtAttr(statement, SQL_ATTR_ROW_STATUS_PTR, buffer_->statuses.data(), 0);
  for (std::size_t i = 0; i < plan_.size(); ++i) {
    auto& each = plan_[i];
    if (each.width == 0) continue;
    // Values of a column follow each other at the distance that ODBC is told here.
    const auto width = aligned(each.width);
    const auto code = SQLBindCol(statement, static_cast<SQLUSMALLINT>(i + 1), each.c_type, memory + each.offset,
                                 static_cast<SQLLEN>(width), lengths_of(i));
    if (!succeeded(code)) throw statement_error(read_diagnostics(SQL_HANDLE_STMT, statement), *with_);
  }
  bound_version_ = buffer_->version();
}

}  // namespace polypool::odbc
