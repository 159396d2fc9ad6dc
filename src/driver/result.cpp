// SPDX-License-Identifier: Apache-2.0
#include <polypool/result.hpp>

namespace polypool {
namespace {

constexpr std::size_t most_names = 20;

std::string names_of(const column_list& columns) {
  std::string out;
  for (std::size_t i = 0; i < columns.size() && i < most_names; ++i) {
    if (i != 0) out += ", ";
    out += columns[i].name;
  }
  if (columns.size() > most_names) out += ", … (" + std::to_string(columns.size()) + " in all)";
  return out;
}

std::string counted(std::size_t count, std::string_view what) {
  return std::to_string(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

}  // namespace

std::size_t column_list::index_of(std::string_view name) const {
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].name == name) return i;
  }
  error problem(errc::column_not_found, "the result has no column '" + std::string(name) + "'");
  problem.with_hint(columns_.empty() ? "the statement gave no columns" : "its columns are: " + names_of(*this));
  throw problem;
}

void column_list::check(std::size_t index) const {
  if (index < columns_.size()) return;
  throw error(errc::column_not_found, "the result has no column number " + std::to_string(index) + ", it has " +
                                          counted(columns_.size(), "column") + " (numbers begin at 0)");
}

void row::rethrow_for(const error& problem, std::size_t column) const {
  error named(problem.portable_code(), "column '" + (*columns_)[column].name + "': " + problem.cause());
  if (!problem.hint().empty()) named.with_hint(problem.hint());
  throw named;
}

row result::operator[](std::size_t index) const {
  if (index >= size()) {
    throw error(errc::row_count, "there is no row number " + std::to_string(index) + ": the result has " +
                                     counted(size(), "row") + " (numbers begin at 0)");
  }
  return {*block_, columns(), index};
}

const column_list& result::no_columns() noexcept {
  static const column_list none;
  return none;
}

}  // namespace polypool
