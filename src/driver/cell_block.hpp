// SPDX-License-Identifier: Apache-2.0
// Rows of values, each with a type and a form of its own.
#pragma once

#include <polypool/result.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace polypool {

/// Rows copied out of a driver. A small result lies in this one object; a larger one grows beside it. A row is begun,
/// then gets a value for each of its columns.
class cell_block final : public row_block {
 public:
  explicit cell_block(std::size_t columns) noexcept
      : columns_(columns) {}  // leaves its inline room as it is, on purpose
  cell_block(const cell_block&) = delete;
  cell_block& operator=(const cell_block&) = delete;

  std::size_t rows() const noexcept override { return rows_; }
  field at(std::size_t row, std::size_t column) const noexcept override;
  /// About how much memory its rows take.
  std::size_t bytes() const noexcept { return text_bytes_ + used_ * sizeof(cell); }

  void begin_row() {
    if (capacity_ - used_ < columns_) grow();
    next_ = cells_ + used_;
    used_ += columns_;
    ++rows_;
  }
  void add_null(data_type type = data_type::null) noexcept { add(field::form::null, type); }
  void add_integer(std::int64_t number, data_type type = data_type::integer) noexcept {
    next_->integer = number;
    add(field::form::integer, type);
  }
  void add_unsigned(std::uint64_t number) noexcept {
    next_->integer = static_cast<std::int64_t>(number);
    add(field::form::unsigned_integer, data_type::unsigned_integer);
  }
  void add_real(double number) noexcept {
    next_->real = number;
    add(field::form::real, data_type::real);
  }
  void add_text(data_type type, std::string_view text) { add_data(field::form::text, type, text); }
  void add_bytes(std::string_view data) { add_data(field::form::raw_bytes, data_type::bytes, data); }
  /// The same without a copy, for large values.
  void add_text(data_type type, std::string&& text) { add_large(field::form::text, type, std::move(text)); }
  void add_bytes(std::string&& data) { add_large(field::form::raw_bytes, data_type::bytes, std::move(data)); }
  /// Takes the row that was begun last away again.
  void drop_row() noexcept {
    used_ -= columns_;
    --rows_;
  }

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

  void add(field::form form, data_type type) noexcept {
    next_->form = form;
    next_->type = type;
    ++next_;
  }
  void add_data(field::form form, data_type type, std::string_view data) {
    next_->text = keep(data);
    next_->length = static_cast<std::uint32_t>(data.size());
    add(form, type);
  }
  void add_large(field::form form, data_type type, std::string&& data);
  void grow();
  const char* keep(std::string_view data);

  static constexpr std::size_t inline_cells = 8;
  static constexpr std::size_t inline_text = 192;
  std::array<cell, inline_cells> first_cells_;
  std::array<char, inline_text> first_text_;
  std::size_t columns_;
  std::size_t rows_ = 0;
  std::size_t used_ = 0;
  std::size_t capacity_ = inline_cells;
  cell* cells_ = first_cells_.data();
  cell* next_ = cells_;
  char* free_ = first_text_.data();
  std::size_t left_ = inline_text;
  std::size_t text_bytes_ = 0;
  std::unique_ptr<cell[]> more_cells_;
  std::vector<std::unique_ptr<char[]>> chunks_;
  std::vector<std::unique_ptr<std::string>> large_;
};

}  // namespace polypool
