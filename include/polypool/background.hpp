// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup async
/// Where Polypool's own work runs: opening sessions, cleaning, keepalive, health checks.
#pragma once

#include <polypool/log.hpp>
#include <polypool/task.hpp>

#include <cstddef>
#include <memory>
#include <vector>

namespace polypool {

/// Runs detached tasks. Thread-safe. Outlives every task it runs.
class background {
 public:
  virtual ~background() = default;
  /// Starts a task that nobody awaits; it has to catch its own errors (one that escapes is logged).
  virtual void spawn(task<void> work) = 0;
  /// The clock that its tasks and their pools live by.
  virtual clock& time() noexcept = 0;
};

/// Runs the jobs in the background, at most `width` at a time, and returns when every one is over. A job keeps its own
/// outcome; what it throws is dropped. When the caller's time is up or it is told to stop, so are the jobs, and it
/// still waits for them, so what they refer to stays alive. @return why it ended
task<wait_result> run_all(std::shared_ptr<background> where, std::vector<task<void>> jobs, std::size_t width = 64);

/// A background of real threads: one event loop thread and a few workers for blocking calls, all started on first use.
/// Destroying it ends its threads and drops what still runs; not to be done on one of them.
/// @param time the clock; the system's unless a test moves one by hand
std::shared_ptr<background> make_thread_background(clock& time = clock::system(), log::logger log = {});

}  // namespace polypool
