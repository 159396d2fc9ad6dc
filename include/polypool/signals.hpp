// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// Signals as calls: for programs that shut down in order, and that read their configuration again.
#pragma once

#include <functional>
#include <memory>

namespace polypool {

/// Calls `shut_down` once, on a thread of its own, when the process gets SIGINT or SIGTERM; a second signal ends the
/// process at once. Make it before other threads start, so that they inherit the blocked signals.
class termination_signals {
 public:
  explicit termination_signals(std::function<void(int signal)> shut_down);
  termination_signals(const termination_signals&) = delete;
  ~termination_signals();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

namespace detail {
class signal_watch;
}

/// Calls `told`, on a thread of its own, each time the process gets SIGHUP; those that come during a call are one.
/// Make it before other threads start. Its destructor waits for a call that runs.
class hangup_signal {
 public:
  explicit hangup_signal(std::function<void()> told);
  hangup_signal(const hangup_signal&) = delete;
  ~hangup_signal();

 private:
  std::unique_ptr<detail::signal_watch> watch_;
};

}  // namespace polypool
