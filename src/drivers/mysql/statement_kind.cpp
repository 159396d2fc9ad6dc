// SPDX-License-Identifier: Apache-2.0
#include "drivers/mysql/statement_kind.hpp"

#include <algorithm>
#include <array>

namespace polypool::mysql {
namespace {

constexpr std::array<std::string_view, 41> plain_starts{
    "alter",   "begin",  "change", "commit",   "create", "deallocate", "do",        "drop",    "execute",
    "flush",   "grant",  "import", "install",  "kill",   "load",       "lock",      "prepare", "purge",
    "release", "rename", "reset",  "resignal", "revoke", "rollback",   "savepoint", "set",     "shutdown",
    "signal",  "start",  "stop",   "truncate", "unlock", "uninstall",  "use",       "xa",      "backup",
    "if",      "while",  "for",    "loop",     "repeat"};

// Flushing may take the lock on all tables; a compound statement and a procedure may do anything.
constexpr std::array<std::string_view, 17> stateful_starts{
    "set",    "use",   "lock", "handler", "call", "prepare", "execute", "deallocate", "xa",
    "backup", "flush", "if",   "while",   "for",  "loop",    "repeat",  "load"};
constexpr std::array<std::string_view, 2> stateful_words{"temporary", "get_lock"};
constexpr std::array<std::string_view, 7> reading_starts{"select",  "values",   "table", "show",
                                                         "explain", "describe", "desc"};

template <std::size_t Count>
bool contains(const std::array<std::string_view, Count>& words, std::string_view word) noexcept {
  return std::ranges::any_of(words, [&](std::string_view each) { return same_word(word, each); });
}

// @name and @'name', but not @@name, which is the server's. The second half of root@'%' counts as well; so be it.
bool is_user_variable(std::string_view word) noexcept { return word.starts_with('@') && !word.starts_with("@@"); }

}  // namespace

statement_kind kind_of(std::string_view text, const sql_dialect& dialect) noexcept {
  using enum sql_token::token_kind;
  statement_kind out;
  sql_scanner scanner(text, dialect);
  std::string_view first;
  std::string_view second;
  bool at_start = true;  // of a statement
  bool beyond = false;   // behind a semicolon
  for (auto token = scanner.next(); token.kind != end; token = scanner.next()) {
    if (token.is(';')) {
      at_start = beyond = true;
      continue;
    }
    if (beyond) out.several = true;
    out.empty = false;
    if (token.kind != word) {
      at_start = at_start && token.is('(');
      continue;
    }
    if (at_start) {
      at_start = false;
      first = token.text;
      second = {};
      if (contains(stateful_starts, first)) out.leaves_state = true;
      if (same_word(first, "use")) out.selects_database = true;
      if (!out.several) {
        out.plain = contains(plain_starts, first);
        out.reads = contains(reading_starts, first);
        out.rolls_back = same_word(first, "rollback");
      }
      continue;
    }
    if (second.empty()) {
      second = token.text;
      // SET STATEMENT … FOR, in MariaDB, lasts as long as that one statement; BEGIN NOT ATOMIC begins a program.
      if (same_word(first, "set") && same_word(second, "statement")) out.leaves_state = out.plain = false;
      if (same_word(first, "begin") && same_word(second, "not")) out.leaves_state = true;
    }
    if (same_word(token.text, "to")) out.rolls_back = false;
    if (is_user_variable(token.text) || contains(stateful_words, token.text)) out.leaves_state = true;
  }
  return out;
}

}  // namespace polypool::mysql
