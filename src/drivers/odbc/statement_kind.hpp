// SPDX-License-Identifier: Apache-2.0
// What a statement does to its session, judged by its words.
#pragma once

#include "drivers/odbc/profile.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::odbc {

/// What a statement does with the transaction.
enum class transaction_effect : std::uint8_t {
  none,
  begins,
  commits,
  rolls_back,
  undoes,   ///< goes back to a savepoint
  unclear,  ///< something, or several things: ask the database
};

struct statement_kind {
  transaction_effect transaction = transaction_effect::none;
  bool leaves_state = false;     ///< settings, temporary tables, locks …: the next caller must not see it
  bool needs_reopening = false;  ///< and only a new connection is rid of it
  bool asks_read_only = false;   ///< wants writes to be refused
  bool moves_zone = false;       ///< may change the session's time zone
  bool repeats = false;          ///< SELECT, INSERT …: worth preparing
  bool inserts = false;
  bool several = false;  ///< more than one statement
};

/// Errs on the side of "may leave something".
statement_kind kind_of(std::string_view text, const profile& with);

/// The statements of a script, where the database does not take all of them at once.
std::vector<std::string_view> split_script(std::string_view text, const profile& with);

/// A script that SQL Server takes only as a whole: its statements share variables or are blocks.
bool is_one_batch(std::string_view text, const profile& with) noexcept;

}  // namespace polypool::odbc
