// SPDX-License-Identifier: Apache-2.0
// Health checks and reconnecting: one task per connection in use, none for the others.
#include "manager/connection_state.hpp"

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
  }
  return "unknown";
}

namespace detail {

namespace {

constexpr duration probe_limit = std::chrono::seconds(5);

}  // namespace

connection_health connection_state::last_health() const {
  const std::scoped_lock lock(mutex_);
  if (last_health_) return *last_health_;
  connection_health unknown;
  unknown.name = name_;
  unknown.type = type_;
  unknown.detail = "Connection '" + name_ + "' was not used yet";
  return unknown;
}

void connection_state::set_health(health_status status, std::string detail, duration latency,
                                  std::optional<server_info> server) {
  auto fresh = std::make_unique<connection_health>();
  fresh->name = name_;
  fresh->type = type_;
  fresh->status = status;
  fresh->detail = std::move(detail);
  fresh->latency = latency;
  fresh->checked_at = std::chrono::system_clock::now();
  const auto before = health_.exchange(status, std::memory_order_acq_rel);
  if (before != status && status == health_status::unhealthy) {
    log_.warning("health", "connection is unhealthy", {{"connection", name_}, {"error", fresh->detail}});
  } else if (before == health_status::unhealthy && status == health_status::healthy) {
    log_.info("health", "connection is healthy again", {{"connection", name_}});
  }
  const std::scoped_lock lock(mutex_);
  if (server) {
    fresh->server = std::move(*server);
  } else if (last_health_) {
    fresh->server = std::move(last_health_->server);
  }
  last_health_ = std::move(fresh);
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

task<connection_health> connection_state::check_health() {
  const auto keep = shared_from_this();
  if (group_) {
    task<void> looking = group_->look();
    co_await std::move(looking);
    co_return last_health();
  }
  const auto queries_before = queries_.load() - errors_.load();
  const auto started = time().now();
  std::optional<error> failure;
  std::optional<server_info> server;
  try {
    server = co_await with_timeout(probe_limit, probe_once());
  } catch (const error& e) {
    failure.emplace(e);
  }
  const auto took = time().now() - started;
  health_checks_.fetch_add(1, std::memory_order_relaxed);
  health_check_time_.fetch_add(took.count(), std::memory_order_relaxed);
  health_check_durations_.record(took);
  last_health_check_.store(took.count(), std::memory_order_relaxed);
  // A pool so busy that not even the probe gets a session, but whose queries succeed, has a living server.
  const bool saturated = failure && failure->code() == errc::pool_timeout;
  const bool progress = queries_.load() - errors_.load() > queries_before;
  if (!failure) {
    set_health(health_status::healthy, "Connection '" + name_ + "' is healthy", took, std::move(server));
  } else if (saturated && progress) {
    set_health(health_status::healthy, "Connection '" + name_ + "' is healthy; all its sessions are busy", took);
  } else {
    set_health(health_status::unhealthy, "Connection '" + name_ + "' is unhealthy: " + failure->cause(), took);
  }
  co_return last_health();
}

task<void> connection_state::monitor(std::stop_token stop) {
  const auto keep = shared_from_this();
  std::uint64_t round = sequence_;
  for (;;) {
    // A tenth of spread, so that the checks of many connections do not fall together.
    const auto interval = limits_->health_check_interval;
    const auto spread = interval / 10 * static_cast<std::int64_t>(round++ * 7 % 10) / 10;
    task<wait_result> pausing = sleep_for(interval - spread);
    const wait_result paused = co_await with_stop(stop, std::move(pausing));
    if (paused != wait_result::ready || stop.stop_requested()) co_return;
    if (phase() != connection_phase::connected) continue;
    task<connection_health> checking = check_health();
    const connection_health found = co_await with_stop(stop, std::move(checking));
    if (stop.stop_requested()) co_return;
    if (found.status == health_status::unhealthy && limits_->enable_auto_reconnect) {
      task<void> again = reconnect_until(stop);
      co_await std::move(again);
    }
  }
}

// Tries to get a session, with backoff, until it works. The pool is not torn down for it: sessions that still work
// stay.
task<void> connection_state::reconnect_until(std::stop_token stop) {
  auto delay = limits_->retry_delay;
  while (!stop.stop_requested()) {
    task<wait_result> pausing = sleep_for(delay);
    const wait_result paused = co_await with_stop(stop, std::move(pausing));
    if (paused != wait_result::ready || phase() != connection_phase::connected) co_return;
    task<connection_health> checking = check_health();
    const connection_health found = co_await with_stop(stop, std::move(checking));
    if (stop.stop_requested()) co_return;
    if (found.status == health_status::healthy) {
      reconnects_succeeded_.fetch_add(1, std::memory_order_relaxed);
      co_return;
    }
    reconnects_failed_.fetch_add(1, std::memory_order_relaxed);
    delay = std::min(delay * 2, limits_->retry_max_delay);
  }
}

}  // namespace detail
}  // namespace polypool
