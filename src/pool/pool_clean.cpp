// SPDX-License-Identifier: Apache-2.0
// Background tasks on single sessions: resetting, keeping alive, closing. And how all background tasks start.
#include "pool/limited.hpp"
#include "pool/pool_core.hpp"

namespace polypool {

// Starts a background task. Expects the lock. @return false when it cannot be started
bool pool_core::launch(chore what, item* it) noexcept {
  launching_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  launch_failed_ = false;
  try {
    errand mine(shared_from_this(), what, it);
    switch (what) {
      case chore::open:
        work_->spawn(open_one(std::move(mine)));
        break;
      case chore::reset:
      case chore::keepalive:
        work_->spawn(clean(std::move(mine)));
        break;
      case chore::close:
        work_->spawn(close_item(std::move(mine)));
        break;
      case chore::maintain:
        work_->spawn(maintain(std::move(mine)));
        break;
    }
  } catch (...) {  // no memory, no thread: whoever launches it does without
    launch_failed_ = true;
  }
  launching_.store({}, std::memory_order_relaxed);
  return !launch_failed_;
}

// A background task was dropped before its end, since the background goes. (Or it could not even be started: then this
// runs below launch(), which has the lock and whose caller puts things right.)
void pool_core::abandon(chore what, item* it) noexcept {
  if (launching_.load(std::memory_order_relaxed) == std::this_thread::get_id()) {
    launch_failed_ = true;
    return;
  }
  departures doomed(*this);
  const guard lock(mutex_);
  switch (what) {
    case chore::open:
      --opening_;
      wished_ = false;
      break;
    case chore::reset:
    case chore::keepalive:
      if (what == chore::keepalive) --keepalives_;
      ++counters_.closed[static_cast<std::size_t>(close_cause::closed)];
      doomed.list_.move_to_back(cleaning_, *it);
      ++departing_;
      break;
    case chore::close:
      doomed.list_.move_to_back(closing_, *it);
      ++departing_;
      break;
    case chore::maintain:
      maintaining_ = false;
      break;
  }
  note_quiet();
}

// A session that needs care before the next caller may have it. It counts as in use until then.
void pool_core::clean_later(item& it, item_list& from, chore what, departures& doomed) noexcept {
  cleaning_.move_to_back(from, it);
  if (what == chore::keepalive) ++keepalives_;
  if (launch(what, &it)) return;
  if (what == chore::keepalive) --keepalives_;
  retire(it, cleaning_, close_cause::broken, doomed);
}

// Probes or resets a session. @return what went wrong
task<std::optional<error>> pool_core::care(pool_core& core, item& it, bool keepalive) {
  std::optional<error> failure;
  try {
    task<void> caring = keepalive ? it.session->probe() : it.session->reset();
    co_await limited(core.options_.probe_timeout, std::move(caring));
    if (it.session->broken()) failure.emplace(errc::connection_lost, "the session is broken");
  } catch (const error& e) {
    failure.emplace(e);
  } catch (const std::exception& e) {
    failure.emplace(errc::internal_error, e.what());
  } catch (...) {
    failure.emplace(errc::internal_error, "the driver threw something unknown");
  }
  if (failure) {
    core.log_.info("pool", keepalive ? "an idle session was dead" : "a session could not be reset",
                   {{"connection", core.options_.name}, {"error", failure->what()}});
  }
  co_return failure;
}

task<void> pool_core::clean(errand mine) {
  pool_core& core = mine.core();
  item& it = mine.held();
  const bool keepalive = mine.what() == chore::keepalive;
  const auto started = core.time_.now();
  task<std::optional<error>> caring = care(core, it, keepalive);
  const std::optional<error> failure = co_await std::move(caring);
  const auto now = core.time_.now();
  departures doomed(core);
  guard lock(core.mutex_);
  mine.done();
  it.last_probed = now;
  if (keepalive) {
    --core.keepalives_;
  } else {
    it.last_used = now;
  }
  waiter* next = nullptr;
  const auto cause = failure ? std::optional(close_cause::broken) : core.must_close(it, now);
  if (cause) {
    core.retire(it, core.cleaning_, *cause, doomed);
    if (failure && keepalive) core.suspect_idle(started, doomed);
    core.open_wanted();
  } else {
    next = core.offer(it, core.cleaning_, now);
  }
  core.poke_.set();
  core.note_quiet();
  lock.unlock();
  wake_all(next);
}

task<void> pool_core::close_item(errand mine) {
  pool_core& core = mine.core();
  std::unique_ptr<session> leaving = std::move(mine.held().session);  // nobody else looks at one that is closing
  const auto destroy = [&leaving] { leaving.reset(); };
  co_await offload(destroy);
  const guard lock(core.mutex_);
  mine.done();
  core.closing_.take(mine.held()).reset();  // not the last owner of the pool: the errand is one, too
  core.open_wanted();
  core.note_quiet();
}

}  // namespace polypool
