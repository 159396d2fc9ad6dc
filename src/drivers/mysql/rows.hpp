// SPDX-License-Identifier: Apache-2.0
// Results of Connector/C as rows of Polypool.
#pragma once

#include "driver/cell_block.hpp"
#include "drivers/mysql/native.hpp"

#include <polypool/result.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace polypool::mysql {

/// How a column's values come over the wire.
enum class wire_form : std::uint8_t {
  integer,
  unsigned_integer,
  single,
  real,
  flag,
  bits,
  text,
  raw,
  date,
  time,
  moment
};

struct wire_column {
  enum_field_types type;
  wire_form form;
  data_type means;
  std::uint8_t width;  ///< bytes; 0: the length comes first
};

/// The columns of a statement's results, and what is needed to tell whether the next result has the same.
class result_shape {
 public:
  /// Brings it up to date.
  /// @param named as many fields, for their names @param utc the session's time zone is UTC, so a TIMESTAMP is a point
  /// in time
  void follow(std::span<const MYSQL_FIELD> fields, const MYSQL_FIELD* named, bool utc);
  const std::shared_ptr<const column_list>& columns() const noexcept { return columns_; }
  const std::vector<wire_column>& wire() const noexcept { return wire_; }

 private:
  struct signature {
    enum_field_types type;
    unsigned int flags;
    unsigned int charset;
    bool narrow;
    bool operator==(const signature&) const = default;
  };
  static signature of(const MYSQL_FIELD& field) noexcept;
  bool fits(std::span<const MYSQL_FIELD> fields, const MYSQL_FIELD* named, bool utc) const noexcept;

  std::shared_ptr<const column_list> columns_;
  std::vector<wire_column> wire_;
  std::vector<signature> signatures_;
  bool utc_ = false;
};

/// Takes a row of the binary protocol apart, as the library hands it over while it fetches; see take_column.
class row_splitter {
 public:
  /// Before rows of this shape are fetched.
  void expect(const result_shape& shape, const MYSQL* connection);
  /// The values of the last row; a null pointer is NULL.
  std::span<const std::string_view> values() const noexcept { return values_; }
  /// The last row was not what the protocol says.
  bool malformed() const noexcept { return malformed_; }

  /// For STMT_ATTR_CB_RESULT. Runs on the library's own stack: throws nothing, allocates nothing.
  static void take_column(void* self, unsigned int column, unsigned char** row) noexcept;

 private:
  std::vector<std::string_view> values_;
  const wire_column* columns_ = nullptr;
  const MYSQL* connection_ = nullptr;
  bool malformed_ = false;
};

/// Adds a row of the binary protocol.
void append_binary(cell_block& to, const std::vector<wire_column>& wire, std::span<const std::string_view> values);
/// Adds a row of the text protocol.
void append_text(cell_block& to, const std::vector<wire_column>& wire, MYSQL_ROW row, const unsigned long* lengths);

}  // namespace polypool::mysql
