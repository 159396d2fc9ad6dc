// SPDX-License-Identifier: Apache-2.0
#include <polypool/retry.hpp>

#include <algorithm>

namespace polypool {
namespace {

bool is_timeout(const error& failure) noexcept {
  const auto code = failure.portable_code();
  return code == errc::deadline_exceeded || code == errc::lock_timeout || code == errc::pool_timeout;
}

}  // namespace

bool retry_budget::take(const error& after) noexcept {
  const auto cost = is_timeout(after) ? timeout_cost : retry_cost;
  auto left = tokens_.load(std::memory_order_relaxed);
  do {
    if (left < cost) return false;
  } while (!tokens_.compare_exchange_weak(left, left - cost, std::memory_order_relaxed));
  return true;
}

void retry_budget::give_one() noexcept {
  auto left = tokens_.load(std::memory_order_relaxed);
  while (left < capacity && !tokens_.compare_exchange_weak(left, left + 1, std::memory_order_relaxed)) {
  }
}

bool may_retry(const error& failure, const retry_situation& situation) noexcept {
  if (situation.in_transaction) return false;
  switch (failure.portable_code()) {
    case errc::pool_timeout:  // it has waited as long as it may
    case errc::pool_queue_full:
    case errc::deadline_exceeded:
    case errc::cancelled:
    case errc::circuit_open:  // the breaker is there to keep it away
    case errc::rate_limited:
    case errc::shutting_down:
    case errc::connection_closed:
    case errc::connect_failed:  // the pool has tried with backoff of its own
    case errc::authentication_failed:
      return false;
    default:
      break;
  }
  switch (failure.disposition()) {
    case disposition::retryable:
    case disposition::retryable_elsewhere:
      return true;
    case disposition::in_doubt:
      return situation.idempotent;
    case disposition::permanent:
      break;
  }
  return false;
}

duration retry_delay(const retry_options& options, std::uint32_t attempt, double unit) noexcept {
  auto limit = std::min(options.delay, options.max_delay);
  for (std::uint32_t i = 1; i < attempt && limit < options.max_delay; ++i)
    limit = std::min(limit * 2, options.max_delay);
  return std::chrono::duration_cast<duration>(limit * unit);
}

}  // namespace polypool
