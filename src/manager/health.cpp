// SPDX-License-Identifier: Apache-2.0
// Health checks: what one sees, and what the connection counts as after several.
#include "manager/connection_state.hpp"

#include <polypool/duration.hpp>

#include <algorithm>

namespace polypool {

std::string_view to_string(health_status status) noexcept {
  switch (status) {
    case health_status::unknown:
      return "unknown";
    case health_status::healthy:
      return "healthy";
    case health_status::unhealthy:
      return "unhealthy";
    case health_status::degraded:
      return "degraded";
  }
  return "unknown";
}

namespace detail {

namespace {

constexpr duration probe_limit = std::chrono::seconds(5);

bool saturated(const pool_statistics& numbers) noexcept {
  return numbers.waiting > 0 && numbers.idle == 0 && numbers.open >= numbers.max_open;
}

std::string saturation(const pool_statistics& numbers) {
  return "all " + std::to_string(numbers.max_open) + " sessions are busy and " + std::to_string(numbers.waiting) +
         " callers wait";
}

void append(std::string& reasons, const std::string& another) { reasons += (reasons.empty() ? "" : "; ") + another; }

}  // namespace

// What one check saw, before it counts.
struct connection_state::finding {
  health_status status = health_status::healthy;
  std::string reason;  // why it is not healthy
  duration latency{};
  std::optional<server_info> server;
  bool decides = false;  // from connecting or closing: counts at once

