// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup telemetry
/// A histogram of durations that anything may record into; what metrics are read from.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace polypool {

/// Upper bounds of the buckets, in seconds; one more bucket holds what is longer than the last.
inline constexpr std::array<double, 10> duration_buckets{.001, .005, .01, .05, .1, .5, 1, 5, 10, 30};

/// A histogram's numbers at one moment.
struct histogram_snapshot {
  std::array<std::uint64_t, duration_buckets.size() + 1> counts{};  ///< of each bucket alone, not cumulative
  std::chrono::nanoseconds sum{};
  std::uint64_t count() const noexcept {
    std::uint64_t all = 0;
    for (const auto n : counts) all += n;
    return all;
  }
};

/// Counts durations in buckets. record() is wait-free and thread-safe; needs no metrics library.
class duration_histogram {
 public:
  void record(std::chrono::nanoseconds elapsed) noexcept {
    const double seconds = std::chrono::duration<double>(elapsed).count();
    const auto bound = std::lower_bound(duration_buckets.begin(), duration_buckets.end(), seconds);
    counts_[static_cast<std::size_t>(bound - duration_buckets.begin())].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(elapsed.count(), std::memory_order_relaxed);
  }
  /// The numbers now. While others record, the sum may be a record ahead of or behind the counts.
  histogram_snapshot snapshot() const noexcept {
    histogram_snapshot taken;
    for (std::size_t i = 0; i < counts_.size(); ++i) taken.counts[i] = counts_[i].load(std::memory_order_relaxed);
    taken.sum = std::chrono::nanoseconds(sum_.load(std::memory_order_relaxed));
    return taken;
  }

 private:
  std::array<std::atomic<std::uint64_t>, duration_buckets.size() + 1> counts_{};
  std::atomic<std::int64_t> sum_{0};
};

/// Records the time from its making to its end: put one around a health check.
class health_check_timer {
 public:
  explicit health_check_timer(duration_histogram& into) noexcept : into_(into) {}
  health_check_timer(const health_check_timer&) = delete;
  health_check_timer& operator=(const health_check_timer&) = delete;
  ~health_check_timer() { into_.record(std::chrono::steady_clock::now() - started_); }

 private:
  duration_histogram& into_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace polypool
