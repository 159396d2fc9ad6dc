// SPDX-License-Identifier: Apache-2.0
#include "drivers/odbc/watch.hpp"

#include <algorithm>

namespace polypool::odbc {

void bring_back(call_threads& threads, std::shared_ptr<connection> where, std::uint64_t call,
                std::optional<std::chrono::milliseconds> cut_after) {
  using std::chrono::milliseconds;
  if (cut_after) {
    threads.submit([where, call, limit = *cut_after] {
      if (!where->wait_for_end(call, limit)) where->cut_call(call);
    });
  }
  threads.submit([where = std::move(where), call] {
    auto pause = milliseconds(20);
    do {
      where->cancel(call);
      pause = std::min(2 * pause, milliseconds(1000));
    } while (!where->wait_for_end(call, pause));
  });
}

call_watch::call_watch(call_threads& threads, const std::shared_ptr<connection>& where, std::uint64_t call,
                       const environment& env)
    : threads_(threads), where_(where), call_(call), env_(env) {
  if (env.deadline != no_deadline) {
    if (auto* manual = env.time->manual_timers()) {
      manual->arm(*this, env.deadline);
      if (env.time->now() >= env.deadline) manual->fire(env.time->now());
    } else {
      threads_.timers().arm(*this, env.deadline);
    }
  }
  if (env.stop.stop_possible()) stop_.emplace(env.stop, stop_action{this});
}

call_watch::~call_watch() {
  stop_.reset();
  if (env_.deadline == no_deadline) return;
  if (auto* manual = env_.time->manual_timers()) {
    manual->disarm(*this);
  } else {
    threads_.timers().disarm(*this);
  }
}

void call_watch::strike(wait_result why) noexcept {
  auto expected = wait_result::ready;
  if (!struck_.compare_exchange_strong(expected, why, std::memory_order_acq_rel)) return;
  try {
    bring_back(threads_, where_, call_, cancel_grace);
  } catch (...) {
    where_->cut_call(call_);  // no thread for a gentler way
  }
}

}  // namespace polypool::odbc
