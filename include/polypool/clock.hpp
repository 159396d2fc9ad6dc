// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup base
/// Time, and timers, that tests can replace.
#pragma once

#include <chrono>
#include <cstddef>
#include <limits>
#include <mutex>
#include <vector>

namespace polypool {

/// Every point in time in Polypool is of the steady clock's type, whoever supplies it.
using time_point = std::chrono::steady_clock::time_point;
using duration = std::chrono::steady_clock::duration;

/// "Never": a deadline that does not come.
inline constexpr time_point no_deadline = time_point::max();

/// `start + span`, or `no_deadline` where that would overflow.
constexpr time_point saturating_add(time_point start, duration span) noexcept {
  return span >= no_deadline - start ? no_deadline : start + span;
}

/// Something that happens at a time. Lives in its owner (it is linked, not copied), who disarms it before it goes.
class timer {
 public:
  timer(const timer&) = delete;
  timer& operator=(const timer&) = delete;

 protected:
  timer() = default;
  ~timer() = default;

 private:
  friend class timer_queue;
  /// Called once with the queue's lock held: be brief, and touch no timer of the same queue.
  virtual void expired() noexcept = 0;
  static constexpr std::size_t unarmed = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t in_line = unarmed - 1;
  time_point when_{};
  std::size_t index_ = unarmed;  // in the heap
  timer* before_ = nullptr;      // in the line
  timer* after_ = nullptr;
};

/// Timers in the order in which they expire. Calls with the same time limit come in the order of their deadlines, so
/// whatever expires last of all stands in a line, where arm and disarm are O(1); the rest is in a binary heap, O(log
/// n). Thread-safe.
class timer_queue {
 public:
  /// Links the timer. @return true when it is now the earliest one
  bool arm(timer& item, time_point when);
  /// Unlinks it. When this returns, expired() neither runs nor will run.
  void disarm(timer& item) noexcept;
  /// Expires all timers up to `now`. @return when the next one is due
  time_point fire(time_point now) noexcept;
  /// When the next timer is due; `no_deadline` when there is none.
  time_point earliest() const noexcept;

 private:
  timer* first() const noexcept;
  void unlink(timer& item) noexcept;
  void append(timer& item) noexcept;
  void leave_line(timer& item) noexcept;
  void remove_at(std::size_t index) noexcept;
  void place(std::size_t index, timer* item) noexcept;
  void sift_up(std::size_t index) noexcept;
  void sift_down(std::size_t index) noexcept;

  mutable std::mutex mutex_;
  timer* line_begin_ = nullptr;
  timer* line_end_ = nullptr;
  std::vector<timer*> heap_;
};

/// Where time comes from. Thread-safe.
class clock {
 public:
  virtual ~clock() = default;
  /// Now, exactly.
  virtual time_point now() const noexcept = 0;
  /// Now, within a few milliseconds, at a fifth of the price.
  virtual time_point coarse_now() const noexcept { return now(); }
  /// The timers of a clock that is moved by hand; null when time passes by itself.
  virtual timer_queue* manual_timers() noexcept { return nullptr; }
  /// Moves a clock that is moved by hand to at least this point; does nothing to a real one.
  virtual void advance_to(time_point) {}

  /// The machine's steady clock.
  static clock& system() noexcept;
};

}  // namespace polypool
