// SPDX-License-Identifier: Apache-2.0
#include "cli/table.hpp"

#include <algorithm>
#include <numeric>
#include <ostream>

namespace polypool::cli {
namespace {

constexpr std::size_t gap = 2;          // between columns
constexpr std::size_t least_width = 6;  // no column gives way further than this

void put(std::ostream& out, const terminal& where, const cell& what, std::size_t width, bool right, bool last) {
  const std::string text = fit(what.text, width);
  const std::size_t used = display_width(text);
  const std::string padding(width > used ? width - used : 0, ' ');
  if (right) out << padding;
  out << where.paint(text, what.how);
  if (!right && !last) out << padding;
  out << (last ? "\n" : std::string(gap, ' '));
}

}  // namespace

std::vector<std::size_t> table::widths(const terminal& where) const {
  std::vector<std::size_t> out;
  for (const heading& each : headings_) out.push_back(display_width(each.text));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) out[i] = std::max(out[i], display_width(row[i].text));
  }
  if (where.width == 0 || out.empty()) return out;
  const std::size_t gaps = gap * (out.size() - 1);
  std::size_t total = std::accumulate(out.begin(), out.end(), gaps);
  while (total > where.width) {
    const auto widest = std::max_element(out.begin(), out.end());
    if (*widest <= least_width) break;
    --*widest;
    --total;
  }
  return out;
}

void table::print_headings(std::ostream& out, const terminal& where, const std::vector<std::size_t>& width) const {
  for (std::size_t i = 0; i < headings_.size(); ++i) {
    const bool last = i + 1 == headings_.size();
    put(out, where, {headings_[i].text, style::bold}, width[i], headings_[i].right, last);
  }
}

void table::print_rows(std::ostream& out, const terminal& where, const std::vector<std::size_t>& width) const {
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < headings_.size(); ++i) {
      put(out, where, row[i], width[i], headings_[i].right, i + 1 == headings_.size());
    }
  }
}

void table::print(std::ostream& out, const terminal& where) const {
  const auto width = widths(where);
  print_headings(out, where, width);
  print_rows(out, where, width);
}

void table::print_part(std::ostream& out, const terminal& where) {
  if (decided_.empty()) {
    decided_ = widths(where);
    print_headings(out, where, decided_);
  }
  auto width = decided_;
  if (where.width == 0) {  // nothing is cut where nobody looks at it
    const auto wanted = widths(where);
    for (std::size_t i = 0; i < width.size(); ++i) width[i] = std::max(width[i], wanted[i]);
  }
  print_rows(out, where, width);
  rows_.clear();
}

}  // namespace polypool::cli
