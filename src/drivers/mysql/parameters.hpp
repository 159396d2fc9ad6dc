// SPDX-License-Identifier: Apache-2.0
// Parameters in the form Connector/C wants them.
#pragma once

#include "drivers/mysql/native.hpp"

#include <polypool/value.hpp>

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

namespace polypool::mysql {

/// Kept by a session so that its memory is used again and again.
class parameter_list {
 public:
  /// Refers to the values, which outlive the sending. Throws invalid_value for what MySQL cannot take.
  /// @param order for each placeholder of the statement, which value it takes
  /// @param utc the session's time zone is UTC
  void bind(std::span<const value> values, std::span<const std::uint16_t> order, bool utc);
  /// Lets go of the values and of large copies.
  void clear() noexcept;

  MYSQL_BIND* data() noexcept { return binds_.data(); }
  /// What all of it takes in a packet, at most.
  std::size_t size_in_bytes() const noexcept { return bytes_; }

 private:
  struct binder;
  std::vector<MYSQL_BIND> binds_;
  std::deque<MYSQL_TIME> times_;
  std::deque<std::string> texts_;
  std::size_t bytes_ = 0;
};

}  // namespace polypool::mysql
