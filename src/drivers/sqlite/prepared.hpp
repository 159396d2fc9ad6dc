// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "drivers/sqlite/effects.hpp"
#include "drivers/sqlite/rows.hpp"

#include <polypool/value.hpp>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace polypool::sqlite {

/// The type that a column's declaration stands for; `null` when it has none.
data_type declared_type(std::string_view declaration);

/// How long bound text lives.
enum class binding : std::uint8_t {
  borrowed,  ///< as long as the caller's parameters: bound where it lies, let go of by release()
  copied,    ///< as long as the statement
};

/// One statement, prepared.
class prepared {
 public:
  /// Prepares the first statement of a text. Throws what is wrong with it.
  /// @param lasting it is kept for many executions
  /// @param tail what is behind it
  prepared(sqlite3* db, std::string_view text, bool lasting, effects_recorder& recorder, std::string_view& tail);
  prepared(const prepared&) = delete;
  prepared& operator=(const prepared&) = delete;
  ~prepared();

  /// Null when the text was empty.
  sqlite3_stmt* get() const noexcept { return statement_; }
  std::string_view text() const noexcept { return text_; }
  const effects& does() const noexcept { return does_; }
  /// How many parameters it takes.
  std::size_t parameter_count() const noexcept { return expected_; }
  /// Binds all parameters. Throws parameter_count, invalid_value.
  void bind(std::span<const value> parameters, binding how);
  /// Ends the execution and lets go of what was bound.
  void release() noexcept;
  /// The columns; looks again when SQLite had to prepare anew because the schema changed. Call after the first step.
  const std::shared_ptr<const column_list>& columns();
  const column_kind* kinds() const noexcept { return kinds_.data(); }

  bool in_use = false;  ///< a cursor or an execution holds it

 private:
  void read_parameters();
  void read_columns();
  int bind_one(int index, std::size_t number, const value& parameter, binding how);

  sqlite3* db_;
  sqlite3_stmt* statement_ = nullptr;
  std::string text_;
  effects does_;
  std::size_t expected_ = 0;
  std::vector<std::uint32_t> numbers_;  // which parameter each of SQLite's variables is; empty: the same number
  std::shared_ptr<const column_list> columns_;
  std::vector<column_kind> kinds_;
  int times_prepared_ = 0;
  bool holds_borrowed_ = false;
};

}  // namespace polypool::sqlite
