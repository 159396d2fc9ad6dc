// SPDX-License-Identifier: Apache-2.0
// What a pool says of itself.
#include "pool/pool_core.hpp"

#include <polypool/duration.hpp>

#include <filesystem>

namespace polypool {

std::string_view to_string(close_cause cause) noexcept {
  switch (cause) {
    case close_cause::idle_time:
      return "idle_time";
    case close_cause::idle_count:
      return "idle_count";
    case close_cause::lifetime:
      return "lifetime";
    case close_cause::generation:
      return "generation";
    case close_cause::broken:
      return "broken";
    case close_cause::resize:
      return "resize";
    case close_cause::closed:
      return "closed";
  }
  return "unknown";
}

pool_statistics pool_core::statistics() const {
  const guard lock(mutex_);
  pool_statistics now = counters_;
  now.max_open = options_.max_open;
  now.open = static_cast<std::uint32_t>(open());
  now.in_use = static_cast<std::uint32_t>(in_use_.size() + cleaning_.size());
  now.idle = static_cast<std::uint32_t>(idle_.size());
  now.opening = opening_;
  now.waiting = waiting_;
  return now;
}

std::optional<error> pool_core::last_connect_failure() const {
  const guard lock(mutex_);
  return connect_failure_;
}

// "4 of 4 sessions are in use (max_open_conns 4), the oldest since 12s by orders.cpp:42 (load); …"
std::string pool_core::who_holds(time_point now) const {
  std::string text =
      std::to_string(in_use_.size()) + " of at most " + std::to_string(options_.max_open) + " sessions are in use";
  if (!in_use_.empty()) {
    const item& oldest = *in_use_.first();
    text += ", the longest for " + format_duration_short(now - oldest.leased_at) + " by " +
            std::filesystem::path(oldest.where.file_name()).filename().string() + ":" +
            std::to_string(oldest.where.line()) + " (" + oldest.where.function_name() + ")";
  }
  if (!cleaning_.empty()) text += ", " + std::to_string(cleaning_.size()) + " are being reset";
  if (!closing_.empty()) text += ", " + std::to_string(closing_.size()) + " are being closed";
  if (opening_ > 0) text += ", " + std::to_string(opening_) + " are being opened";
  if (connect_failure_) {
    text += "; connecting last failed " + format_duration_short(now - connect_failed_at_) +
            " ago: " + connect_failure_->cause();
  }
  return text;
}

error pool_core::explain_timeout(duration waited, bool by_stop, const std::optional<error>& dead) {
  const auto now = time_.now();
  if (by_stop) {
    return error(errc::cancelled, "the caller asked to stop while it waited for a session")
        .at(options_.name, "acquire");
  }
  ++counters_.timeouts;
  if (live() == 0 && connect_failure_) {
    error unreachable(
        connect_failure_->portable_code(),
        "no session could be opened within " + format_duration_short(waited) + ": " + connect_failure_->cause());
    return unreachable.with_sqlstate(connect_failure_->sqlstate()).at(options_.name, "acquire");
  }
  const bool full = open() >= options_.max_open;
  std::string text = "no session became free within " + format_duration_short(waited) + ": " + who_holds(now) + "; " +
                     std::to_string(waiting_) + " other callers wait";
  if (dead) text += "; an idle session did not answer its probe: " + dead->cause();
  return error(errc::pool_timeout, text)
      .with_hint(full ? "max_open_conns is the limit that binds: raise it, or hold sessions for less time"
                      : "the server is slow to accept sessions: see connect_timeout")
      .at(options_.name, "acquire");
}

}  // namespace polypool
