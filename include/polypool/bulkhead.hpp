// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup resilience
/// The bulkhead: most calls at once, and a queue before it.
#pragma once

#include <polypool/error.hpp>
#include <polypool/task.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace polypool {

/// Who goes first where calls queue for a place.
enum class priority : std::uint8_t { low, normal, high, critical };
inline constexpr std::size_t priority_count = 4;
/// "low", "normal", "high", "critical".
std::string_view to_string(priority rank) noexcept;

/// What a bulkhead has seen.
struct bulkhead_snapshot {
  std::uint32_t limit = 0;    ///< 0: none
  std::uint32_t at_work = 0;  ///< more than the limit while calls are at work that came before it
  std::uint32_t waiting = 0;
  std::uint64_t refused = 0;    ///< the queue was full
  std::uint64_t timed_out = 0;  ///< the deadline passed in the queue
};

/// Places for calls, so that one flood of them does not take everything else down. A place that becomes free goes
/// straight to the first of the highest priority that waits, so a newcomer never overtakes one of its own rank. Its
/// limit may change while calls are in it and in front of it.
/// Thread-safe; while nobody waits, entering and leaving take no lock.
class bulkhead {
 public:
  /// A place of one call; gives it back when it goes out of scope. The bulkhead outlives it.
  class place {
   public:
    place() noexcept = default;
    place(place&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
    place& operator=(place&& other) noexcept {
      std::swap(owner_, other.owner_);
      return *this;
    }
    ~place() {
      if (owner_) owner_->leave();
    }
    explicit operator bool() const noexcept { return owner_ != nullptr; }

   private:
    friend class bulkhead;
    explicit place(bulkhead* owner) noexcept : owner_(owner) {}
    bulkhead* owner_ = nullptr;
  };

  /// @param what_limits the name of the setting, for messages
  /// @param limit calls at once; 0: no limit @param most_waiting calls in the queue; 0 for any number
  bulkhead(std::string what_limits, std::uint32_t limit, std::uint32_t most_waiting) noexcept
      : what_limits_(std::move(what_limits)), limit_(limit), free_(places_of(limit)), most_waiting_(most_waiting) {}
  bulkhead(const bulkhead&) = delete;
  bulkhead& operator=(const bulkhead&) = delete;

  /// A place if one is free and nobody waits for it; else an empty one.
  place try_enter() noexcept;
  /// A place, waited for until the task's deadline. Throws pool_queue_full, pool_timeout and cancelled.
  task<place> enter(priority rank);
  /// Whether there is a limit. Without one nobody needs a place, and who takes none is not counted.
  bool is_limited() const noexcept { return limit_.load(std::memory_order_relaxed) != 0; }
  /// Other limits from now on, as of the constructor. Those who wait go in as far as there is room now; those at work
  /// stay, and nobody enters before there are fewer of them than the limit.
  void resize(std::uint32_t limit, std::uint32_t most_waiting) noexcept;
  bulkhead_snapshot snapshot() const noexcept;

 private:
  class waiter;
  /// Without a limit there are more places than there can be calls.
  static constexpr std::int64_t places_of(std::uint32_t limit) noexcept {
    return limit == 0 ? std::int64_t{1} << 40U : std::int64_t{limit};
  }
  void leave() noexcept;
  void serve(std::unique_lock<std::mutex>& lock) noexcept;
  bool take_one() noexcept;
  bool enqueue(waiter& asking);
  bool withdraw(waiter& leaving) noexcept;
  void unlink(waiter& leaving) noexcept;

  struct queue {
    waiter* first = nullptr;
    waiter* last = nullptr;
  };
  const std::string what_limits_;
  std::atomic<std::uint32_t> limit_;       // changes under the lock only
  std::atomic<std::int64_t> free_;         // below 0: more are at work than a limit that has become smaller
  std::atomic<std::uint32_t> waiting_{0};  // changes under the lock only
  std::atomic<std::uint64_t> refused_{0}, timed_out_{0};
  mutable std::mutex mutex_;  // guards what follows
  std::uint32_t most_waiting_;
  std::array<queue, priority_count> queues_{};
};

}  // namespace polypool
