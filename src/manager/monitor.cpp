// SPDX-License-Identifier: Apache-2.0
// When connections are checked: a task for each one in use, none for the others; and what their pools tell.
#include "manager/connection_state.hpp"

#include <polypool/duration.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <random>
#include <string_view>

namespace polypool::detail {

namespace {

constexpr duration first_look = std::chrono::seconds(1);
constexpr duration least_pause = std::chrono::milliseconds(10);

// Random, so that the checks of many connections do not fall together, however many begin at once.
class schedule {
 public:
  schedule(const config::tuning& limits, std::size_t seed) noexcept
      : limits_(limits), random_(static_cast<std::minstd_rand::result_type>(seed)) {}

  duration first() { return spread(std::min<duration>(limits_.health_check_interval, first_look), 0.1); }
  /// @param hurry it fails, or is on its way back
  duration next(bool hurry) {
    if (!hurry || !limits_.enable_auto_reconnect) {
      delay_ = duration::zero();
      return spread(limits_.health_check_interval, 0.8);
    }
    delay_ = delay_ == duration::zero() ? limits_.retry_delay : delay_ * 2;
    delay_ = std::max(std::min<duration>(delay_, limits_.retry_max_delay), least_pause);
    return spread(std::min<duration>(delay_, limits_.health_check_interval), 0.5);
  }
  /// It answered: the next attempts begin with short pauses again.
  void restart() noexcept { delay_ = duration::zero(); }

 private:
  duration spread(duration span, double least) {
    return std::chrono::duration_cast<duration>(span * std::uniform_real_distribution<double>(least, 1.0)(random_));
  }
  const config::tuning& limits_;
  std::minstd_rand random_;
  duration delay_{};
};

std::string_view file_name(const std::source_location& where) noexcept {
  const std::string_view path = where.file_name();
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

// Expects the lock.
void connection_state::start_monitor_locked() {
  if (!monitor_wanted_ || monitor_stop_.stop_possible() || limits_->health_check_interval <= duration::zero()) return;
  std::stop_source fresh;
  work().spawn(monitor(fresh.get_token()));
  monitor_stop_ = std::move(fresh);
}

void connection_state::start_monitor() {
  const std::scoped_lock lock(mutex_);
  monitor_wanted_ = true;
  const auto now = phase();
  const bool over = now == connection_phase::closing || now == connection_phase::closed || gone();
  if (made_pool_ && !over) start_monitor_locked();
}

void connection_state::stop_monitor() {
  std::stop_source running{std::nostopstate};
  {
    const std::scoped_lock lock(mutex_);
    monitor_wanted_ = false;
    std::swap(running, monitor_stop_);
  }
  running.request_stop();
}

bool connection_state::monitored() const {
  const std::scoped_lock lock(mutex_);
  return monitor_stop_.stop_possible();
}

task<void> connection_state::monitor(std::stop_token stop) {
  const auto keep = shared_from_this();
  const auto now = static_cast<std::size_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  schedule when(*limits_, std::hash<const void*>()(this) ^ now);
  duration pause = when.first();
  bool failing = false;
  for (;;) {
    task<wait_result> pausing = sleep_for(pause);
    const wait_result paused = co_await with_stop(stop, std::move(pausing));
    if (paused != wait_result::ready || stop.stop_requested()) co_return;
    if (phase() == connection_phase::connected) {
      task<connection_health> checking = check_health();
      const connection_health found = co_await with_stop(stop, std::move(checking));
      if (stop.stop_requested()) co_return;
      const bool failed = found.status == health_status::unhealthy;
      if (failing && limits_->enable_auto_reconnect) {  // the pool stays: its sessions that still work do
        (failed ? reconnects_failed_ : reconnects_succeeded_).fetch_add(1, std::memory_order_relaxed);
      }
      if (failing && !failed) when.restart();
      failing = failed;
    }
    pause = when.next(unsettled());
  }
}

bool connection_state::unsettled() const {
  const std::scoped_lock lock(mutex_);
  return track_ && track_->unsettled();
}

// On callers' paths: allocates nothing of its own.
void connection_state::heed(const pool_incident& what) const noexcept {
  std::array<char, event_bus::longest_detail> text{};
  const auto file = file_name(what.where);
  const double seconds = std::chrono::duration<double>(what.span).count();
  const auto line = what.where.line();
  const auto name_length = static_cast<int>(std::min<std::size_t>(file.size(), 80));
  const bool leak = what.kind == pool_incident::what::leak;
  const int length =
      leak ? std::snprintf(text.data(), text.size(), "a session is on loan for %.3gs to %.*s:%u (%.150s)", seconds,
                           name_length, file.data(), line, what.where.function_name())
           : std::snprintf(text.data(), text.size(),
                           "no session within %.3gs for %.*s:%u; %u of at most %u are in use, %u callers wait", seconds,
                           name_length, file.data(), line, what.in_use, what.max_open, what.waiting);
  const auto size = std::min(static_cast<std::size_t>(std::max(length, 0)), text.size() - 1);
  tell(leak ? event_kind::leak : event_kind::pool_exhausted, "", "", std::string_view(text.data(), size));
}

}  // namespace polypool::detail
