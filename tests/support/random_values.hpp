// SPDX-License-Identifier: Apache-2.0
// Random values for tests that send them there and back.
#pragma once

#include <polypool/value.hpp>

#include <cstddef>
#include <random>
#include <string>
#include <vector>

namespace polypool::test {

/// Text of what gives trouble: quotes, placeholders, characters of all lengths. @param most how many of these
inline std::string random_text(std::mt19937_64& random, std::size_t most = 40) {
  static const std::vector<std::string> pieces{"a",  "Z", "0", " ",  "'",  "\"", "\\", "\n", "\t", "$1",   "?",
                                               "--", "ü", "€", "漢", "😀", "{",  "}",  ",",  "%",  "NULL", "\x7f"};
  std::string out;
  for (auto left = random() % most; left > 0; --left) out += pieces[random() % pieces.size()];
  return out;
}

inline bytes random_bytes(std::mt19937_64& random, std::size_t most = 100) {
  bytes out(random() % most);
  for (auto& byte : out) byte = static_cast<std::byte>(random());
  return out;
}

/// Of all sizes alike.
inline std::int64_t random_integer(std::mt19937_64& random) {
  return static_cast<std::int64_t>(random()) >> random() % 64;
}

}  // namespace polypool::test
