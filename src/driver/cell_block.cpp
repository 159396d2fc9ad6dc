// SPDX-License-Identifier: Apache-2.0
#include "driver/cell_block.hpp"

#include <algorithm>
#include <utility>

namespace polypool {

field cell_block::at(std::size_t row, std::size_t column) const noexcept {
  const cell& c = cells_[row * columns_ + column];
  switch (c.form) {
    case field::form::integer:
      return field::integer(c.integer, c.type);
    case field::form::unsigned_integer:
      return field::unsigned_integer(static_cast<std::uint64_t>(c.integer));
    case field::form::real:
      return field::real(c.real);
    case field::form::text:
      return field::text(c.type, {c.text, c.length});
    case field::form::raw_bytes:
      return field::raw_bytes({c.text, c.length});
    default:
      return field::null(c.type);
  }
}

void cell_block::grow() {
  const auto capacity = std::max(2 * capacity_, used_ + columns_);
  auto larger = std::make_unique_for_overwrite<cell[]>(capacity);
  std::copy_n(cells_, used_, larger.get());
  more_cells_ = std::move(larger);
  cells_ = more_cells_.get();
  capacity_ = capacity;
}

void cell_block::add_large(field::form form, data_type type, std::string&& data) {
  constexpr std::size_t worth_it = 4096;
  if (data.size() < worth_it) return add_data(form, type, data);
  text_bytes_ += data.size();
  const auto& kept = large_.emplace_back(std::make_unique<std::string>(std::move(data)));
  next_->text = kept->data();
  next_->length = static_cast<std::uint32_t>(kept->size());
  add(form, type);
}

const char* cell_block::keep(std::string_view data) {
  constexpr std::size_t smallest = 2048;
  constexpr std::size_t largest = 65536;
  const auto size = data.size();
  if (size == 0) return "";
  text_bytes_ += size;
  if (size > left_) {
    if (size >=
        largest / 4) {  // a large value has a piece of its own, and what is left of the current one stays usable
      chunks_.push_back(std::make_unique_for_overwrite<char[]>(size));
      std::memcpy(chunks_.back().get(), data.data(), size);
      return chunks_.back().get();
    }
    const auto room = std::max(size, std::clamp(text_bytes_, smallest, largest));
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(room));
    free_ = chunks_.back().get();
    left_ = room;
  }
  char* out = free_;
  std::memcpy(out, data.data(), size);
  free_ += size;
  left_ -= size;
  return out;
}

}  // namespace polypool
