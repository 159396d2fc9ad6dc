// SPDX-License-Identifier: Apache-2.0
// What a manager does with all its connections at once.
#include "manager/manager_core.hpp"

#include <algorithm>

namespace polypool {

std::size_t health_report::count(health_status status) const noexcept {
  std::size_t found = 0;
  for (const auto& each : databases) found += each.status == status;
  return found;
}

namespace detail {
namespace {

struct attempt {
  connection_pointer state;
  std::optional<error> failure;
  bool opened = false;  // by this attempt, and not meanwhile by a caller's first use
};
using attempts = std::vector<attempt>;

task<void> try_connect(std::shared_ptr<attempts> list, std::size_t index) {
  std::optional<error> failure;
  try {
    task<void> connecting = (*list)[index].state->connect();
    co_await std::move(connecting);
  } catch (const error& e) {
    failure.emplace(e);
  }
  (*list)[index].opened = !failure;
  if (failure && failure->code() == errc::already_connected) failure.reset();
  (*list)[index].failure = std::move(failure);
}

struct check {
  connection_pointer state;
  std::optional<connection_health> found;  // nothing: it was interrupted, or is not to be touched
};
using checks = std::vector<check>;

task<void> check_one(std::shared_ptr<checks> list, std::size_t index) {
  task<connection_health> checking = (*list)[index].state->check_health();
  connection_health found = co_await std::move(checking);
  (*list)[index].found.emplace(std::move(found));
}

task<void> close_one(connection_pointer state, duration drain, duration force, connection_phase finally) {
  task<void> closing = state->close(drain, force, finally);
  co_await std::move(closing);
}

void add_to(health_report& report, connection_health found) {
  if (found.critical && found.status == health_status::unhealthy) report.healthy = false;
  report.databases.push_back(std::move(found));
}

// Several failures in one text, a line each.
error summary_of(const attempts& list) {
  std::size_t failed = 0;
  const error* first = nullptr;
  std::string lines;
  for (const auto& each : list) {
    if (!each.failure) continue;
    if (!first) first = &*each.failure;
    ++failed;
    if (failed <= 20) lines += "\n  " + std::string(each.failure->what());
  }
  if (failed == 1) return *first;
  return error(first->portable_code(), std::to_string(failed) + " of " + std::to_string(list.size()) +
                                           " connections could not be opened:" + lines);
}

}  // namespace

task<connect_report> manager_core::connect() {
  const auto keep = shared_from_this();
  require_open("connect");
  const auto list = std::make_shared<attempts>();
  for (auto& state : all()) {
    if (state->phase() == connection_phase::connected || state->limits().lazy_connect) continue;
    attempt& one = list->emplace_back();
    one.state = std::move(state);
  }
  std::vector<task<void>> work;
  for (std::size_t i = 0; i < list->size(); ++i) work.push_back(try_connect(list, i));
  task<wait_result> all_done = run_all(work_, std::move(work));
  const wait_result ended = co_await std::move(all_done);
  throw_unless_ready(ended);

  connect_report report;
  bool critical_failed = false;
  for (const auto& each : *list) {
    if (!each.failure) {
      report.connected.push_back(each.state->name());
      continue;
    }
    critical_failed = critical_failed || is_critical(*each.state);
    connect_report::failure failure{each.state->name(), *each.failure};
    report.failed.push_back(std::move(failure));
  }
  if (critical_failed || (report.connected.empty() && !report.failed.empty())) {
    for (const auto& each : *list) {
      if (!each.opened) continue;
      task<void> closing = each.state->close(duration::zero(), duration::zero(), connection_phase::closed);
      co_await std::move(closing);
    }
    throw summary_of(*list);
  }
  for (const auto& each : report.failed) {
    log_.error("manager", "a connection could not be opened; the others go on without it",
               {{"connection", each.name}, {"error", each.cause.what()}});
  }
  co_return report;
}

task<void> manager_core::close(duration drain, duration force) {
  const auto keep = shared_from_this();
  closing_.store(true, std::memory_order_release);
  std::vector<task<void>> work;
  auto states = all();
  {
    const std::shared_lock lock(mutex_);
    states.insert(states.end(), retiring_.begin(), retiring_.end());
  }
  for (auto& state : states) {
    // One that was never used has nothing to drain; closing it here keeps the background asleep.
    if (state->phase() == connection_phase::registered || state->phase() == connection_phase::closed) {
      task<void> closing = state->close(drain, force, connection_phase::closed);
      co_await std::move(closing);
    } else {
      work.push_back(close_one(std::move(state), drain, force, connection_phase::closed));
    }
  }
  if (work.empty()) co_return;
  const std::size_t count = work.size();  // all at once: each may need the whole time
  log_.info("manager", "closing connections", {{"count", std::to_string(count)}});
  task<wait_result> all_done = run_all(work_, std::move(work), count);
  co_await std::move(all_done);
}

duration manager_core::drain_timeout() const {
  const std::shared_lock lock(mutex_);
  return settings_.drain_timeout;
}
duration manager_core::force_timeout() const {
  const std::shared_lock lock(mutex_);
  return settings_.force_timeout;
}

connection_health manager_core::annotate(connection_health found, const connection_state& state) const {
  found.critical = is_critical(state);
  found.active = is_active(state);
  return found;
}

// Tells what these checks saw, and for those that were not checked what they count as.
task<health_report> manager_core::check_health() {
  const auto keep = shared_from_this();
  const auto list = std::make_shared<checks>();
  for (auto& state : all()) {
    check& one = list->emplace_back();
    one.state = std::move(state);
  }
  std::vector<task<void>> work;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const auto& state = *(*list)[i].state;
    const bool untouched = state.phase() == connection_phase::registered && state.limits().lazy_connect;
    if (!untouched) work.push_back(check_one(list, i));
  }
  task<wait_result> all_done = run_all(work_, std::move(work));
  co_await std::move(all_done);
  health_report report;
  for (auto& each : *list) {
    connection_health found = each.found ? std::move(*each.found) : each.state->last_health();
    add_to(report, annotate(std::move(found), *each.state));
  }
  co_return report;
}

health_report manager_core::last_health() const {
  health_report report;
  for (const auto& state : all()) add_to(report, annotate(state->last_health(), *state));
  return report;
}

bool manager_core::is_healthy() const {
  return std::ranges::none_of(all(), [this](const connection_pointer& each) {
    return each->health() == health_status::unhealthy && is_critical(*each);
  });
}

void manager_core::start_monitor() {
  require_open("start_monitor");
  {
    const std::shared_lock lock(mutex_);  // whoever registers now sees it or is in the list
    monitoring_.store(true, std::memory_order_relaxed);
  }
  for (const auto& state : all()) state->start_monitor();
}

void manager_core::stop_monitor() {
  {
    const std::shared_lock lock(mutex_);
    monitoring_.store(false, std::memory_order_relaxed);
  }
  for (const auto& state : all()) state->stop_monitor();
}

}  // namespace detail
}  // namespace polypool
