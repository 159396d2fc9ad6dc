// SPDX-License-Identifier: Apache-2.0
// Leasing and returning.
#include "pool/pool_core.hpp"

#include "pool/limited.hpp"

#include <algorithm>
#include <functional>

namespace polypool {

pool_core::pool_core(pool_options options, session_opener open, background& work, log::logger log)
    : options_(std::move(options)),
      opener_(std::move(open)),
      work_(&work),
      time_(work.time()),
      log_(std::move(log)),
      random_(static_cast<std::minstd_rand::result_type>(
          std::hash<const void*>()(this) ^
          static_cast<std::size_t>(std::chrono::steady_clock::now().time_since_epoch().count()))) {}

void pool_core::lend(item& it, std::source_location where, time_point now) noexcept {
  it.leased_at = now;
  it.where = where;
  it.leak_reported = false;
  ++counters_.leases;
}

bool pool_core::stale(const item& it, time_point now) const noexcept {
  return options_.probe_after > duration::zero() && now - std::max(it.last_used, it.last_probed) > options_.probe_after;
}

std::optional<close_cause> pool_core::must_close(const item& it, time_point now) const noexcept {
  if (closed_) return close_cause::closed;
  if (it.generation != generation_) return close_cause::generation;
  if (now >= it.expires) return close_cause::lifetime;
  if (staying() > options_.max_open) return close_cause::resize;
  return std::nullopt;
}

namespace {

const void* this_thread() noexcept {
  static thread_local char mark;
  return &mark;
}

}  // namespace

// The idle session that was used last; but the one that this thread had, where that is nearly as warm. A thread and the
// server process it talks to then stay together on a core instead of waking each other across cores.
pool_core::item* pool_core::warmest(time_point now) const noexcept {
  const void* const me = this_thread();
  int looks = 4;
  for (item* it = idle_.last(); it && looks > 0; it = it->previous, --looks) {
    if (it->last_thread == me && !stale(*it, now)) return it;
  }
  return idle_.last();
}

// Takes the warmest idle session; those past their time are closed.
pool_core::item* pool_core::pop_idle(departures& doomed, std::source_location where, time_point now) noexcept {
  while (item* const it = warmest(now)) {
    if (const auto cause = must_close(*it, now)) {
      retire(*it, idle_, *cause, doomed);
      continue;
    }
    in_use_.move_to_back(idle_, *it);
    lend(*it, where, now);
    it->last_thread = this_thread();
    return it;
  }
  return nullptr;
}

pool_core::item* pool_core::try_take(std::source_location where) noexcept {
  const auto now = time_.coarse_now();
  departures doomed(*this);
  const guard lock(mutex_);
  if (closed_ || first_waiter_ || idle_.empty()) return nullptr;
  if (stale(*idle_.last(), now)) return nullptr;
  return pop_idle(doomed, where, now);
}

task<lease> pool_core::take(pointer core, std::source_location where) {
  environment env = co_await this_environment();
  const auto started = core->time_.now();
  if (core->options_.acquire_timeout > duration::zero()) {
    env.deadline = std::min(env.deadline, saturating_add(started, core->options_.acquire_timeout));
  }
  env.time = &core->time_;
  std::optional<error> dead;
  // One whose time is over already neither queues nor has a session opened.
  while (!env.expired() && !env.stop.stop_requested()) {
    waiter place(*core, where, dead.has_value());
    co_await place.in(env);
    item* const it = place.take();
    if (place.failure()) {
      if (place.failure()->code() == errc::pool_queue_full) core->tell_exhausted(duration::zero(), where);
      throw error(*place.failure());
    }
    if (!it) break;
    lease mine(it);
    if (!core->stale(*it, core->time_.coarse_now())) co_return std::move(mine);
    const auto before = core->time_.now();
    task<std::optional<error>> probing = probe(*core, *it, env.deadline);
    dead = co_await std::move(probing);
    if (!dead) co_return std::move(mine);
    if (env.expired() || env.stop.stop_requested()) {  // the caller's time is over, which proves nothing
      core->doubt(mine);
      break;
    }
    mine.discard();
    departures doomed(*core);
    const guard lock(core->mutex_);
    core->suspect_idle(before, doomed);
  }
  const auto waited = core->time_.now() - started;
  guard lock(core->mutex_);
  error late = core->explain_timeout(waited, env.stop.stop_requested(), dead);
  lock.unlock();
  if (late.code() == errc::pool_timeout) core->tell_exhausted(waited, where);
  throw late;
}

// Whether a session that was idle for long still lives.
task<std::optional<error>> pool_core::probe(pool_core& core, item& it, time_point deadline) {
  task<std::optional<error>> caring = care(core, it, true);
  std::optional<error> failure = co_await with_deadline(deadline, std::move(caring));
  if (!failure) it.last_probed = core.time_.now();
  co_return failure;
}

void pool_core::give_back(item& returned) noexcept {
  const bool broken = returned.session->broken();
  const bool dirty = !broken && returned.session->dirty();
  const auto now = time_.coarse_now();
  departures doomed(*this);
  guard lock(mutex_);
  const auto cause = broken ? std::optional(close_cause::broken) : must_close(returned, now);
  if (cause) {
    retire(returned, in_use_, *cause, doomed);
    open_wanted();
  } else if (dirty) {
    clean_later(returned, in_use_, chore::reset, doomed);
  } else {
    returned.last_used = now;
    waiter* const next = offer(returned, in_use_, now);
    lock.unlock();  // from here on the pool may be gone
    wake_all(next);
  }
}

void pool_core::expect_long(item& it) noexcept {
  const guard lock(mutex_);
  it.leak_reported = true;
}

bool pool_core::wants_back(const item& it, time_point now) const noexcept {
  return starving_.load(std::memory_order_relaxed) || closed_.load(std::memory_order_relaxed) ||
         it.generation != generation_.load(std::memory_order_relaxed) || now >= it.expires;
}

void pool_core::discard(item& returned) noexcept {
  departures doomed(*this);
  const guard lock(mutex_);
  retire(returned, in_use_, close_cause::broken, doomed);
  open_wanted();
}

// Takes back a session of which nobody knows whether it lives: it is reset before anybody gets it.
void pool_core::doubt(lease& returned) noexcept {
  item& it = *std::exchange(returned.item_, nullptr);
  departures doomed(*this);
  const guard lock(mutex_);
  if (closed_) {
    retire(it, in_use_, close_cause::closed, doomed);
  } else {
    clean_later(it, in_use_, chore::reset, doomed);
  }
}

// Gives a usable session to the first waiter, or keeps it idle. @return a thread to wake without the lock
pool_core::waiter* pool_core::offer(item& it, item_list& from, time_point now) noexcept {
  if (waiter* const first = pop_waiter(now)) {
    in_use_.move_to_back(from, it);
    lend(it, first->where_, now);
    first->given_ = &it;
    if (first->blocking()) return first;
    first->wake();  // under the lock: a task may be dropped, but not in the middle of this
    return nullptr;
  }
  // kept in the order of last use, also when one comes back from a keepalive
  item* place = idle_.last();
  while (place && place->last_used > it.last_used) place = place->previous;
  idle_.move_behind(from, it, place);
  if (idle_.size() > options_.max_idle && next_look_ > now + excess_idle_grace) {
    next_look_ = now;
    poke_.set();
  }
  return nullptr;
}

// Closes a session: in the background, or, when there is none any more, where `doomed` goes.
void pool_core::retire(item& it, item_list& from, close_cause cause, departures& doomed) noexcept {
  ++counters_.closed[static_cast<std::size_t>(cause)];
  if (!closed_) {
    closing_.move_to_back(from, it);
    if (launch(chore::close, &it)) return;
    doomed.list_.move_to_back(closing_, it);
  } else {
    doomed.list_.move_to_back(from, it);
  }
  ++departing_;
}

void pool_core::departures::carry_out() noexcept {
  if (list_.empty()) return;
  const auto keep = list_.first()->owner;
  const auto count = static_cast<std::uint32_t>(list_.size());
  for (item* it = list_.first(); it; it = it->next) it->session.reset();
  list_.clear();
  const guard lock(core_.mutex_);
  core_.departing_ -= count;
  core_.open_wanted();
  core_.note_quiet();
}

void pool_core::note_quiet() noexcept {
  if (closed_ && open() == 0) quiet_.set();
}

}  // namespace polypool
