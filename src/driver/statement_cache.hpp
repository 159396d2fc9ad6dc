// SPDX-License-Identifier: Apache-2.0
// Prepared statements of one session, by their text; the least recently used one goes first.
#pragma once

#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace polypool {

/// Not synchronized: belongs to one session. Pointers to entries stay valid until the entry goes.
template <class Prepared>
class statement_cache {
 public:
  /// @param capacity entries kept at most; 0 keeps none
  explicit statement_cache(std::size_t capacity) : capacity_(capacity) {}
  statement_cache(const statement_cache&) = delete;
  statement_cache& operator=(const statement_cache&) = delete;

  std::size_t capacity() const noexcept { return capacity_; }
  std::size_t size() const noexcept { return by_text_.size(); }
  bool full() const noexcept { return size() >= capacity_; }

  /// The entry, now the most recently used one; null when there is none. Allocates nothing.
  Prepared* find(std::string_view text) noexcept {
    const auto found = by_text_.find(text);
    if (found == by_text_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->second;
  }
  /// Adds an entry that is not there yet, also when the cache is full: evict first.
  Prepared& insert(std::string_view text, Prepared prepared) {
    entries_.emplace_front(std::string(text), std::move(prepared));
    try {
      by_text_.emplace(entries_.front().first, entries_.begin());
    } catch (...) {
      entries_.pop_front();
      throw;
    }
    return entries_.front().second;
  }
  /// Takes the least recently used entry out.
  std::optional<Prepared> evict() { return entries_.empty() ? std::nullopt : take(std::prev(entries_.end())); }
  /// Takes this entry out.
  std::optional<Prepared> erase(std::string_view text) {
    const auto found = by_text_.find(text);
    return found == by_text_.end() ? std::nullopt : take(found->second);
  }
  void clear() noexcept {
    by_text_.clear();
    entries_.clear();
  }

 private:
  using list = std::list<std::pair<std::string, Prepared>>;
  std::optional<Prepared> take(typename list::iterator which) {
    std::optional<Prepared> out(std::move(which->second));
    by_text_.erase(which->first);
    entries_.erase(which);
    return out;
  }

  std::size_t capacity_;
  list entries_;  // the most recently used one first
  std::unordered_map<std::string_view, typename list::iterator> by_text_;
};

}  // namespace polypool
