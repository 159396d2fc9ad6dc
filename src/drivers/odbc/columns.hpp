// SPDX-License-Identifier: Apache-2.0
// Results of ODBC as rows of Polypool.
#pragma once

#include "driver/cell_block.hpp"
#include "drivers/odbc/native.hpp"
#include "drivers/odbc/profile.hpp"
#include "drivers/odbc/unicode.hpp"

#include <polypool/result.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace polypool::odbc {

/// Where drivers put rows; one for all statements of a connection, as one of them reads at a time.
class fetch_buffer {
 public:
  /// At least that much room. What was bound to it before is not any more when the version moves.
  std::byte* reserve(std::size_t size);
  std::uint64_t version() const noexcept { return version_; }

  static constexpr std::size_t usual_size = 128 * 1024;
  static constexpr std::size_t most_rows = 512;
  SQLULEN fetched = 0;
  std::vector<SQLUSMALLINT> statuses = std::vector<SQLUSMALLINT>(most_rows);

 private:
  std::vector<std::max_align_t> memory_;
  std::uint64_t version_ = 0;
};

/// How the values of a column are read.
enum class reading : std::uint8_t {
  integer,
  unsigned_integer,
  boolean,
  real,
  wide,   // text in UTF-16
  plain,  // text in UTF-8 or ASCII
  binary,
  guid,
  date,
  timestamp,
  zoned,  // text of a time with its offset
  utc,    // text of a time in UTC, without saying so
};

struct column_plan {
  std::string name;
  SQLSMALLINT sql_type = 0;
  SQLULEN size = 0;
  data_type type = data_type::other;
  reading how = reading::wide;
  SQLSMALLINT c_type = 0;
  std::size_t width = 0;   // bytes for a value in the buffer; 0: not bound
  std::size_t offset = 0;  // of its first value in the buffer
  bool variable = false;   // values may be longer than that
  bool operator==(const column_plan&) const = default;
};

/// Reads the results of one statement.
class result_reader {
 public:
  /// After the execution: looks at the columns, and binds them. @param utc the session's time zone is UTC
  /// @param trust_last the columns are those of the last execution
  /// @return false when the statement gives no rows
  bool look(SQLHSTMT statement, const profile& with, fetch_buffer& buffer, bool utc, bool trust_last);
  const std::shared_ptr<const column_list>& columns() const noexcept { return columns_; }
  /// Appends the next rows. @return false when there are no more
  bool fetch(SQLHSTMT statement, cell_block& out);

 private:
  std::vector<column_plan> describe(SQLHSTMT statement, SQLSMALLINT count, bool utc) const;
  void lay_out();
  void bind(SQLHSTMT statement);
  void append(SQLHSTMT statement, cell_block& out, std::size_t row);
  void append_bound(cell_block& out, const column_plan& column, const std::byte* data, SQLLEN length);
  bool append_long(SQLHSTMT statement, cell_block& out, std::size_t column, std::size_t row);
  void append_text(cell_block& out, const column_plan& column, std::string_view text);
  SQLLEN* lengths_of(std::size_t column) const noexcept;

  const profile* with_ = nullptr;
  fetch_buffer* buffer_ = nullptr;
  std::shared_ptr<const column_list> columns_;
  std::vector<column_plan> plan_;
  std::size_t rows_ = 1;        // a fetch
  std::size_t lengths_at_ = 0;  // in the buffer
  std::size_t size_ = 0;        // in the buffer
  std::uint64_t bound_version_ = 0;
  bool ended_ = false;
  std::string scratch_;
};

}  // namespace polypool::odbc
