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

void table::print(std::ostream& out, const terminal& where) const {
  if (headings_.empty()) return;
  const auto width = widths(where);
  const std::size_t last = headings_.size() - 1;
  for (std::size_t i = 0; i <= last; ++i) {
    put(out, where, {headings_[i].text, style::bold}, width[i], headings_[i].right, i == last);
  }
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i <= last; ++i) put(out, where, row[i], width[i], headings_[i].right, i == last);
  }
}

}  // namespace polypool::cli
