// SPDX-License-Identifier: Apache-2.0
#include "drivers/sqlite/block.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace polypool::sqlite {

field block::at(std::size_t row, std::size_t column) const noexcept {
  const cell& c = cells_[row * columns_ + column];
  switch (c.form) {
    case field::form::integer:
      return field::integer(c.integer, c.type);
    case field::form::real:
      return field::real(c.real);
    case field::form::text:
      return field::text(c.type, {c.text, c.length});
    case field::form::raw_bytes:
      return field::raw_bytes({c.text, c.length});
    default:
      return field::null();
  }
}

void block::append(sqlite3_stmt* statement, const column_kind* kinds) {
  if (capacity_ - used_ < columns_) grow();
  cell* out = cells_ + used_;
  for (int i = 0; i < static_cast<int>(columns_); ++i, ++out, ++kinds) {
    const void* data = nullptr;
    switch (sqlite3_column_type(statement, i)) {
      case SQLITE_INTEGER:
        out->integer = sqlite3_column_int64(statement, i);
        out->form = field::form::integer;
        // A boolean column may hold any number, and only 0 and 1 are booleans.
        out->type = out->integer == 0 || out->integer == 1 ? kinds->integer : data_type::integer;
        continue;
      case SQLITE_FLOAT:
        out->real = sqlite3_column_double(statement, i);
        out->form = field::form::real;
        continue;
      case SQLITE_NULL:
        out->form = field::form::null;
        continue;
      case SQLITE_TEXT:
        data = sqlite3_column_text(statement, i);
        if (!data) throw std::bad_alloc();  // converting from UTF-16 took more memory than there is
        out->form = field::form::text;
        out->type = kinds->text;
        break;
      default:
        data = sqlite3_column_blob(statement, i);
        out->form = field::form::raw_bytes;
        break;
    }
    out->length = static_cast<std::uint32_t>(sqlite3_column_bytes(statement, i));
    out->text = keep(data, out->length);
  }
  used_ += columns_;
  ++rows_;
}

void block::grow() {
  const auto capacity = std::max(2 * capacity_, used_ + columns_);
  auto larger = std::make_unique_for_overwrite<cell[]>(capacity);
  std::copy_n(cells_, used_, larger.get());
  more_cells_ = std::move(larger);
  cells_ = more_cells_.get();
  capacity_ = capacity;
}

const char* block::keep(const void* data, std::size_t size) {
  constexpr std::size_t smallest = 2048;
  constexpr std::size_t largest = 65536;
  if (size == 0) return "";
  text_bytes_ += size;
  if (size > left_) {
    if (size >=
        largest / 4) {  // a large value has a piece of its own, and what is left of the current one stays usable
      chunks_.push_back(std::make_unique_for_overwrite<char[]>(size));
      std::memcpy(chunks_.back().get(), data, size);
      return chunks_.back().get();
    }
    const auto room = std::max(size, std::clamp(text_bytes_, smallest, largest));
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(room));
    free_ = chunks_.back().get();
    left_ = room;
  }
  char* out = free_;
  std::memcpy(out, data, size);
  free_ += size;
  left_ -= size;
  return out;
}

}  // namespace polypool::sqlite
