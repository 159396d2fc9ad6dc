// SPDX-License-Identifier: Apache-2.0
// Parameters in the form libpq wants them.
#pragma once

#include <polypool/value.hpp>

#include <array>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::postgres {

/// Text for everything but bytes. Kept by a session so that its memory is used again and again.
class parameter_list {
 public:
  /// Refers to the values, which outlive the sending. Throws invalid_value for text with a NUL character,
  /// parameter_count for more than the protocol can carry.
  void bind(std::span<const value> values);
  /// Lets go of the values and of large copies.
  void clear() noexcept;

  int count() const noexcept { return static_cast<int>(pointers_.size()); }
  const char* const* values() const noexcept { return pointers_.data(); }
  const int* lengths() const noexcept { return lengths_.data(); }
  const int* formats() const noexcept { return formats_.data(); }

 private:
  struct binder;
  std::vector<const char*> pointers_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
  std::vector<std::array<char, 32>> numbers_;  // one per parameter, so that none moves
  std::deque<std::string> texts_;
};

}  // namespace polypool::postgres
