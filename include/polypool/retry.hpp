// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup resilience
/// Whether a failed call is made again, and when.
///
/// Delays have full jitter, and a budget keeps retries from multiplying an outage: both as the AWS SDKs have them
/// ("Exponential Backoff and Jitter", AWS Architecture Blog; the standard retry mode's token bucket).
#pragma once

#include <polypool/clock.hpp>
#include <polypool/error.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace polypool {

/// How often and how soon.
struct retry_options {
  std::uint32_t attempts = 3;                       ///< calls in all, the first one included; 1: never again
  duration delay = std::chrono::milliseconds(100);  ///< the first delay's upper limit; doubles from there
  duration max_delay = std::chrono::seconds(10);    ///< the upper limit of every delay
  bool operator==(const retry_options&) const = default;
};

/// Tokens that retries cost and successes give back, shared by all calls of a connection: when most calls fail, most
/// retries are left out. Thread-safe, without a lock.
class retry_budget {
 public:
  static constexpr std::int32_t capacity = 500;
  static constexpr std::int32_t retry_cost = 5;
  static constexpr std::int32_t timeout_cost = 10;

  /// Takes what a retry after this error costs. @return false when there is not enough left
  bool take(const error& after) noexcept;
  /// A call succeeded.
  void give_back() noexcept {
    // Nearly always full: reading is all it takes then.
    if (tokens_.load(std::memory_order_relaxed) < capacity) give_one();
  }
  std::int32_t left() const noexcept { return tokens_.load(std::memory_order_relaxed); }

 private:
  void give_one() noexcept;
  std::atomic<std::int32_t> tokens_{capacity};
};

/// What a call is, as far as making it again is concerned.
struct retry_situation {
  std::uint32_t attempt = 1;    ///< the one that failed, from 1
  bool idempotent = false;      ///< made twice, it does what it does once
  bool in_transaction = false;  ///< part of something that would have to be made again as a whole
};

/// Whether a call that failed so may be made again at all: by the error's disposition, never in a transaction, in doubt
/// only when it is idempotent, and not where waiting was the failure or the pool itself has tried again already.
bool may_retry(const error& failure, const retry_situation& situation) noexcept;

/// How long to wait before the next attempt: any time up to delay × 2^(attempt − 1), at most max_delay.
/// @param unit a random number, at least 0 and below 1
duration retry_delay(const retry_options& options, std::uint32_t attempt, double unit) noexcept;

}  // namespace polypool
