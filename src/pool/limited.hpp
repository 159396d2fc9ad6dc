// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <polypool/task.hpp>

namespace polypool {

/// A task with a limit that a time of 0 switches off.
template <class T>
task<T> limited(duration limit, task<T> work) {
  return limit > duration::zero() ? with_timeout(limit, std::move(work)) : std::move(work);
}

}  // namespace polypool
