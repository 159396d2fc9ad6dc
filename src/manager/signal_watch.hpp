// SPDX-License-Identifier: Apache-2.0
// Signals as calls on a thread of their own.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>

namespace polypool::detail {

/// Calls `told` for each of these signals, one after the other. Made before other threads start, so that they inherit
/// the blocked signals. Its destructor waits for a call that runs.
class signal_watch {
 public:
  signal_watch(std::initializer_list<int> signals, std::function<void(int)> told);
  ~signal_watch();
  signal_watch(const signal_watch&) = delete;
  signal_watch& operator=(const signal_watch&) = delete;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace polypool::detail
