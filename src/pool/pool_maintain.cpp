// SPDX-License-Identifier: Apache-2.0
// What a pool does in the background while it has sessions: expiry, keepalive, leak reports, refilling.
#include "pool/pool_core.hpp"

#include <polypool/duration.hpp>

#include <algorithm>

namespace polypool {

void pool_core::start_maintenance() noexcept {
  if (maintaining_ || closed_) return;
  maintaining_ = true;
  if (!launch(chore::maintain, nullptr)) maintaining_ = false;
}

task<void> pool_core::maintain(errand mine) {
  pool_core& core = mine.core();
  for (;;) {
    time_point next{};
    std::stop_token stop;
    std::vector<leak> leaks;
    {
      departures doomed(core);
      const guard lock(core.mutex_);
      core.poke_.reset();
      const bool idle_for_good = core.staying() == 0 && core.options_.min_open == 0;
      if (core.closed_ || idle_for_good) {
        core.maintaining_ = false;  // the next session that opens starts it again
        mine.done();
        co_return;
      }
      const auto now = core.time_.now();
      core.expire_idle(now, doomed);
      core.start_keepalive(now, doomed);
      leaks = core.find_leaks(now);
      core.open_wanted();
      next = core.next_look_ = core.next_event(now);
      stop = core.stop_.get_token();
    }
    core.report(leaks);
    task<wait_result> waiting = with_stop(std::move(stop), core.poke_.wait());
    co_await with_deadline(next, std::move(waiting));
  }
}

void pool_core::expire_idle(time_point now, departures& doomed) noexcept {
  for (item* each = idle_.first(); each;) {
    item& it = *each;
    each = it.next;
    std::optional<close_cause> cause = must_close(it, now);
    const bool above_minimum = staying() > options_.min_open;
    const auto unused = now - it.last_used;
    if (!cause && above_minimum && unused >= it.idle_limit) cause = close_cause::idle_time;
    if (!cause && above_minimum && idle_.size() > options_.max_idle && unused >= excess_idle_grace) {
      cause = close_cause::idle_count;
    }
    if (cause) retire(it, idle_, *cause, doomed);
  }
}

// One at a time, so that the others stay at hand. The end of each pokes the maintenance.
void pool_core::start_keepalive(time_point now, departures& doomed) noexcept {
  if (options_.keepalive_interval <= duration::zero() || keepalives_ > 0) return;
  for (item* it = idle_.first(); it; it = it->next) {
    if (now - std::max(it->last_used, it->last_probed) < options_.keepalive_interval) continue;
    return clean_later(*it, idle_, chore::keepalive, doomed);
  }
}

// A session turned out to be dead: those that were idle as long are probed before somebody gets them.
void pool_core::suspect_idle(time_point since, departures& doomed) noexcept {
  if (closed_) return;
  for (item* each = idle_.first(); each;) {
    item& it = *each;
    each = it.next;
    if (stale(it, since)) clean_later(it, idle_, chore::keepalive, doomed);
  }
}

std::vector<pool_core::leak> pool_core::find_leaks(time_point now) {
  std::vector<leak> found;
  if (options_.leak_threshold <= duration::zero()) return found;
  for (item* it = in_use_.first(); it; it = it->next) {
    const auto held = now - it->leased_at;
    if (held < options_.leak_threshold) break;  // the rest is younger
    if (std::exchange(it->leak_reported, true)) continue;
    ++counters_.leaks;
    found.push_back({held, it->where});
  }
  return found;
}

void pool_core::report(const std::vector<leak>& leaks) const {
  for (const auto& each : leaks) {
    log_.warning("pool", "a session has been on loan for long; is it a leak?",
                 {{"connection", options_.name},
                  {"held", format_duration_short(each.held)},
                  {"leased_at", std::string(each.where.file_name()) + ":" + std::to_string(each.where.line())},
                  {"function", each.where.function_name()}});
    pool_incident what;
    what.kind = pool_incident::what::leak;
    what.span = each.held;
    what.where = each.where;
    tell(what);
  }
}

void pool_core::tell(pool_incident what) const noexcept {
  if (!options_.told) return;
  {
    const guard lock(mutex_);
    what.in_use = static_cast<std::uint32_t>(in_use_.size());
    what.max_open = options_.max_open;
    what.waiting = waiting_;
  }
  options_.told(what);
}

void pool_core::tell_exhausted(duration waited, std::source_location where) noexcept {
  const auto now = time_.now();
  {
    const guard lock(mutex_);
    if (exhaustion_told_ != time_point{} && now - exhaustion_told_ < std::chrono::seconds(1)) return;
    exhaustion_told_ = now;
  }
  pool_incident what;
  what.span = waited;
  what.where = where;
  tell(what);
}

time_point pool_core::next_event(time_point now) const noexcept {
  auto next = no_deadline;
  const auto consider = [&](time_point when) {
    next = std::min(next, std::max(when, now + std::chrono::milliseconds(1)));
  };
  // What is overdue waits for somebody else: a session past its lifetime for its return, a refill for a free hand.
  const auto consider_future = [&](time_point when) {
    if (when > now) consider(when);
  };
  for (const item* it = idle_.first(); it; it = it->next) {
    consider_future(it->expires);
    if (staying() > options_.min_open) {
      if (it->idle_limit != duration::max()) consider(it->last_used + it->idle_limit);
      if (idle_.size() > options_.max_idle) consider(it->last_used + excess_idle_grace);
    }
    if (options_.keepalive_interval > duration::zero() && keepalives_ == 0) {
      consider(std::max(it->last_used, it->last_probed) + options_.keepalive_interval);
    }
  }
  for (const item* it = in_use_.first(); it; it = it->next) {
    consider_future(it->expires);
    if (options_.leak_threshold > duration::zero() && !it->leak_reported) {
      consider(it->leased_at + options_.leak_threshold);
    }
  }
  // What is leased or returned after this look is due no sooner than the shortest of these.
  if (live() > 0) {
    const auto idle_span = std::chrono::duration_cast<duration>(options_.max_idle_time * least_share);
    for (const duration span : {options_.leak_threshold, idle_span, options_.keepalive_interval}) {
      if (span > duration::zero()) consider(saturating_add(now, span));
    }
  }
  consider_future(retry_at_);
  return next;
}

}  // namespace polypool
