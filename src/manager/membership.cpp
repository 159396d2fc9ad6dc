// SPDX-License-Identifier: Apache-2.0
// What a connection does for the groups it is in, and as the one that stands for a group.
#include "manager/connection_state.hpp"
#include "manager/redis_sharing.hpp"

namespace polypool::detail {

std::uint32_t connection_state::load() const noexcept {
  const pool* const mine = pool_.load(std::memory_order_acquire);
  const redis_sharing* const shared = redis_.load(std::memory_order_acquire);
  return (mine ? mine->on_loan() : 0) + (shared ? shared->callers() : 0);
}

void connection_state::retire_sessions() noexcept {
  if (pool* const mine = pool_.load(std::memory_order_acquire)) mine->retire_all();
}

bool connection_state::cannot_connect() const {
  const pool* const mine = pool_.load(std::memory_order_acquire);
  return mine && mine->last_connect_failure().has_value();
}

task<void> connection_state::reconnect_members() {
  for (const auto& member : group_->members()) member->retire_sessions();
  task<void> looking = group_->connect();
  co_await std::move(looking);
}

}  // namespace polypool::detail
