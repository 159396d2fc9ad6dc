// SPDX-License-Identifier: Apache-2.0
#include "drivers/sqlite/watch.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>

namespace polypool::sqlite {
namespace {

constexpr int instructions_between_looks = 4000;  // about a tenth of a millisecond

error closed_error() {
  error problem(errc::connection_closed, "the session was closed by force");
  problem.with_poisoned_session();
  return problem;
}

}  // namespace

void watch::install(sqlite3* db) noexcept {
  sqlite3_progress_handler(
      db, instructions_between_looks, [](void* self) { return static_cast<watch*>(self)->strikes() ? 1 : 0; }, this);
  sqlite3_busy_handler(
      db, [](void* self, int attempt) { return static_cast<watch*>(self)->wait_for_lock(attempt) ? 1 : 0; }, this);
}

void watch::close() noexcept {
  const std::lock_guard lock(mutex_);
  closed_.store(true, std::memory_order_relaxed);
  woken_.notify_all();
}

bool watch::strikes() noexcept {
  if (closed()) {
    why_ = reason::closed;
  } else if (env_ && env_->stop.stop_requested()) {
    why_ = reason::stopped;
  } else if (env_ && env_->expired()) {
    why_ = reason::timed_out;
  }
  return why_ != reason::none;
}

// SQLite can only be asked again: nobody tells when a lock of another process becomes free.
bool watch::wait_for_lock(int attempt) noexcept {
  using namespace std::chrono;
  constexpr std::array<milliseconds, 7> delays{milliseconds(1),  milliseconds(2),  milliseconds(5), milliseconds(10),
                                               milliseconds(15), milliseconds(20), milliseconds(25)};
  const auto now = steady_clock::now();
  if (attempt == 0) lock_wait_began_ = now;
  if (strikes()) {
    for_lock_ = true;
    return false;
  }
  const auto waited = now - lock_wait_began_;
  if (waited >= busy_timeout_) return false;
  const auto step = std::min(static_cast<std::size_t>(std::max(attempt, 0)), delays.size() - 1);
  duration delay = std::min<duration>(delays[step], busy_timeout_ - waited);
  if (env_ && env_->deadline != no_deadline) delay = std::min(delay, env_->deadline - env_->time->now());
  std::unique_lock lock(mutex_);
  const auto is_closed = [this] { return closed(); };
  if (env_) {
    woken_.wait_for(lock, env_->stop, delay, is_closed);
  } else {
    woken_.wait_for(lock, delay, is_closed);
  }
  return true;
}

error watch::cause() const {
  const std::string_view where = for_lock_ ? " while it waited for a lock on the file" : "";
  switch (why_) {
    case reason::timed_out: {
      error problem(errc::deadline_exceeded, "the statement did not finish in time" + std::string(where));
      problem.with_hint("nothing of it was kept").with_disposition(disposition::retryable);
      return problem;
    }
    case reason::stopped: {
      error problem(errc::cancelled, "the statement was cancelled" + std::string(where));
      problem.with_hint("nothing of it was kept").with_disposition(disposition::permanent);
      return problem;
    }
    default:
      return closed_error();
  }
}

watch::scope::scope(watch& owner, const environment& env) : owner_(owner) {
  owner.env_ = &env;
  owner.why_ = reason::none;
  owner.for_lock_ = false;
  if (!owner.strikes()) return;
  owner.env_ = nullptr;
  throw owner.cause();
}

}  // namespace polypool::sqlite
