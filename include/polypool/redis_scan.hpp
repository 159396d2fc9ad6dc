// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// Going through keys and collections page by page.
#pragma once

#include <polypool/redis_calls.hpp>
#include <polypool/task.hpp>

#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace polypool {

class redis_database;

/// SCAN, HSCAN, SSCAN or ZSCAN as a range, in constant memory: one page at a time. A new one starts at the beginning.
/// One thread or task at a time; it has to outlive the tasks it gives.
class redis_scan {
 public:
  redis_scan(redis_scan&&) noexcept;
  redis_scan& operator=(redis_scan&&) noexcept;
  ~redis_scan();

  /// The next item; nothing at the end.
  std::optional<std::string> next();
  /// next() as a task.
  task<std::optional<std::string>> async_next();

  /// For `for (const std::string& key : db.scan())`.
  class iterator {
   public:
    using value_type = std::string;
    using difference_type = std::ptrdiff_t;
    explicit iterator(redis_scan* source) : source_(source) { ++*this; }
    const std::string& operator*() const { return *current_; }
    iterator& operator++() {
      current_ = source_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const noexcept { return !current_; }

   private:
    redis_scan* source_;
    std::optional<std::string> current_;
  };
  /// Fetches the first item. To be called once: it goes on where next() is.
  iterator begin() { return iterator(this); }
  /// The end: nothing came any more.
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  friend class redis_database;
  struct state;
  explicit redis_scan(std::unique_ptr<state> made) noexcept;
  redis_call<redis_page> next_call() const;
  std::optional<std::string> take() noexcept;
  void turn_to(redis_page page) noexcept;
  std::unique_ptr<state> state_;
};

}  // namespace polypool
