// SPDX-License-Identifier: Apache-2.0
#include "drivers/odbc/parameters.hpp"

#include "base/utf8.hpp"
#include "drivers/odbc/diagnostics.hpp"

#include <polypool/error.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <variant>

namespace polypool::odbc {
namespace {

constexpr std::size_t large_from = 64 * 1024;  // bytes; from here on a value is sent in pieces
constexpr std::size_t longest_varchar = 4000;  // UTF-16 units, and half of what a varbinary takes
constexpr std::size_t piece = 32 * 1024;       // characters or bytes

[[noreturn]] void refuse(std::size_t index, std::string_view why, std::string_view hint = {}) {
  error problem(errc::invalid_value, "parameter $" + std::to_string(index + 1) + " " + std::string(why));
  problem.with_hint(hint);
  throw problem;
}

struct decimal_shape {
  SQLULEN precision = 0;
  SQLSMALLINT scale = 0;
  bool fits = false;  // plain digits, and at most 38 of them
};

decimal_shape shape_of(std::string_view number) {
  decimal_shape out;
  if (number.starts_with('-') || number.starts_with('+')) number.remove_prefix(1);
  const auto point = number.find('.');
  const auto whole = number.substr(0, point);
  const auto fraction = point == std::string_view::npos ? std::string_view() : number.substr(point + 1);
  const auto digits = [](std::string_view text) {
    return text.find_first_not_of("0123456789") == std::string_view::npos;
  };
  const std::size_t count = whole.size() + fraction.size();
  out.fits = digits(whole) && digits(fraction) && count > 0 && count <= 38;
  out.precision = std::max<std::size_t>(count, 1);
  out.scale = static_cast<SQLSMALLINT>(fraction.size());
  return out;
}

// Where the piece of a text that begins here ends: behind a whole character.
std::size_t piece_end(std::string_view text, std::size_t begin) {
  auto end = std::min(begin + piece, text.size());
  while (end < text.size() && end > begin && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return end;
}

}  // namespace

// Puts one value into its slot.
struct parameter_list::binder {
  slot& into;
  std::size_t index;
  const profile& with;

  bool sql_server() const noexcept { return with.database == brand::mssql; }
  // Where text is what the database wants, or FreeTDS would count the days wrong.
  bool time_as_text(date day) const noexcept {
    constexpr date first_right = std::chrono::sys_days(std::chrono::year(1753) / 1 / 1);
    return with.database == brand::postgres || with.database == brand::sqlite ||
           (with.family == driver_family::freetds && day < first_right);
  }

  void say(SQLSMALLINT c_type, SQLSMALLINT sql_type, SQLULEN size, SQLSMALLINT digits, SQLPOINTER data,
           SQLLEN length) const {
    into.wanted = {c_type, sql_type, size, digits, data};
    into.length = length;
  }
  // Text of our own: numbers, times.
  void say_ascii(std::string text, SQLSMALLINT sql_type = SQL_VARCHAR, SQLULEN size = 0, SQLSMALLINT digits = 0) const {
    into.narrow = std::move(text);
    const auto length = into.narrow.size();
    say(SQL_C_CHAR, sql_type, size != 0 ? size : std::max<SQLULEN>(length, 1), digits, into.narrow.data(),
        static_cast<SQLLEN>(length));
  }
  void say_large(std::string_view data, SQLSMALLINT c_type, SQLSMALLINT sql_type, SQLULEN size) const {
    into.large = data;
    into.large_is_text = c_type != SQL_C_BINARY;
    say(c_type, sql_type, size, 0, &into, SQL_LEN_DATA_AT_EXEC(static_cast<SQLLEN>(size)));
  }

  void check_text(std::string_view text) const {
    if (!sql_server() && text.contains('\0')) {
      refuse(index, "has a NUL character in its text, which the ODBC driver would cut it off at", "send it as bytes");
    }
    if (!is_valid_utf8(text)) refuse(index, "is text that is not valid UTF-8", "send it as polypool::bytes");
  }

  void say_text(std::string_view text) const {
    check_text(text);
    const bool narrow = with.family == driver_family::sqlite;
    const bool large = text.size() >= large_from;
    if (narrow) {
      if (large) return say_large(text, SQL_C_CHAR, SQL_LONGVARCHAR, text.size());
      return say_ascii(std::string(text));
    }
    if (large) return say_large(text, SQL_C_WCHAR, SQL_WLONGVARCHAR, text.size() * sizeof(SQLWCHAR));
    into.wide.clear();
    append_utf16(into.wide, text);
    const auto units = into.wide.size();
    into.wide.push_back(0);
    say(SQL_C_WCHAR, units > longest_varchar ? SQL_WLONGVARCHAR : SQL_WVARCHAR, std::max<SQLULEN>(units, 1), 0,
        into.wide.data(), static_cast<SQLLEN>(units * sizeof(SQLWCHAR)));
  }

