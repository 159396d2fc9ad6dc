// SPDX-License-Identifier: Apache-2.0
// What a statement is and what it may leave behind in its session, judged by its text.
#pragma once

#include "driver/sql_text.hpp"

#include <string_view>

namespace polypool::mysql {

struct statement_kind {
  bool empty = true;              ///< nothing but blanks and comments
  bool plain = false;             ///< gives no rows worth preparing for: control statements and DDL
  bool reads = false;             ///< may run twice without harm
  bool leaves_state = false;      ///< variables, settings, temporary tables, locks: the next caller must not see it
  bool selects_database = false;  ///< USE
  bool rolls_back = false;        ///< ends the transaction without keeping anything
  bool several = false;           ///< something stands behind a semicolon
};

/// Errs on the side of "may leave something". Of a script it says what all its statements leave behind.
statement_kind kind_of(std::string_view text, const sql_dialect& dialect) noexcept;

}  // namespace polypool::mysql
