// SPDX-License-Identifier: Apache-2.0
#include "drivers/mysql/rows.hpp"

#include "drivers/mysql/wire.hpp"

#include <array>
#include <charconv>
#include <string>

namespace polypool::mysql {

// row_splitter -------------------------------------------------------------------------------------------------------

void row_splitter::expect(const result_shape& shape, const MYSQL* connection) {
  values_.resize(shape.wire().size());
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

// rows ---------------------------------------------------------------------------------------------------------------

namespace {

void add_unsigned(cell_block& to, const wire_column& column, std::uint64_t number) {
  if (column.means == data_type::unsigned_integer) {
    to.add_unsigned(number);
  } else {
    to.add_integer(static_cast<std::int64_t>(number), column.means);
  }
}

// TINYINT(1) is a number all the same, and may be any small one.
void add_flag(cell_block& to, std::int64_t number) {
  to.add_integer(number, number == 0 || number == 1 ? data_type::boolean : data_type::integer);
}

void add_bits(cell_block& to, const wire_column& column, std::string_view data) {
  std::uint64_t number = 0;
  for (const char byte : data) number = number << 8 | static_cast<unsigned char>(byte);
  add_unsigned(to, column, number);
}

void add_binary(cell_block& to, const wire_column& column, std::string_view data) {
  std::array<char, 40> buffer;
  switch (column.form) {
    case wire_form::integer:
      return to.add_integer(read_signed(data));
    case wire_form::unsigned_integer:
      return add_unsigned(to, column, read_unsigned(data));
    case wire_form::flag:
      return add_flag(to, read_signed(data));
    case wire_form::single:
      return to.add_real(widened(read_number<float>(data)));
    case wire_form::real:
      return to.add_real(read_number<double>(data));
    case wire_form::bits:
      return add_bits(to, column, data);
    case wire_form::text:
      return to.add_text(column.means, data);
    case wire_form::raw:
      return to.add_bytes(data);
    case wire_form::date:
      return to.add_text(column.means, date_text(data, buffer));
    case wire_form::time:
      return to.add_text(column.means, time_text(data, buffer));
    case wire_form::moment:
      return to.add_text(column.means, moment_text(data, column.means == data_type::timestamp_tz, buffer));
  }
}

void add_text(cell_block& to, const wire_column& column, std::string_view data) {
  const auto number = [&]<class Number>(Number out) {
    std::from_chars(data.data(), data.data() + data.size(), out);
    return out;
  };
  switch (column.form) {
    case wire_form::integer:
      return to.add_integer(number(std::int64_t{}));
    case wire_form::unsigned_integer:
      return add_unsigned(to, column, number(std::uint64_t{}));
    case wire_form::flag:
      return add_flag(to, number(std::int64_t{}));
    case wire_form::single:
    case wire_form::real:
      return to.add_real(number(double{}));
    case wire_form::bits:
      return add_bits(to, column, data);
    case wire_form::raw:
      return to.add_bytes(data);
    case wire_form::text:
    case wire_form::date:
      return to.add_text(column.means, data);
    case wire_form::time:
    case wire_form::moment: {
      std::string text(without_zeros(data));
      if (column.means == data_type::timestamp_tz) text += "+00";
      return to.add_text(column.means, std::string_view(text));
    }
  }
}

}  // namespace

void append_binary(cell_block& to, const std::vector<wire_column>& wire, std::span<const std::string_view> values) {
  to.begin_row();
  for (std::size_t i = 0; i < wire.size(); ++i) {
    if (values[i].data() == nullptr) {
      to.add_null(wire[i].means);
    } else {
      add_binary(to, wire[i], values[i]);
    }
  }
}

void append_text(cell_block& to, const std::vector<wire_column>& wire, MYSQL_ROW row, const unsigned long* lengths) {
  to.begin_row();
  for (std::size_t i = 0; i < wire.size(); ++i) {
    if (row[i] == nullptr) {
      to.add_null(wire[i].means);
    } else {
      add_text(to, wire[i], {row[i], lengths[i]});
    }
  }
}

}  // namespace polypool::mysql
