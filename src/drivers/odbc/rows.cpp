// SPDX-License-Identifier: Apache-2.0
// From the buffer that the driver fills to rows.
#include "drivers/odbc/columns.hpp"
#include "drivers/odbc/diagnostics.hpp"

#include <polypool/value.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace polypool::odbc {
namespace {

template <class T>
T read_as(const std::byte* data) noexcept {
  T out;
  std::memcpy(&out, data, sizeof out);
  return out;
}

void append_digits(std::string& out, unsigned number, int width) {
  char digits[10];
  for (int i = width; i-- > 0; number /= 10) digits[i] = static_cast<char>('0' + number % 10);
  out.append(digits, static_cast<std::size_t>(width));
}

void append_date(std::string& out, int year, unsigned month, unsigned day) {
  append_digits(out, static_cast<unsigned>(std::max(year, 0)), 4);
  out += '-';
  append_digits(out, month, 2);
  out += '-';
  append_digits(out, day, 2);
}

// Zeros at the end of a fraction, and the point when none is left, say nothing.
void trim_fraction(std::string& out) {
  while (out.ends_with('0')) out.pop_back();
  if (out.ends_with('.')) out.pop_back();
}

void append_timestamp(std::string& out, const SQL_TIMESTAMP_STRUCT& time) {
  append_date(out, time.year, time.month, time.day);
  out += ' ';
  append_digits(out, time.hour, 2);
  out += ':';
  append_digits(out, time.minute, 2);
  out += ':';
  append_digits(out, time.second, 2);
  if (time.fraction == 0) return;
  out += '.';
  append_digits(out, time.fraction, 9);
  trim_fraction(out);
}

// `2024-02-29 13:45:00.2500000 +01:00` as Polypool writes it: `2024-02-29 13:45:00.25+01:00`.
void append_zoned(std::string& out, std::string_view text) {
  const auto sign = text.find_last_of("+-");
  if (sign == std::string_view::npos || sign < 8) {
    out += text;
    return;
  }
  auto time = text.substr(0, sign);
  while (time.ends_with(' ')) time.remove_suffix(1);
  const auto digits = time.find('-');
  if (digits < 4) out.append(4 - digits, '0');  // FreeTDS writes the year 868 so
  out += time;
  if (time.contains('.')) trim_fraction(out);
  out += text.substr(sign);
}

uuid uuid_of(const SQLGUID& guid) noexcept {
  uuid out;
  const auto first = static_cast<std::uint32_t>(guid.Data1);
  for (std::size_t i = 0; i < 4; ++i) out.bytes[i] = static_cast<std::uint8_t>(first >> (24 - 8 * i));
  out.bytes[4] = static_cast<std::uint8_t>(guid.Data2 >> 8);
  out.bytes[5] = static_cast<std::uint8_t>(guid.Data2);
  out.bytes[6] = static_cast<std::uint8_t>(guid.Data3 >> 8);
  out.bytes[7] = static_cast<std::uint8_t>(guid.Data3);
  std::copy_n(std::begin(guid.Data4), 8, out.bytes.begin() + 8);
  return out;
}

// What the driver puts behind a text.
std::size_t terminator_of(SQLSMALLINT c_type) noexcept {
  return c_type == SQL_C_WCHAR ? sizeof(SQLWCHAR) : c_type == SQL_C_BINARY ? 0 : 1;
}

// A value that comes piece by piece. Text is UTF-8 here, whatever the driver gives.
class long_value {
 public:
  long_value(SQLHSTMT statement, SQLUSMALLINT number, const column_plan& column, const profile& with)
      : statement_(statement), number_(number), column_(column), with_(with), buffer_(first_size) {}

  /// @return false for NULL
  bool read(std::string& out) {
    for (;;) {
      SQLLEN length = 0;
      const auto room = static_cast<SQLLEN>(buffer_.size());
      const auto code = SQLGetData(statement_, number_, column_.c_type, buffer_.data(), room, &length);
      if (code == SQL_NO_DATA) break;
      if (!succeeded(code)) throw statement_error(read_diagnostics(SQL_HANDLE_STMT, statement_), with_);
      if (length == SQL_NULL_DATA) return false;
      const std::size_t whole = buffer_.size() - terminator_of(column_.c_type);
      const bool more = length == SQL_NO_TOTAL || static_cast<std::size_t>(length) > whole;
      append(out, more ? whole : static_cast<std::size_t>(length));
      if (!more) break;
      if (length != SQL_NO_TOTAL) grow(static_cast<std::size_t>(length) - whole, out);
    }
    decoder_.finish(out);
    return true;
  }

 private:
  void append(std::string& out, std::size_t size) {
    if (column_.c_type == SQL_C_WCHAR) {
      decoder_.append(out, {reinterpret_cast<const SQLWCHAR*>(buffer_.data()), size / sizeof(SQLWCHAR)});
    } else {
      out.append(buffer_.data(), size);
    }
  }
  void grow(std::size_t left, std::string& out) {
    constexpr std::size_t most = 1024 * 1024;
    if (column_.c_type != SQL_C_WCHAR) out.reserve(out.size() + left);
    const auto wanted = std::min((left + 2 * sizeof(SQLWCHAR)) & ~std::size_t{1}, most);
    if (buffer_.size() < wanted) buffer_.resize(wanted);
  }

  static constexpr std::size_t first_size = 16 * 1024;
  SQLHSTMT statement_;
  SQLUSMALLINT number_;
  const column_plan& column_;
  const profile& with_;
  std::vector<char> buffer_;
  utf16_decoder decoder_;
};

}  // namespace

