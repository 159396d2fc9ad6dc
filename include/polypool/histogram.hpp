// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup telemetry
/// A histogram of durations that anything may record into; what metrics are read from.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
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

/// How long something took, at one moment: counts by time, fine enough to tell percentiles within an eighth.
class latency_snapshot {
 public:
  static constexpr std::size_t size = 104;
  std::array<std::uint64_t, size> counts{};
  std::uint64_t count() const noexcept {
    std::uint64_t all = 0;
    for (const auto n : counts) all += n;
    return all;
  }
  /// The time that this share of all took at most; zero when there is nothing. @param share from 0 to 1
  std::chrono::nanoseconds quantile(double share) const noexcept {
    const auto all = count();
    if (all == 0) return {};
    auto left = static_cast<std::uint64_t>(share * static_cast<double>(all - 1)) + 1;
    std::size_t at = 0;
    while (left > counts[at]) left -= counts[at++];
    return (lower_bound(at) + lower_bound(at + 1)) / 2;
  }
  /// Where a bucket begins: four to each power of two, counted in units of 1024 ns.
  static constexpr std::chrono::nanoseconds lower_bound(std::size_t index) noexcept {
    if (index < 4) return std::chrono::nanoseconds(index << 10U);
    const std::size_t power = index / 4 - 1;
    return std::chrono::nanoseconds((4 + index % 4) << (power + 10U));
  }
  static constexpr std::size_t index_of(std::chrono::nanoseconds took) noexcept {
    const auto units = static_cast<std::uint64_t>(took.count() < 0 ? 0 : took.count()) >> 10U;
    if (units < 4) return static_cast<std::size_t>(units);
    const auto power = static_cast<unsigned>(std::bit_width(units)) - 3;
    const auto index = static_cast<std::size_t>((power + 1) * 4 + ((units >> power) & 3U));
    return index < size ? index : size - 1;
  }
};

/// Counts how long calls take: one atomic addition each. Thread-safe.
class latency_histogram {
 public:
  void record(std::chrono::nanoseconds took) noexcept {
    counts_[latency_snapshot::index_of(took)].fetch_add(1, std::memory_order_relaxed);
  }
  latency_snapshot snapshot() const noexcept {
    latency_snapshot taken;
    for (std::size_t i = 0; i < counts_.size(); ++i) taken.counts[i] = counts_[i].load(std::memory_order_relaxed);
    return taken;
  }

 private:
  std::array<std::atomic<std::uint64_t>, latency_snapshot::size> counts_{};
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
