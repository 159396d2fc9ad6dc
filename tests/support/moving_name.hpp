// SPDX-License-Identifier: Apache-2.0
// Host names that move from one address to another, or that nobody answers for; for this process alone.
#pragma once

#include <string>

namespace polypool::test {

/// While it lives, this process resolves `name` to an address that the test chooses and may change at any time, as when
/// a DNS record is changed. Works by standing in for getaddrinfo() in this program; all other names are asked of the
/// system. Thread-safe.
class moving_name {
 public:
  moving_name(std::string name, std::string address);
  ~moving_name();
  moving_name(const moving_name&) = delete;
  void move_to(std::string address);

 private:
  const std::string name_;
};

/// While it lives, looking this name up does not end, as when no name server answers; after that it fails. Thread-safe.
class hanging_name {
 public:
  explicit hanging_name(std::string name);
  ~hanging_name();
  hanging_name(const hanging_name&) = delete;

 private:
  const std::string name_;
};

}  // namespace polypool::test