void result_reader::append_text(cell_block& out, const column_plan& column, std::string_view text) {
  switch (column.how) {
    case reading::zoned:
      scratch_.clear();
      append_zoned(scratch_, text);
      return out.add_text(column.type, scratch_);
    case reading::utc:
      scratch_.assign(text).append("+00");
      return out.add_text(column.type, scratch_);
    default:
      if (column.type != data_type::time || !text.contains('.')) return out.add_text(column.type, text);
      scratch_.assign(text);
      trim_fraction(scratch_);
      return out.add_text(column.type, scratch_);
  }
}

// A value whose bytes are all there.
void result_reader::append_bound(cell_block& out, const column_plan& column, const std::byte* data, SQLLEN length) {
  const auto size = static_cast<std::size_t>(length);
  const std::string_view view(reinterpret_cast<const char*>(data), size);
  switch (column.how) {
    case reading::integer:
      return out.add_integer(read_as<std::int64_t>(data));
    case reading::boolean: {
      const auto number = read_as<std::int64_t>(data);
      return out.add_integer(number, number == 0 || number == 1 ? data_type::boolean : data_type::integer);
    }
    case reading::unsigned_integer:
      return out.add_unsigned(read_as<std::uint64_t>(data));
    case reading::real:
      return out.add_real(read_as<double>(data));
    case reading::guid:
      return out.add_text(data_type::uuid, uuid_of(read_as<SQLGUID>(data)).to_string());
    case reading::date: {
      const auto day = read_as<SQL_DATE_STRUCT>(data);
      scratch_.clear();
      append_date(scratch_, day.year, day.month, day.day);
      return out.add_text(column.type, std::string_view(scratch_));
    }
    case reading::timestamp:
      scratch_.clear();
      append_timestamp(scratch_, read_as<SQL_TIMESTAMP_STRUCT>(data));
      return out.add_text(column.type, std::string_view(scratch_));
    case reading::binary:
      return out.add_bytes(view);
    case reading::wide: {
      utf16_decoder decoder;
      scratch_.clear();
      decoder.append(scratch_, {reinterpret_cast<const SQLWCHAR*>(data), size / sizeof(SQLWCHAR)});
      decoder.finish(scratch_);
      return out.add_text(column.type, std::string_view(scratch_));
    }
    default:
      return append_text(out, column, view);
  }
}

// A value that did not fit, or was not bound.
bool result_reader::append_long(SQLHSTMT statement, cell_block& out, std::size_t column, std::size_t row) {
  const auto& plan = plan_[column];
  if (rows_ > 1) {
    const auto code = SQLSetPos(statement, static_cast<SQLSETPOSIROW>(row + 1), SQL_POSITION, SQL_LOCK_NO_CHANGE);
    if (!succeeded(code)) throw statement_error(read_diagnostics(SQL_HANDLE_STMT, statement), *with_);
  }
  const auto number = static_cast<SQLUSMALLINT>(column + 1);
  if (!plan.variable) {
    std::max_align_t space[4];
    SQLLEN length = 0;
    const auto code = SQLGetData(statement, number, plan.c_type, space, sizeof space, &length);
    if (!succeeded(code)) throw statement_error(read_diagnostics(SQL_HANDLE_STMT, statement), *with_);
    if (length == SQL_NULL_DATA) return false;
    append_bound(out, plan, reinterpret_cast<const std::byte*>(space), length);
    return true;
  }
  std::string value;
  if (!long_value(statement, number, plan, *with_).read(value)) return false;
  if (plan.how == reading::binary) {
    out.add_bytes(std::move(value));
  } else if (plan.how == reading::wide) {
    out.add_text(plan.type, std::move(value));
  } else {
    append_text(out, plan, value);
  }
  return true;
}

void result_reader::append(SQLHSTMT statement, cell_block& out, std::size_t row) {
  const std::byte* memory = buffer_->reserve(size_);
  out.begin_row();
  for (std::size_t i = 0; i < plan_.size(); ++i) {
    const auto& each = plan_[i];
    if (each.width == 0) {
      if (!append_long(statement, out, i, row)) out.add_null(each.type);
      continue;
    }
    const SQLLEN length = lengths_of(i)[row];
    const auto width = (each.width + 7) & ~std::size_t{7};
    if (length == SQL_NULL_DATA) {
      out.add_null(each.type);
    } else if (each.variable &&
               (length == SQL_NO_TOTAL || static_cast<std::size_t>(length) > width - terminator_of(each.c_type))) {
      if (!append_long(statement, out, i, row)) out.add_null(each.type);
    } else {
      append_bound(out, each, memory + each.offset + row * width, length);
    }
  }
}

bool result_reader::fetch(SQLHSTMT statement, cell_block& out) {
  if (ended_) return false;
  buffer_->fetched = 0;
  const auto code = SQLFetch(statement);
  if (code == SQL_NO_DATA) {
    ended_ = true;
    return false;
  }
  if (!succeeded(code)) throw statement_error(read_diagnostics(SQL_HANDLE_STMT, statement), *with_);
  const std::size_t count = rows_ == 1 ? 1 : std::min<std::size_t>(buffer_->fetched, rows_);
  const auto statuses = std::span(buffer_->statuses).first(rows_ == 1 ? 0 : count);
  if (std::ranges::find(statuses, SQL_ROW_ERROR) != statuses.end()) {
    throw statement_error(read_diagnostics(SQL_HANDLE_STMT, statement), *with_);
  }
  for (std::size_t row = 0; row < count; ++row) append(statement, out, row);
  // Fewer rows than there is room for are the last ones.
  ended_ = rows_ > 1 && count < rows_;
  return true;
}

}  // namespace polypool::odbc
