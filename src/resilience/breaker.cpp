// SPDX-License-Identifier: Apache-2.0
#include <polypool/breaker.hpp>
#include <polypool/duration.hpp>

#include <algorithm>
#include <utility>

namespace polypool {

std::string_view to_string(breaker_state state) noexcept {
  switch (state) {
    case breaker_state::half_open:
      return "half-open";
    case breaker_state::open:
      return "open";
    case breaker_state::closed:
      break;
  }
  return "closed";
}

bool counts_against_server(const error& failure) noexcept {
  switch (failure.portable_code()) {
    case errc::connect_failed:
    case errc::connection_lost:
    case errc::too_many_connections:
    case errc::deadline_exceeded:
    case errc::in_doubt:
    case errc::disk_full:
      return true;
    default:
      return false;
  }
}

circuit_breaker::circuit_breaker(breaker_options options, std::uint64_t seed, listener told)
    : options_(options),
      bucket_width_(std::max(options.window / static_cast<duration::rep>(bucket_count), duration(1))),
      told_(std::move(told)),
      random_(seed) {}

// the window ---------------------------------------------------------------------------------------------------------

circuit_breaker::bucket& circuit_breaker::bucket_of(time_point now) noexcept {
  const auto period = period_of(now);
  auto& found = buckets_[static_cast<std::size_t>(period) % bucket_count];
  auto seen = found.period.load(std::memory_order_acquire);
  // Whoever comes first into a new stretch of time empties the bucket. A count that races with it may be lost, which a
  // rate over many calls does not notice.
  if (seen != period && found.period.compare_exchange_strong(seen, period, std::memory_order_acq_rel)) {
    found.calls.store(0, std::memory_order_relaxed);
    found.failures.store(0, std::memory_order_relaxed);
    found.slow.store(0, std::memory_order_relaxed);
  }
  return found;
}

circuit_breaker::sums circuit_breaker::add_up(time_point now) const noexcept {
  sums all;
  const auto newest = period_of(now);
  for (const auto& each : buckets_) {
    const auto period = each.period.load(std::memory_order_acquire);
    if (period > newest || newest - period >= static_cast<std::int64_t>(bucket_count)) continue;
    all.calls += each.calls.load(std::memory_order_relaxed);
    all.failures += each.failures.load(std::memory_order_relaxed);
    all.slow += each.slow.load(std::memory_order_relaxed);
  }
  return all;
}

void circuit_breaker::clear_window() noexcept {
  for (auto& each : buckets_) each.period.store(-1, std::memory_order_release);
}

void circuit_breaker::count(time_point now, bool failed, bool slow) noexcept {
  auto& here = bucket_of(now);
  here.calls.fetch_add(1, std::memory_order_relaxed);
  if (failed) here.failures.fetch_add(1, std::memory_order_relaxed);
  if (slow) here.slow.fetch_add(1, std::memory_order_relaxed);
}

namespace {

bool reaches(std::uint32_t part, std::uint32_t whole, double rate) noexcept {
  return part > 0 && static_cast<double>(part) >= rate * static_cast<double>(whole);
}

}  // namespace

void circuit_breaker::check_rates(time_point now) noexcept {
  const auto all = add_up(now);
  if (all.calls < options_.volume_threshold) return;
  const bool failing = reaches(all.failures, all.calls, options_.failure_rate);
  if (!failing && !reaches(all.slow, all.calls, options_.slow_rate)) return;
  std::string reason = std::to_string(failing ? all.failures : all.slow) + " of " + std::to_string(all.calls) +
                       (failing ? " calls failed" : " calls took over " + format_duration(options_.slow_after)) +
                       " within " + format_duration(options_.window);
  std::unique_lock lock(mutex_);
  if (state_.load(std::memory_order_relaxed) == breaker_state::closed && forced_ == forcing::none) {
    trip(now, std::move(reason), lock);
  }
}

// calls --------------------------------------------------------------------------------------------------------------

std::optional<circuit_breaker::permit> circuit_breaker::admit(time_point now) {
  if (state_.load(std::memory_order_acquire) == breaker_state::closed) [[likely]]
    return permit();
  std::unique_lock lock(mutex_);
  const auto state = state_.load(std::memory_order_relaxed);
  if (state == breaker_state::closed) return permit();
  if (state == breaker_state::open) {
    if (forced_ == forcing::open || now < until_) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return std::nullopt;
    }
    trials_.clear();
    trial_successes_ = 0;
    const permit first{++next_trial_};
    trials_.push_back({first.trial, now});
    become(breaker_state::half_open, now, "the reset time is over", lock);
    return first;
  }
  // A trial whose outcome never came must not hold its place for ever.
  std::erase_if(trials_, [&](const trial& each) { return now - each.started >= options_.trial_timeout; });
  if (trials_.size() >= std::max<std::size_t>(options_.trial_calls, 1)) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  const permit next{++next_trial_};
  trials_.push_back({next.trial, now});
  return next;
}

// Gives the trial's place up. False when it is no trial of this time: what it came to is old news.
bool circuit_breaker::end_trial(permit given) noexcept {
  return std::erase_if(trials_, [&](const trial& each) { return each.id == given.trial; }) > 0;
}

