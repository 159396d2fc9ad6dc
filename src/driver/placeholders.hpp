// SPDX-License-Identifier: Apache-2.0
// `$1, $2 …` for databases whose placeholder is `?`.
#pragma once

#include "driver/sql_text.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace polypool {

/// The highest number a placeholder may have: a 16-bit count in the protocols of PostgreSQL and MySQL.
inline constexpr std::uint32_t highest_placeholder = 65535;

/// A statement with `?` for its placeholders.
struct rewritten_statement {
  std::string text;
  /// For each `?`, which value it takes, from 0. Equal numbers take the same value.
  std::vector<std::uint16_t> values;
  /// How many values the statement takes: the highest number.
  std::size_t expected = 0;
};

/// Replaces each `$n` outside literals, quoted names and comments by `?`. A text that has `?` already, and no `$n`,
/// keeps it: the values are taken in their order. Throws invalid_argument for `$0`, `$01`, a number over 65535, and a
/// text that mixes both forms.
rewritten_statement rewrite_placeholders(std::string_view text, const sql_dialect& dialect);

/// Throws parameter_count when not as many values were given as the statement takes.
void check_parameter_count(std::size_t expected, std::size_t given);

}  // namespace polypool
