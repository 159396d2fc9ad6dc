// SPDX-License-Identifier: Apache-2.0
#include "cli/spelling.hpp"

#include "base/edit_distance.hpp"

namespace polypool::cli {

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  std::string_view best;
  std::size_t least = 3;
  for (const std::string_view each : known) {
    const std::size_t edits = edit_distance(word, each);
    if (edits < least && edits < each.size()) {
      least = edits;
      best = each;
    }
  }
  return best;
}

}  // namespace polypool::cli
