// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <polypool/result.hpp>

#include <array>
#include <memory>
#include <vector>

struct sqlite3_stmt;

namespace polypool::sqlite {

/// What the values of a column are called, by how SQLite stores them.
struct column_kind {
  data_type text = data_type::text;        ///< of values stored as text
  data_type integer = data_type::integer;  ///< of values stored as integers
};

/// Rows copied out of SQLite. A small result lies in this one object; a larger one grows beside it.
class block final : public row_block {
 public:
  explicit block(std::size_t columns) noexcept : columns_(columns) {}  // leaves its inline room as it is, on purpose
  block(const block&) = delete;
  block& operator=(const block&) = delete;

  std::size_t rows() const noexcept override { return rows_; }
  field at(std::size_t row, std::size_t column) const noexcept override;

  /// Copies the row that the statement stands on.
  void append(sqlite3_stmt* statement, const column_kind* kinds);
  /// About how much memory its rows take.
  std::size_t bytes() const noexcept { return text_bytes_ + used_ * sizeof(cell); }

 private:
  struct cell {
    union {
      std::int64_t integer;
      double real;
      const char* text;
    };
    std::uint32_t length;
    field::form form;
    data_type type;
  };

  void grow();
  const char* keep(const void* data, std::size_t size);

  static constexpr std::size_t inline_cells = 8;
  static constexpr std::size_t inline_text = 192;
  std::array<cell, inline_cells> first_cells_;
  std::array<char, inline_text> first_text_;
  std::size_t columns_;
  std::size_t rows_ = 0;
  std::size_t used_ = 0;
  std::size_t capacity_ = inline_cells;
  cell* cells_ = first_cells_.data();
  char* free_ = first_text_.data();
  std::size_t left_ = inline_text;
  std::size_t text_bytes_ = 0;
  std::unique_ptr<cell[]> more_cells_;
  std::vector<std::unique_ptr<char[]>> chunks_;
};

}  // namespace polypool::sqlite
