// SPDX-License-Identifier: Apache-2.0
#include "manager/safeguards.hpp"

#include <polypool/duration.hpp>

#include <algorithm>
#include <ctime>

namespace polypool::detail {
namespace {

// `12:00:31 UTC`: what a steady clock's point is on the wall.
std::string wall_time(time_point point, time_point now) {
  const auto there =
      std::chrono::system_clock::now() + std::chrono::duration_cast<std::chrono::system_clock::duration>(point - now);
  const auto seconds = std::chrono::system_clock::to_time_t(there);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 16> text{};
  std::strftime(text.data(), text.size(), "%H:%M:%S", &parts);
  return std::string(text.data()) + " UTC";
}

}  // namespace

breaker_options breaker_options_of(const config::tuning& limits) noexcept {
  breaker_options out;
  out.enabled = limits.circuit_breaker;
  out.failure_rate = limits.circuit_failure_percent / 100.0;
  out.slow_rate = limits.circuit_slow_percent / 100.0;
  out.slow_after = limits.circuit_slow_after;
  out.window = limits.circuit_window;
  out.volume_threshold = limits.circuit_volume;
  out.reset_time = limits.circuit_reset;
  out.reset_max = limits.circuit_reset_max;
  out.trial_calls = limits.circuit_trials;
  // A trial that waits for a session or a slow server is not lost yet.
  out.trial_timeout = std::max<duration>(limits.circuit_slow_after * 2, std::chrono::seconds(10));
  return out;
}

retry_options retry_options_of(const config::tuning& limits) noexcept {
  retry_options out;
  out.attempts = limits.retry_attempts;
  out.delay = limits.query_retry_delay;
  out.max_delay = limits.retry_max_delay;
  return out;
}

safeguards::safeguards(const std::string& name, const config::tuning& limits, std::uint32_t most_calls,
                       std::uint64_t seed, circuit_breaker::listener told)
    : breaker(breaker_options_of(limits), seed, std::move(told)),
      retries(retry_options_of(limits)),
      enabled(limits.circuit_breaker),
      places("max_concurrent", most_calls, limits.max_waiting),
      name_(name) {}

error safeguards::refusal(clock& time) {
  const auto now = time.coarse_now();
  const std::scoped_lock lock(mutex_);
  if (refusal_ && refused_in_ == breaker.state() && now < refused_until_) return *refusal_;
  const auto seen = breaker.snapshot(now);
  std::string cause = "the circuit breaker is " + std::string(to_string(seen.state)) + " since " +
                      wall_time(seen.since, now) + " (" +
                      format_duration_short(std::max(now - seen.since, duration::zero())) + ")";
  if (seen.forced) {
    cause += ", held open by hand";
  } else {
    if (seen.state == breaker_state::open) cause += ", until " + wall_time(seen.until, now);
    if (!seen.reason.empty()) cause += ": " + seen.reason;
  }
  error out(errc::circuit_open, cause);
  out.with_hint(seen.forced ? "release it: polypool breaker release " + name_
                            : "the server is given time to recover; trials follow by themselves");
  out.at(name_, "query");
  refusal_ = out;
  refused_in_ = seen.state;
  // Half-open and forced states end without a date.
  const auto fresh_until = saturating_add(now, std::chrono::seconds(1));
  refused_until_ = seen.state == breaker_state::open ? std::min(seen.until, fresh_until) : now;
  return out;
}

}  // namespace polypool::detail
