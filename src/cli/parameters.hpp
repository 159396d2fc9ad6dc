// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <polypool/value.hpp>

#include <optional>
#include <string>
#include <vector>

namespace polypool::cli {

// Turns words into parameters. All are text, which a server with typed parameters reads as whatever it needs; with
// `typed` (SQLite, where text never equals a number) words that are a number exactly as it is printed become numbers.
// A word equal to `null_word` becomes NULL.
std::vector<value> read_parameters(const std::vector<std::string>& words, bool typed,
                                   const std::optional<std::string>& null_word);

}  // namespace polypool::cli
