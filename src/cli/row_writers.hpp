// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/terminal.hpp"

#include <polypool/result.hpp>

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>

namespace polypool::cli {

enum class row_format : std::uint8_t { table, json, csv };

// Writes the rows of a statement, one after the other.
class row_writer {
 public:
  virtual ~row_writer() = default;
  virtual void begin(const column_list& columns) = 0;
  virtual void add(const row& each) = 0;
  virtual void end() = 0;
  // Instead of all of these, for a statement that gives no rows.
  virtual void changed(std::uint64_t rows) = 0;
};

// `csv`: RFC 4180 with line feeds; NULL is an empty field, empty text is "". `json`: an array of objects. Both keep
// nothing; `table` keeps a thousand rows, to know the widths.
std::unique_ptr<row_writer> make_row_writer(row_format format, std::ostream& out, const terminal& where);

// A value as JSON: numbers as numbers, exact decimals with more than 15 digits as text.
std::string to_json(const field& value);
// A field of a CSV line: quoted where it has to be, and where it is empty, which would be NULL otherwise.
std::string csv_cell(std::string_view text);
// Text as a JSON string.
std::string json_string(std::string_view text);
// True for a JSON number of at most 15 digits, which every reader of JSON gets exactly.
bool exact_json_number(std::string_view text) noexcept;

}  // namespace polypool::cli
