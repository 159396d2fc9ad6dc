// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "drivers/sqlite/prepared.hpp"

#include <list>
#include <memory>
#include <string_view>
#include <unordered_map>

namespace polypool::sqlite {

/// Prepared statements by their text, the most recently used first. Finding one allocates nothing.
class statement_cache {
 public:
  explicit statement_cache(std::size_t capacity) : capacity_(capacity) { index_.reserve(capacity); }

  std::size_t capacity() const noexcept { return capacity_; }
  std::size_t size() const noexcept { return entries_.size(); }
  /// The statement of that text, or null.
  prepared* find(std::string_view text) noexcept;
  /// Keeps a statement; drops the least recently used one that is free when there are too many.
  prepared& keep(std::unique_ptr<prepared> fresh);

 private:
  using entry_list = std::list<std::unique_ptr<prepared>>;
  std::size_t capacity_;
  entry_list entries_;
  std::unordered_map<std::string_view, entry_list::iterator> index_;  // the keys lie in the statements
};

}  // namespace polypool::sqlite
