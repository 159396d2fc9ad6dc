// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// Names that stand for several connections: a primary with stand-ins, or equals.
#pragma once

#include <polypool/config.hpp>
#include <polypool/task.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polypool {

namespace detail {
class manager_core;
class connection_state;
}  // namespace detail

/// What a member is by configuration.
enum class member_role : std::uint8_t { primary, replica, backup, member };
/// "primary", "replica", "backup", "member".
std::string_view to_string(member_role role) noexcept;

/// A member of a group at one moment.
struct group_member_status {
  std::string name;
  member_role declared = member_role::member;
  server_info::role_type observed = server_info::role_type::unknown;  ///< what its server said last
  std::optional<bool> reachable;                                      ///< nothing: not looked at yet
  bool current = false;                                               ///< writes go here
  bool readable = false;        ///< calls may go here: reads of a failover group, all of a balance group
  bool ejected = false;         ///< failed too often of late
  std::optional<duration> lag;  ///< behind the primary, when its server tells
  std::string position;         ///< how far its server has written or applied
  std::string problem;          ///< why the last look failed; empty when it did not
  std::uint32_t weight = 1;
  std::uint64_t choices = 0;   ///< calls that were sent here
  std::uint64_t failures = 0;  ///< calls that failed here by the server's fault
  std::uint64_t ejections = 0;
  duration latency{};  ///< of calls of late, on average; 0: not known
};

/// A group at one moment.
struct group_status {
  std::string name;
  config::group_type type = config::group_type::failover;
  config::balance_strategy strategy = config::balance_strategy::round_robin;
  std::string primary;                                 ///< the member that writes go to; empty when none may take them
  bool several_primaries = false;                      ///< more than one says it is the primary, and writes are refused
  std::string detail;                                  ///< why it is so, in a sentence
  std::uint64_t failovers = 0;                         ///< how often writes went to another member
  std::chrono::system_clock::time_point changed_at{};  ///< when they last did
  std::vector<group_member_status> members;
};

/// A handle to a group. Cheap to copy, thread-safe; it stays valid after the group is removed, and says
/// connection_closed then. Calls go through the handles that the manager gives for its name: `manager.sql("orders")`.
class group {
 public:
  const std::string& name() const noexcept;
  group_status status() const;
  /// Looks at all members now and decides anew; several seconds at most.
  group_status refresh();
  task<group_status> async_refresh();
  /// Sends writes to this member, or to the next that can take them. It looks at all members before. With two primaries
  /// this says which one is right: the others are not used until they are replicas. It makes no server a primary: that
  /// is for who runs the servers. Automatic fail-back is off until fail_back().
  /// Throws connection_not_found (no such member), no_primary (it is not one), unsupported (not a failover group).
  group_status fail_over(std::string_view to = {});
  task<group_status> async_fail_over(std::string to = {});
  /// Sends writes to the declared primary again. Throws no_primary when it cannot take them.
  group_status fail_back();
  task<group_status> async_fail_back();

 private:
  friend class manager;
  group(std::shared_ptr<detail::manager_core> core, std::shared_ptr<detail::connection_state> state) noexcept
      : core_(std::move(core)), state_(std::move(state)) {}
  std::shared_ptr<detail::manager_core> core_;
  std::shared_ptr<detail::connection_state> state_;
};

/// How manager::execute_with_failover runs an operation.
struct failover_call {
  /// The operation may be run again also when nobody knows whether it happened on the primary.
  bool idempotent = false;
};

/// Whether an operation that failed so on one server may be run on another one: nothing of it happened, or it is
/// idempotent and the server is in trouble.
bool may_run_elsewhere(const error& why, bool idempotent) noexcept;

}  // namespace polypool