  static finding certain(health_status status, std::string reason = {}, std::optional<server_info> server = {}) {
    finding out;
    out.status = status;
    out.reason = std::move(reason);
    out.server = std::move(server);
    out.decides = true;
    return out;
  }
};

connection_health connection_state::last_health() const {
  const std::scoped_lock lock(mutex_);
  if (last_health_) return *last_health_;
  connection_health unknown;
  unknown.name = name_;
  unknown.type = type_;
  unknown.detail = "Connection '" + name_ + "' was not used yet";
  return unknown;
}

std::vector<health_record> connection_state::health_history() const {
  const std::scoped_lock lock(mutex_);
  return track_ ? track_->history() : std::vector<health_record>();
}

std::string connection_state::health_sentence(health_status status, const std::string& reason) const {
  std::string text = "Connection '" + name_ + "' is " + std::string(to_string(status));
  if (!reason.empty()) text += ": " + reason;
  return text;
}

// "1 of 3 failures in a row make it unhealthy", where what it counts as is not what the last check saw.
std::string connection_state::standing_reason(const finding& seen) const {
  const bool failed = seen.status == health_status::unhealthy;
  if (failed && track_->status() == health_status::degraded) {
    return "a check failed, the " + std::to_string(track_->failures()) + ". of " +
           std::to_string(limits_->unhealthy_after) + " in a row that make it unhealthy: " + seen.reason;
  }
  if (!failed && track_->status() == health_status::unhealthy) {
    return "it answers again, the " + std::to_string(track_->successes()) + ". of " +
           std::to_string(limits_->healthy_after) + " good checks in a row that it takes";
  }
  return seen.reason;
}

// Counts a finding. @return what was seen, for whoever asked
connection_health connection_state::note(finding seen) {
  connection_health out;
  out.name = name_;
  out.type = type_;
  out.status = seen.status;
  const bool over = seen.status == health_status::unknown;
  out.detail = over ? "Connection '" + name_ + "' is closed" : health_sentence(seen.status, seen.reason);
  out.latency = seen.latency;
  out.checked_at = std::chrono::system_clock::now();
  health_track::step step;
  std::string standing;
  {
    const std::scoped_lock lock(mutex_);
    if (seen.server) out.server = std::move(*seen.server);
    if (!seen.server && last_health_) out.server = last_health_->server;
    const auto now = phase();
    const bool ended = now == connection_phase::closed || now == connection_phase::removed;
    if (ended && !over) return out;   // whoever closed it had the last word
    if (!track_ && over) return out;  // closing what was never used: nothing to remember
    step = count(seen, out);
    standing = last_health_->detail;
    // Under the lock, so that events come in the order of what they tell; publishing only copies.
    if (step.began_failing) tell(event_kind::connection_error, "", "", seen.reason);
    if (step.answered_again) tell(event_kind::connection_recovery, "", "", standing);
    if (step.before != step.after) {
      tell(event_kind::health_change, to_string(step.before), to_string(step.after), standing);
    }
  }
  if (step.before != step.after) log_health(step.before, step.after, standing);
  return out;
}

// Expects the lock. What the connection counts as from now on, with a sentence for it.
health_track::step connection_state::count(const finding& seen, const connection_health& check) {
  if (!track_) track_ = std::make_unique<health_track>();
  const auto step = seen.decides ? track_->decide(seen.status)
                                 : track_->note(seen.status, {limits_->unhealthy_after, limits_->healthy_after});
  health_.store(step.after, std::memory_order_release);
  auto fresh = std::make_unique<connection_health>(check);
  fresh->status = step.after;
  if (seen.status != health_status::unknown) {
    track_->remember({check.checked_at, seen.latency, seen.status, step.after, seen.reason});
    fresh->detail = health_sentence(step.after, standing_reason(seen));
  }
  last_health_ = std::move(fresh);
  return step;
}

void connection_state::log_health(health_status before, health_status after, const std::string& standing) const {
  if (silent_.load(std::memory_order_relaxed)) return;
  if (after == health_status::unhealthy) {
    log_.warning("health", "connection is unhealthy", {{"connection", name_}, {"error", standing}});
  } else if (after == health_status::degraded) {
    log_.warning("health", "connection is degraded", {{"connection", name_}, {"error", standing}});
  } else if (after == health_status::healthy && before != health_status::unknown) {
    log_.info("health", "connection is healthy again", {{"connection", name_}});
  }
}

void connection_state::connected() { note(finding::certain(health_status::healthy)); }
void connection_state::failed_to_connect(const error& why) {
  note(finding::certain(health_status::unhealthy, why.cause()));
}
void connection_state::report(health_status status, std::string reason, std::optional<server_info> server) {
  auto expected = connection_phase::registered;
  if (status != health_status::unhealthy) phase_.compare_exchange_strong(expected, connection_phase::connected);
  note(finding::certain(status, std::move(reason), std::move(server)));
}
void connection_state::speak_up(const connection_state* before) noexcept {
  const std::string where = target();
  const std::scoped_lock lock(mutex_);  // as in note(): events come in the order of what they tell
  silent_.store(false, std::memory_order_relaxed);
  if (!before) tell(event_kind::registered, "", "", where);
  const auto was = before ? before->health() : health_status::unknown;
  const auto is = health();
  if (is == was || is == health_status::unknown) return;
  const std::string_view detail = last_health_ ? std::string_view(last_health_->detail) : std::string_view();
  if (!is_serving(is)) tell(event_kind::connection_error, "", "", detail);
  if (is_serving(is) && was == health_status::unhealthy) tell(event_kind::connection_recovery, "", "", detail);
  tell(event_kind::health_change, to_string(was), to_string(is), detail);
}
void connection_state::ended() { note(finding::certain(health_status::unknown)); }

std::optional<breaker_snapshot> connection_state::breaker_view() const {
  const safeguards* made = guards_.load(std::memory_order_acquire);
  if (!made) return std::nullopt;
  return made->breaker.snapshot(time_.coarse_now());
}

// A sign of life from the server, and what it is now, on a session that is nobody's at the time.
task<server_info> connection_state::probe_once() {
  task<lease> waiting = acquire(std::source_location::current());
  const lease borrowed = co_await std::move(waiting);
  task<void> probing = borrowed->probe();
  co_await std::move(probing);
  task<server_info> asking = borrowed->describe();
  co_return co_await std::move(asking);
}

// Completed by what a group knows of it.
server_info connection_state::with_lag(server_info said) const noexcept {
  const duration behind(lag_in_group_.load(std::memory_order_relaxed));
  if (said.role == server_info::role_type::replica && !said.lag && behind != unknown_lag) said.lag = behind;
  return said;
}

// Trials may pass its circuit breaker: somebody saw the server.
void connection_state::answered() noexcept {
  if (auto* made = guards_.load(std::memory_order_acquire)) made->breaker.server_answered(time_.now());
}

// Why a server that answers is not as well as it could be.
std::string connection_state::shortcomings(const finding& seen) const {
  std::string reasons;
  if (limits_->slow_probe > duration::zero() && seen.latency > limits_->slow_probe) {
    append(reasons, "its check took " + format_duration_short(seen.latency));
  }
  if (seen.server && seen.server->lag && limits_->max_replica_lag > duration::zero() &&
      *seen.server->lag > limits_->max_replica_lag) {
    append(reasons, "it is " + format_duration_short(*seen.server->lag) + " behind its primary");
  }
  if (const auto breaker = breaker_view(); breaker && breaker->state != breaker_state::closed) {
    append(reasons, "its circuit breaker is " + std::string(to_string(breaker->state)));
  }
  if (const pool* made = pool_.load(std::memory_order_acquire)) {
    if (const auto numbers = made->statistics(); saturated(numbers)) append(reasons, saturation(numbers));
  }
  return reasons;
}

// Nothing is asked of a pool in which users wait already, as long as their calls succeed: that is a sign of life.
bool connection_state::busy_and_alive(finding& seen) {
  const auto good = queries_.load(std::memory_order_relaxed) - errors_.load(std::memory_order_relaxed);
  std::uint64_t before = good;
  {
    const std::scoped_lock lock(mutex_);
    if (track_) before = std::exchange(track_->successes_before, good);
  }
  const pool* made = pool_.load(std::memory_order_acquire);
  if (!made || good <= before) return false;
  const auto numbers = made->statistics();
  if (!saturated(numbers)) return false;
  seen.status = health_status::degraded;
  seen.reason = saturation(numbers);
  return true;
}

task<connection_health> connection_state::check_health() {
  const auto keep = shared_from_this();
  if (group_) {
    task<void> looking = group_->look();
    co_await std::move(looking);
    co_return last_health();
  }
  finding seen;
  if (busy_and_alive(seen)) co_return note(std::move(seen));
  const auto good_before = queries_.load() - errors_.load();
  const auto started = time().now();
  std::optional<error> failure;
  try {
    server_info said = co_await with_timeout(probe_limit, probe_once());
    seen.server = with_lag(std::move(said));
  } catch (const error& e) {
    failure.emplace(e);
  }
  seen.latency = time().now() - started;
  health_checks_.fetch_add(1, std::memory_order_relaxed);
  health_check_time_.fetch_add(seen.latency.count(), std::memory_order_relaxed);
  health_check_durations_.record(seen.latency);
  last_health_check_.store(seen.latency.count(), std::memory_order_relaxed);
  // A pool so busy that not even the probe gets a session, but whose queries succeed, has a living server.
  const bool progress = queries_.load() - errors_.load() > good_before;
  if (!failure) answered();
  if (failure && failure->code() == errc::pool_timeout && progress) {
    seen.status = health_status::degraded;
    seen.reason = "all its sessions are busy";
  } else if (failure) {
    health_checks_failed_.fetch_add(1, std::memory_order_relaxed);
    seen.status = health_status::unhealthy;
    seen.reason = failure->cause();
  } else if (auto reasons = shortcomings(seen); !reasons.empty()) {
    seen.status = health_status::degraded;
    seen.reason = std::move(reasons);
  }
  co_return note(std::move(seen));
}

}  // namespace detail
}  // namespace polypool
