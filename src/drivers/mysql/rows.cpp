// SPDX-License-Identifier: Apache-2.0
#include "drivers/mysql/rows.hpp"

#include "drivers/mysql/wire.hpp"

#include <polypool/error.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace polypool::mysql {

// row_splitter -------------------------------------------------------------------------------------------------------

void row_splitter::expect(const result_shape& shape, const MYSQL* connection) {
  values_.assign(shape.wire().size(), std::string_view());
  columns_ = shape.wire().data();
  connection_ = connection;
  malformed_ = false;
}

// Bounds are those of the library's buffer: a row that claims more than the packet had reads old bytes, not foreign
// ones.
void row_splitter::take_column(void* self, unsigned int column, unsigned char** row) noexcept {
  auto& splitter = *static_cast<row_splitter*>(self);
  if (column >= splitter.values_.size()) {
    splitter.malformed_ = true;
    return;
  }
  auto& value = splitter.values_[column];
  value = {};
  if (row == nullptr) return;
  const unsigned char* const end = splitter.connection_->net.buff_end;
  std::size_t length = splitter.columns_[column].width;
  if (length == 0) length = read_length(*row, end);
  if (splitter.malformed_ || *row > end || length > static_cast<std::size_t>(end - *row)) {
    splitter.malformed_ = true;
    return;
  }
  value = {reinterpret_cast<const char*>(*row), length};
  *row += length;
}

// packed_rows --------------------------------------------------------------------------------------------------------

const char* packed_rows::keep(std::string_view text) {
  if (text.size() > left_) {
    const std::size_t size = std::max(text.size(), std::clamp<std::size_t>(text_bytes_, 128, 128 * 1024));
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(size));
    free_ = chunks_.back().get();
    left_ = size;
  }
  char* const out = free_;
  std::ranges::copy(text, out);
  free_ += text.size();
  left_ -= text.size();
  text_bytes_ += text.size();
  return out;
}

void packed_rows::add_number(std::int64_t number, field::form form, data_type type) {
  cell& added = cells_.emplace_back();
  added.integer = number;
  added.form = form;
  added.type = type;
}

void packed_rows::add_real(double number) {
  cell& added = cells_.emplace_back();
  added.real = number;
  added.form = field::form::real;
  added.type = data_type::real;
}

// TINYINT(1) is a number all the same, and may be any small one.
void packed_rows::add_flag(std::int64_t number) {
  add_number(number, field::form::integer, number == 0 || number == 1 ? data_type::boolean : data_type::integer);
}

void packed_rows::add_string(std::string_view text, field::form form, data_type type) {
  const char* const kept = keep(text);
  cell& added = cells_.emplace_back();
  added.text = kept;
  added.length = static_cast<std::uint32_t>(text.size());
  added.form = form;
  added.type = type;
}

void packed_rows::append(const std::vector<wire_column>& wire, std::span<const std::string_view> values) {
  if (cells_.empty()) cells_.reserve(columns_);
  for (std::size_t i = 0; i < columns_; ++i) {
    if (values[i].data() == nullptr) {
      add_number(0, field::form::null, wire[i].means);
    } else {
      add_binary(wire[i], values[i]);
    }
  }
  ++rows_;
}

void packed_rows::append_text(const std::vector<wire_column>& wire, MYSQL_ROW row, const unsigned long* lengths) {
  for (std::size_t i = 0; i < columns_; ++i) {
    if (row[i] == nullptr) {
      add_number(0, field::form::null, wire[i].means);
    } else {
      add_text(wire[i], {row[i], lengths[i]});
    }
  }
  ++rows_;
}

void packed_rows::add_binary(const wire_column& column, std::string_view data) {
  std::array<char, 40> buffer;
  switch (column.form) {
    case wire_form::integer:
      return add_number(read_signed(data), field::form::integer, data_type::integer);
    case wire_form::unsigned_integer: {
      const auto form = column.means == data_type::integer ? field::form::integer : field::form::unsigned_integer;
      return add_number(static_cast<std::int64_t>(read_unsigned(data)), form, column.means);
    }
    case wire_form::flag:
      return add_flag(read_signed(data));
    case wire_form::single:
      return add_real(widened(read_number<float>(data)));
    case wire_form::real:
      return add_real(read_number<double>(data));
    case wire_form::bits:
      return add_bits(data, column.means);
    case wire_form::text:
      return add_string(data, field::form::text, column.means);
    case wire_form::raw:
      return add_string(data, field::form::raw_bytes, column.means);
    case wire_form::date:
      return add_string(date_text(data, buffer), field::form::text, column.means);
    case wire_form::time:
      return add_string(time_text(data, buffer), field::form::text, column.means);
    case wire_form::moment:
      return add_string(moment_text(data, column.means == data_type::timestamp_tz, buffer), field::form::text,
                        column.means);
  }
}

void packed_rows::add_bits(std::string_view data, data_type type) {
  std::uint64_t number = 0;
  for (const char byte : data) number = number << 8 | static_cast<unsigned char>(byte);
  if (type == data_type::boolean) {
    add_number(static_cast<std::int64_t>(number), field::form::integer, type);
  } else {
    add_number(static_cast<std::int64_t>(number), field::form::unsigned_integer, type);
  }
}

void packed_rows::add_text(const wire_column& column, std::string_view data) {
  const auto number = [&]<class Number>(Number out) {
    std::from_chars(data.data(), data.data() + data.size(), out);
    return out;
  };
  switch (column.form) {
    case wire_form::integer:
      return add_number(number(std::int64_t{}), field::form::integer, column.means);
    case wire_form::unsigned_integer: {
      const auto form = column.means == data_type::integer ? field::form::integer : field::form::unsigned_integer;
      return add_number(static_cast<std::int64_t>(number(std::uint64_t{})), form, column.means);
    }
    case wire_form::flag:
      return add_flag(number(std::int64_t{}));
    case wire_form::single:
    case wire_form::real:
      return add_real(number(double{}));
    case wire_form::bits:
      return add_bits(data, column.means);
    case wire_form::raw:
      return add_string(data, field::form::raw_bytes, column.means);
    case wire_form::text:
    case wire_form::date:
      return add_string(data, field::form::text, column.means);
    case wire_form::time:
    case wire_form::moment: {
      std::string text(without_zeros(data));
      if (column.means == data_type::timestamp_tz) text += "+00";
      return add_string(text, field::form::text, column.means);
    }
  }
}

field packed_rows::at(std::size_t row, std::size_t column) const noexcept {
  const cell& here = cells_[row * columns_ + column];
  const auto text = [&here] { return std::string_view(here.text, here.length); };
  switch (here.form) {
    case field::form::null:
      return field::null(here.type);
    case field::form::integer:
      return field::integer(here.integer, here.type);
    case field::form::unsigned_integer:
      return field::unsigned_integer(static_cast<std::uint64_t>(here.integer));
    case field::form::real:
      return field::real(here.real);
    case field::form::raw_bytes:
      return field::raw_bytes(text());
    default:
      return field::text(here.type, text());
  }
}

}  // namespace polypool::mysql
