// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/words.hpp"

#include <string>
#include <string_view>

struct sqlite3;

namespace polypool::sqlite {

/// What a statement does, found out once when it is prepared.
struct effects {
  bool inserts = false;
  bool writes = false;    ///< changes rows, so a count of changes makes sense
  bool schema = false;    ///< creates, alters or drops something
  bool temp = false;      ///< creates something in the temp schema, which the next caller must not see
  bool attaches = false;  ///< attaches or detaches a database
};

/// Collects the effects of what is prepared while it is pointed at one. SQLite's authorizer tells them.
class effects_recorder {
 public:
  effects_recorder() = default;
  effects_recorder(const effects_recorder&) = delete;
  effects_recorder& operator=(const effects_recorder&) = delete;
  void install(sqlite3* db) noexcept;
  void record_into(effects* target) noexcept { target_ = target; }

 private:
  static int callback(void* self, int action, const char* first, const char* second, const char* database,
                      const char* trigger) noexcept;
  effects* target_ = nullptr;
};

/// The words and signs of a statement one after the other, without blanks and comments. Empty at the end.
class token_reader {
 public:
  explicit token_reader(std::string_view text) noexcept : rest_(text) {}
  std::string_view next() noexcept;

 private:
  void skip_blanks() noexcept;
  std::string_view rest_;
};

/// A `PRAGMA` that changes a setting of the session: its name, with the schema when it has one. Empty when the text is
/// anything else.
std::string changed_pragma(std::string_view text);
/// True for every kind of `PRAGMA`.
bool is_pragma(std::string_view text) noexcept;
/// True for `ROLLBACK` (but not `ROLLBACK TO`).
bool is_rollback(std::string_view text) noexcept;

}  // namespace polypool::sqlite
