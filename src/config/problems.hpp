// SPDX-License-Identifier: Apache-2.0
// Where things stand in files, and the list of what is wrong with them.
#pragma once

#include <polypool/config.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::config {

/// A place in one of the files of a problem_list. Line and column count from 1; 0 is unknown.
struct position {
  std::uint32_t file = 0;
  std::int32_t line = 0;
  std::int32_t column = 0;
};

/// Collects problems, and knows the names of the files they are in.
class problem_list {
 public:
  std::uint32_t add_file(std::string_view name);
  void add(position where, std::string field, std::string what);
  bool empty() const noexcept { return problems_.empty(); }
  std::size_t size() const noexcept { return problems_.size() + left_out_; }
  /// Throws configuration_error when there is anything to complain about.
  void throw_if_any();

 private:
  std::vector<std::string> files_;
  std::vector<problem> problems_;
  std::size_t left_out_ = 0;
};

/// A value for a message: in quotes, short, and without control characters.
std::string shown(std::string_view value);

/// A key for a message: short, without control characters, and cut where a secret may have slipped into it, as in
/// `password:hunter2` without its space.
std::string shown_key(std::string_view key);

/// The closest of the candidates when it is close enough to be meant, as `; did you mean 'x'?`; else empty.
std::string suggestion(std::string_view misspelt, const std::vector<std::string_view>& candidates);

/// "a, b, c".
std::string joined(const std::vector<std::string_view>& words);

}  // namespace polypool::config
