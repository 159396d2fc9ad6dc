// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/terminal.hpp"

#include <iosfwd>
#include <string>
#include <vector>

namespace polypool::cli {

struct cell {
  std::string text;
  style how = style::plain;
};

// Rows of text in columns; on a terminal no wider than that, the widest columns giving way.
class table {
 public:
  struct heading {
    std::string text;
    bool right = false;  // numbers stand to the right
  };
  explicit table(std::vector<heading> headings) : headings_(std::move(headings)) {}
  void add(std::vector<cell> row) { rows_.push_back(std::move(row)); }
  std::size_t size() const noexcept { return rows_.size(); }
  void print(std::ostream& out, const terminal& where) const;
  // Prints what was added since the last time, and forgets it; the first rows decide on the widths. For tables that are
  // too long to keep.
  void print_part(std::ostream& out, const terminal& where);

 private:
  std::vector<std::size_t> widths(const terminal& where) const;
  void print_headings(std::ostream& out, const terminal& where, const std::vector<std::size_t>& width) const;
  void print_rows(std::ostream& out, const terminal& where, const std::vector<std::size_t>& width) const;
  std::vector<heading> headings_;
  std::vector<std::vector<cell>> rows_;
  std::vector<std::size_t> decided_;  // widths, once a part was printed
};

}  // namespace polypool::cli
