// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace polypool::cli {

// What the command ends with; documented in `polypool --help`.
enum exit_code : int { success = 0, failed = 1, usage = 2, not_found = 3 };

// A problem that the command itself finds, with what to do about it.
class command_error : public std::runtime_error {
 public:
  command_error(exit_code code, const std::string& what, std::string hint = {})
      : std::runtime_error(what), code_(code), hint_(std::move(hint)) {}
  exit_code code() const noexcept { return code_; }
  const std::string& hint() const noexcept { return hint_; }

 private:
  exit_code code_;
  std::string hint_;
};

}  // namespace polypool::cli
