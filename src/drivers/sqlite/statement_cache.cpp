// SPDX-License-Identifier: Apache-2.0
#include "drivers/sqlite/statement_cache.hpp"

#include <iterator>
#include <utility>

namespace polypool::sqlite {

prepared* statement_cache::find(std::string_view text) noexcept {
  if (entries_.empty()) return nullptr;
  if (entries_.front()->text() == text) return entries_.front().get();  // the same again: no need to hash
  const auto found = index_.find(text);
  if (found == index_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->get();
}

prepared& statement_cache::keep(std::unique_ptr<prepared> fresh) {
  for (auto at = entries_.end(); entries_.size() >= capacity_ && at != entries_.begin();) {
    --at;
    if ((*at)->in_use) continue;
    index_.erase((*at)->text());
    at = entries_.erase(at);
  }
  entries_.push_front(std::move(fresh));
  index_.emplace(entries_.front()->text(), entries_.begin());
  return *entries_.front();
}

}  // namespace polypool::sqlite
