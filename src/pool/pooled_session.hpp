// SPDX-License-Identifier: Apache-2.0
// A session with what its pool knows of it, and lists of them.
#pragma once

#include <polypool/pool.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <source_location>
#include <utility>

namespace polypool::detail {

/// Lives in exactly one of its pool's lists, and moves between them.
struct pooled_session {
  std::unique_ptr<polypool::session> session;
  sql_session* sql = nullptr;              // the same one, when it speaks SQL
  key_value_session* key_value = nullptr;  // the same one, when it takes commands
  std::shared_ptr<pool_core> owner;        // a cycle on purpose: as long as a session lives, its pool does
  pooled_session* previous = nullptr;
  pooled_session* next = nullptr;
  std::uint64_t generation = 0;
  time_point expires = no_deadline;  // end of its lifetime
  time_point last_used{};
  time_point last_probed{};
  duration idle_limit = duration::max();
  time_point leased_at{};
  const void* last_thread = nullptr;  // whose it was; see pool_core::warmest
  std::source_location where;
  bool leak_reported = false;
};

/// Owns items that are linked through themselves, so that moving one costs a few stores and cannot fail.
class session_list {
 public:
  using item = pooled_session;

  session_list() = default;
  session_list(const session_list&) = delete;
  session_list& operator=(const session_list&) = delete;
  ~session_list() { clear(); }

  bool empty() const noexcept { return first_ == nullptr; }
  /// May be read without the lock that guards the rest; it is a moment old then.
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  item* first() const noexcept { return first_; }
  item* last() const noexcept { return last_; }

  void push_back(std::unique_ptr<item> fresh) noexcept { link(*fresh.release(), last_); }
  void move_to_back(session_list& from, item& it) noexcept { move_behind(from, it, last_); }
  /// Puts it behind `place`, another one of this list, or null for the front.
  void move_behind(session_list& from, item& it, item* place) noexcept {
    from.unlink(it);
    link(it, place);
  }
  std::unique_ptr<item> take(item& it) noexcept {
    unlink(it);
    return std::unique_ptr<item>(&it);
  }
  void clear() noexcept {
    while (first_) take(*first_).reset();
  }

 private:
  void link(item& it, item* place) noexcept {
    it.previous = place;
    it.next = place ? place->next : first_;
    (place ? place->next : first_) = &it;
    (it.next ? it.next->previous : last_) = &it;
    size_.store(size() + 1, std::memory_order_relaxed);
  }
  void unlink(item& it) noexcept {
    (it.previous ? it.previous->next : first_) = it.next;
    (it.next ? it.next->previous : last_) = it.previous;
    size_.store(size() - 1, std::memory_order_relaxed);
  }
  item* first_ = nullptr;
  item* last_ = nullptr;
  std::atomic<std::size_t> size_ = 0;
};

}  // namespace polypool::detail