  void operator()(std::monostate) const {
    into.narrow.clear();
    say(SQL_C_CHAR, SQL_VARCHAR, 1, 0, into.narrow.data(), SQL_NULL_DATA);
  }
  void operator()(bool flag) const {
    if (with.database == brand::postgres) return say_ascii(flag ? "t" : "f");
    into.bit = flag ? 1 : 0;
    say(SQL_C_BIT, SQL_BIT, 1, 0, &into.bit, 1);
  }
  void operator()(std::int64_t number) const {
    into.integer = number;
    say(SQL_C_SBIGINT, SQL_BIGINT, 19, 0, &into.integer, sizeof into.integer);
  }
  void operator()(std::uint64_t number) const {
    if (std::in_range<std::int64_t>(number)) return (*this)(static_cast<std::int64_t>(number));
    if (with.database == brand::sqlite) refuse(index, "is over 9223372036854775807, SQLite's largest integer");
    (*this)(numeric{std::to_string(number)});
  }
  void operator()(double number) const {
    const bool finite = std::isfinite(number);
    if (with.database == brand::postgres) {
      if (std::isnan(number)) return say_ascii("NaN");
      if (!finite) return say_ascii(number < 0 ? "-Infinity" : "Infinity");
      std::array<char, 32> buffer{};
      const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
      return say_ascii(std::string(buffer.data(), end));
    }
    if (!finite && sql_server()) refuse(index, "is not a finite number, which SQL Server cannot keep");
    if (std::isnan(number) && with.database == brand::sqlite) refuse(index, "is NaN, which SQLite would keep as NULL");
    into.real = number;
    say(SQL_C_DOUBLE, SQL_DOUBLE, 53, 0, &into.real, sizeof into.real);
  }
  void operator()(const std::string& text) const { say_text(text); }
  void operator()(text_view view) const { say_text(view.text); }
  void operator()(const json_text& document) const { say_text(document.text); }
  void operator()(const numeric& number) const {
    const auto shape = shape_of(number.text);
    const bool plain_text = with.database == brand::postgres || with.database == brand::sqlite || !shape.fits;
    if (plain_text) return say_text(number.text);
    say_ascii(number.text, SQL_NUMERIC, shape.precision, shape.scale);
  }
  void operator()(const bytes& data) const { (*this)(bytes_view{data}); }
  void operator()(bytes_view view) const {
    const std::string_view data(reinterpret_cast<const char*>(view.data.data()), view.data.size());
    const bool long_type = data.size() > 2 * longest_varchar && with.database != brand::postgres;
    const SQLSMALLINT type = long_type ? SQL_LONGVARBINARY : SQL_VARBINARY;
    if (data.size() >= large_from) return say_large(data, SQL_C_BINARY, type, data.size());
    into.narrow = data;
    say(SQL_C_BINARY, type, std::max<SQLULEN>(data.size(), 1), 0, into.narrow.data(), static_cast<SQLLEN>(data.size()));
  }
  void operator()(date day) const {
    std::string text = to_text(day);  // says when there is no such day in ODBC either
    if (time_as_text(day)) return say_ascii(std::move(text));
    const std::chrono::year_month_day parts(day);
    into.date = {static_cast<SQLSMALLINT>(static_cast<int>(parts.year())),
                 static_cast<SQLUSMALLINT>(static_cast<unsigned>(parts.month())),
                 static_cast<SQLUSMALLINT>(static_cast<unsigned>(parts.day()))};
    say(SQL_C_TYPE_DATE, SQL_TYPE_DATE, 10, 0, &into.date, sizeof into.date);
  }
  void operator()(time_of_day time) const { say_ascii(to_text(time)); }
  void operator()(timestamp time) const {
    std::string text = to_text(time);
    const auto day = std::chrono::floor<std::chrono::days>(time);
    if (time_as_text(date(day.time_since_epoch()))) return say_ascii(std::move(text));
    const std::chrono::year_month_day parts(day);
    const std::chrono::hh_mm_ss clock(time - day);
    into.timestamp = {static_cast<SQLSMALLINT>(static_cast<int>(parts.year())),
                      static_cast<SQLUSMALLINT>(static_cast<unsigned>(parts.month())),
                      static_cast<SQLUSMALLINT>(static_cast<unsigned>(parts.day())),
                      static_cast<SQLUSMALLINT>(clock.hours().count()),
                      static_cast<SQLUSMALLINT>(clock.minutes().count()),
                      static_cast<SQLUSMALLINT>(clock.seconds().count()),
                      static_cast<SQLUINTEGER>(clock.subseconds().count() * 1000)};
    say(SQL_C_TYPE_TIMESTAMP, SQL_TYPE_TIMESTAMP, 26, 6, &into.timestamp, sizeof into.timestamp);
  }
  // No type of ODBC's own has a zone.
  void operator()(timestamp_tz time) const {
    std::string text = to_text(time);
    if (sql_server()) text += ":00";  // it wants the whole offset
    say_ascii(std::move(text));
  }
  void operator()(const uuid& id) const {
    if (!sql_server()) return say_ascii(id.to_string());
    const auto& b = id.bytes;
    into.guid.Data1 = static_cast<decltype(into.guid.Data1)>(std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 |
                                                             std::uint32_t{b[2]} << 8 | b[3]);
    into.guid.Data2 = static_cast<decltype(into.guid.Data2)>(b[4] << 8 | b[5]);
    into.guid.Data3 = static_cast<decltype(into.guid.Data3)>(b[6] << 8 | b[7]);
    std::copy_n(b.begin() + 8, 8, std::begin(into.guid.Data4));
    say(SQL_C_GUID, SQL_GUID, 16, 0, &into.guid, sizeof into.guid);
  }
};

void parameter_list::bind(SQLHSTMT statement, std::span<const value> values, std::span<const std::uint16_t> order,
                          const profile& with) {
  while (slots_.size() < order.size()) slots_.emplace_back();
  for (std::size_t i = 0; i < order.size(); ++i) {
    slot& each = slots_[i];
    std::visit(binder{each, order[i], with}, values[order[i]].data());
    if (each.wanted == each.bound) continue;
    const auto code =
        SQLBindParameter(statement, static_cast<SQLUSMALLINT>(i + 1), SQL_PARAM_INPUT, each.wanted.c_type,
                         each.wanted.sql_type, each.wanted.size, each.wanted.digits, each.wanted.data, 0, &each.length);
    if (!succeeded(code)) {
      each.bound = {};
      throw statement_error(read_diagnostics(SQL_HANDLE_STMT, statement), with);
    }
    each.bound = each.wanted;
  }
}

SQLRETURN parameter_list::put_text(SQLHSTMT statement, std::string_view text, bool wide) {
  wide_text buffer;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = piece_end(text, begin);
    auto part = text.substr(begin, end - begin);
    begin = end;
    SQLRETURN code = SQL_ERROR;
    if (wide) {
      buffer.clear();
      append_utf16(buffer, part);
      code = SQLPutData(statement, buffer.data(), static_cast<SQLLEN>(buffer.size() * sizeof(SQLWCHAR)));
    } else {
      code = SQLPutData(statement, const_cast<char*>(part.data()), static_cast<SQLLEN>(part.size()));
    }
    if (!succeeded(code)) return code;
  }
  return SQL_SUCCESS;
}

SQLRETURN parameter_list::put_bytes(SQLHSTMT statement, std::string_view data) {
  for (std::size_t begin = 0; begin < data.size(); begin += piece) {
    const auto part = data.substr(begin, piece);
    const auto code = SQLPutData(statement, const_cast<char*>(part.data()), static_cast<SQLLEN>(part.size()));
    if (!succeeded(code)) return code;
  }
  return SQL_SUCCESS;
}

SQLRETURN parameter_list::feed(SQLHSTMT statement, SQLRETURN code) {
  while (code == SQL_NEED_DATA) {
    SQLPOINTER which = nullptr;
    code = SQLParamData(statement, &which);
    if (code != SQL_NEED_DATA) break;
    const auto& each = *static_cast<const slot*>(which);
    const auto put = each.large_is_text ? put_text(statement, each.large, each.wanted.c_type == SQL_C_WCHAR)
                                        : put_bytes(statement, each.large);
    if (!succeeded(put)) return put;
  }
  return code;
}

void parameter_list::clear() noexcept {
  for (slot& each : slots_) {
    each.large = {};
    // What is bound stays where it is, unless it is large.
    if (each.wide.capacity() * sizeof(SQLWCHAR) > large_from || each.narrow.capacity() > large_from) {
      each.wide = {};
      each.narrow = {};
      each.bound = {};
    }
  }
}

}  // namespace polypool::odbc
