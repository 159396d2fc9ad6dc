// SPDX-License-Identifier: Apache-2.0
// Text and parameters of a statement as it is built.
#pragma once

#include <polypool/builder.hpp>

#include <string>
#include <string_view>

namespace polypool {

/// Appends to a statement. Names are quoted, each value gets a placeholder of its own.
class statement_writer {
 public:
  explicit statement_writer(dialect language) noexcept : language_(language) {}

  dialect language() const noexcept { return language_; }
  statement_writer& text(std::string_view sql) {
    made_.text += sql;
    return *this;
  }
  statement_writer& number(std::uint64_t value) { return text(std::to_string(value)); }
  /// @param what "table" or "column", for messages
  statement_writer& name(std::string_view identifier, std::string_view what);
  /// Like name(), and `*` may stand at the end.
  statement_writer& columns(std::string_view identifier);
  statement_writer& bind(value parameter);
  /// What `each` appends for every item, with commas between.
  template <class Range, class Append>
  statement_writer& list(const Range& items, Append&& each) {
    bool first = true;
    for (const auto& item : items) {
      if (!first) text(", ");
      first = false;
      each(item);
    }
    return *this;
  }

  void table(const query_parts& parts);
  void conditions(const query_parts& parts);
  void order(const query_parts& parts);
  void limits(const query_parts& parts);
  built_statement finish() noexcept { return std::move(made_); }

 private:
  void condition(const query_parts::condition& one);
  void compare(const query_parts::condition& one);
  dialect language_;
  built_statement made_;
};

}  // namespace polypool
