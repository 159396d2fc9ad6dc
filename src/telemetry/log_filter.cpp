// SPDX-License-Identifier: Apache-2.0
#include "telemetry/log_filter.hpp"

#include <algorithm>

namespace polypool::telemetry {

log_filter::log_filter(log::level least, std::string_view debug) : least_(least) {
  constexpr std::string_view separators = ", \t\n";
  while (!debug.empty()) {
    const auto end = std::min(debug.find_first_of(separators), debug.size());
    add(debug.substr(0, end));
    debug.remove_prefix(std::min(end + 1, debug.size()));
  }
}

void log_filter::add(std::string_view word) {
  constexpr std::string_view ours = "polypool:";
  const bool exclude = word.starts_with('-');
  if (exclude) word.remove_prefix(1);
  if (word == "*" || word == "polypool" || word == "setup:multi-connection") word = "polypool:*";
  if (!word.starts_with(ours)) return;  // DEBUG is shared with other programs
  word.remove_prefix(ours.size());
  if (word.empty()) return;
  const bool prefix = word.ends_with('*');
  if (prefix) word.remove_suffix(1);
  (exclude ? excluded_ : raised_).push_back({std::string(word), prefix});
}

bool log_filter::raised(std::string_view component) const noexcept {
  const auto names_it = [component](const pattern& p) { return p.matches(component); };
  return std::any_of(raised_.begin(), raised_.end(), names_it) &&
         std::none_of(excluded_.begin(), excluded_.end(), names_it);
}

}  // namespace polypool::telemetry