void circuit_breaker::succeeded(permit given, duration took, time_point now) noexcept {
  const bool slow = took > options_.slow_after;
  if (given.trial == 0) [[likely]] {
    count(now, false, slow);
    if (slow) check_rates(now);
    return;
  }
  std::unique_lock lock(mutex_);
  if (!end_trial(given) || state_.load(std::memory_order_relaxed) != breaker_state::half_open) return;
  if (slow) return trip(now, "a trial took " + format_duration(took), lock);
  if (++trial_successes_ < options_.trial_calls) return;
  clear_window();
  closed_at_ = now;
  become(breaker_state::closed, now, std::to_string(trial_successes_) + " trials succeeded", lock);
}

void circuit_breaker::failed(permit given, duration took, time_point now) noexcept {
  if (given.trial == 0) {
    count(now, true, took > options_.slow_after);
    if (state_.load(std::memory_order_acquire) == breaker_state::closed) check_rates(now);
    return;
  }
  std::unique_lock lock(mutex_);
  if (end_trial(given) && state_.load(std::memory_order_relaxed) == breaker_state::half_open) {
    trip(now, "a trial failed", lock);
  }
}

void circuit_breaker::abandoned(permit given) noexcept {
  if (given.trial == 0) return;
  const std::scoped_lock lock(mutex_);
  end_trial(given);
}

void circuit_breaker::server_answered(time_point now) noexcept {
  if (state_.load(std::memory_order_acquire) != breaker_state::open) return;
  const std::scoped_lock lock(mutex_);
  if (state_.load(std::memory_order_relaxed) == breaker_state::open && forced_ == forcing::none) {
    until_ = std::min(until_, now);
  }
}

// states -------------------------------------------------------------------------------------------------------------

// Doubles with each trip that follows the last one soon, and is spread, so that many breakers do not knock together.
duration circuit_breaker::next_reset(time_point now) noexcept {
  if (closed_at_ != time_point() && now - closed_at_ > options_.reset_max) trips_ = 0;
  auto reset = options_.reset_time;
  for (std::uint32_t i = 0; i < trips_ && reset < options_.reset_max; ++i) reset *= 2;
  ++trips_;
  reset = std::min(reset, std::max(options_.reset_max, options_.reset_time));
  random_ += 0x9e3779b97f4a7c15ULL;  // splitmix64
  auto mixed = random_;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
  const double unit = static_cast<double>((mixed ^ (mixed >> 31)) >> 11) / 9007199254740992.0;  // 0 to 1
  const double spread = 1.0 + options_.reset_jitter * (2.0 * unit - 1.0);
  return std::chrono::duration_cast<duration>(reset * spread);
}

void circuit_breaker::trip(time_point now, std::string reason, std::unique_lock<std::mutex>& lock) noexcept {
  until_ = saturating_add(now, next_reset(now));
  ++opened_;
  reason_ = reason;
  trials_.clear();
  become(breaker_state::open, now, std::move(reason), lock);
}

// Ends with the lock released: listeners are told without it.
void circuit_breaker::become(breaker_state next, time_point now, std::string reason,
                             std::unique_lock<std::mutex>& lock) noexcept {
  breaker_change change;
  change.from = state_.exchange(next, std::memory_order_acq_rel);
  change.to = next;
  change.at = since_ = now;
  if (next == breaker_state::open) change.until = until_;
  change.reason = std::move(reason);
  lock.unlock();
  if (told_ && change.from != change.to) told_(change);
}

void circuit_breaker::force_open(time_point now) {
  std::unique_lock lock(mutex_);
  forced_ = forcing::open;
  until_ = no_deadline;
  trials_.clear();
  reason_ = "forced open";
  if (state_.load(std::memory_order_relaxed) != breaker_state::open) ++opened_;
  become(breaker_state::open, now, "forced open", lock);
}

void circuit_breaker::force_closed(time_point now) {
  std::unique_lock lock(mutex_);
  forced_ = forcing::closed;
  trials_.clear();
  become(breaker_state::closed, now, "forced closed", lock);
}

void circuit_breaker::release(time_point now) {
  std::unique_lock lock(mutex_);
  forced_ = forcing::none;
  trips_ = 0;
  trials_.clear();
  clear_window();
  become(breaker_state::closed, now, "no longer forced", lock);
}

breaker_state circuit_breaker::state() const noexcept { return state_.load(std::memory_order_acquire); }

breaker_snapshot circuit_breaker::snapshot(time_point now) const {
  const auto window = add_up(now);
  breaker_snapshot seen;
  seen.calls = window.calls;
  seen.failures = window.failures;
  seen.slow = window.slow;
  seen.refused = refused_.load(std::memory_order_relaxed);
  const std::scoped_lock lock(mutex_);
  seen.state = state_.load(std::memory_order_relaxed);
  seen.forced = forced_ != forcing::none;
  seen.since = since_;
  if (seen.state == breaker_state::open) seen.until = until_;
  seen.opened = opened_;
  seen.reason = reason_;
  return seen;
}

}  // namespace polypool
