// SPDX-License-Identifier: Apache-2.0
// How every operation of a session begins: on a thread that may block, watched, on a session put in order.
#pragma once

#include "drivers/mongodb/session.hpp"

#include <utility>

namespace polypool::mongodb {

template <class Work>
auto session::guarded(const environment& env, Work&& work) {
  if (broken_ && !network_.waits().closed()) {
    throw error(errc::connection_lost, "the session with MongoDB at " + how_.place + " broke earlier")
        .with_poisoned_session()
        .with_disposition(disposition::retryable);
  }
  const watch::scope watching(network_.waits(), env);
  network_.reset_sent();
  network_.forget_problems();
  attend();
  return std::forward<Work>(work)();
}

}  // namespace polypool::mongodb
