// SPDX-License-Identifier: Apache-2.0
// How a Redis call is made: on a shared session, or on one of its own.
#pragma once

#include "manager/call_guard.hpp"
#include "manager/redis_sharing.hpp"

#include <polypool/redis_pipeline.hpp>

#include <optional>
#include <vector>

namespace polypool::detail {

/// Where a Redis call goes.
call_context redis_target(const manager_core& core, const connection_pointer& named,
                          const std::shared_ptr<const call>& how, std::string_view operation);

/// Runs a command where it belongs by its effect. Throws invalid_argument for what makes no sense as one command.
redis_reply redis_now(const call_context& context, const redis_command& what);
task<redis_reply> redis_later(call_context context, redis_command what);
/// The same for several commands at once, on a shared session.
std::vector<redis_reply> redis_now(const call_context& context, const redis_batch& what, std::string_view operation);
task<std::vector<redis_reply>> redis_later(call_context context, redis_batch what, std::string_view operation);

/// Runs a command that blocks on a session of its own.
/// @param wait how long the server may take; nothing: as long as it likes
task<redis_reply> redis_alone(call_context context, redis_command what, std::optional<duration> wait);

/// A session of one's own with what goes on there.
struct redis_exclusive {
  call_context context;
  call_places places;
  lease session;
  /// Gives both back; the pool says UNWATCH before anybody else gets the session.
  void end() noexcept {
    session.release();
    places = call_places();
  }
};
/// Runs a command on it, with the usual time limit; counts it and gives errors their context.
task<redis_reply> redis_on(redis_exclusive& mine, redis_command what);
task<std::vector<redis_reply>> redis_on(redis_exclusive& mine, redis_batch what, std::string_view operation);

}  // namespace polypool::detail
