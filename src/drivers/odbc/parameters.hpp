// SPDX-License-Identifier: Apache-2.0
// Parameters in the form that ODBC wants them.
#pragma once

#include "drivers/odbc/native.hpp"
#include "drivers/odbc/profile.hpp"
#include "drivers/odbc/unicode.hpp"

#include <polypool/value.hpp>

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::odbc {

/// The parameters of one prepared statement. ODBC is told again only what has changed since the last execution.
class parameter_list {
 public:
  /// Refers to large values, which outlive the execution. Throws invalid_value for what the database cannot take.
  /// @param order for each `?` the value it takes
  void bind(SQLHSTMT statement, std::span<const value> values, std::span<const std::uint16_t> order,
            const profile& with);
  /// Hands over large values, piece by piece, for as long as the driver asks. @param code what the execution gave
  SQLRETURN feed(SQLHSTMT statement, SQLRETURN code);
  /// Lets go of the values and of large copies.
  void clear() noexcept;

 private:
  struct slot;
  struct binder;
  struct binding {
    SQLSMALLINT c_type = 0;
    SQLSMALLINT sql_type = 0;
    SQLULEN size = 0;
    SQLSMALLINT digits = 0;
    SQLPOINTER data = nullptr;
    bool operator==(const binding&) const = default;
  };
  struct slot {
    binding wanted;
    binding bound;
    SQLLEN length = 0;  // or what ODBC has in its place, such as SQL_NULL_DATA
    union {
      std::int64_t integer = 0;
      std::uint64_t unsigned_integer;
      double real;
      unsigned char bit;
      SQL_DATE_STRUCT date;
      SQL_TIMESTAMP_STRUCT timestamp;
      SQLGUID guid;
    };
    wide_text wide;
    std::string narrow;
    std::string_view large;  // sent in pieces
    bool large_is_text = false;
  };
  static SQLRETURN put_text(SQLHSTMT statement, std::string_view text, bool wide);
  static SQLRETURN put_bytes(SQLHSTMT statement, std::string_view data);

  std::deque<slot> slots_;  // their addresses are bound
};

}  // namespace polypool::odbc
