// SPDX-License-Identifier: Apache-2.0
// Where a call goes and how it is made, whatever language the database speaks.
#pragma once

#include "manager/manager_core.hpp"

#include <polypool/sql.hpp>

namespace polypool::detail {

/// How a call is made: the connection, and what a handle's with() changed.
struct call_context {
  connection_pointer state;
  std::shared_ptr<const call> how;    // null: as configured
  connection_pointer group;           // the one that was called, when it stands for several; `state` is a member of it
  std::shared_ptr<const void> write;  // lives as long as the call, for those who read what it wrote; may be null

  std::string_view operation(std::string_view fallback) const noexcept {
    return how && !how->name().empty() ? std::string_view(how->name()) : fallback;
  }
  /// The environment of one call: the parent's, with this call's deadline, on the connection's clock.
  environment limited(const environment& parent) const noexcept;
  /// The same for who knows what time it is.
  environment limited(const environment& parent, time_point now) const noexcept;
};

/// An environment that blocks, on the connection's clock.
environment blocking_environment(clock& time) noexcept;

/// An error with its connection and operation.
error in_context(error problem, const call_context& context, std::string_view operation);

/// Throws not_sql_database, not_mongodb or not_redis, with what was wanted and what it is.
[[noreturn]] void throw_wrong_kind(const connection_state& is, database_kind wanted, std::string_view operation);

/// The connection of this name for calls of this kind. Throws connection_not_found, and the error of the wrong kind
/// when another kind of database has the name.
connection_pointer require_of_kind(const manager_core& core, std::string_view name, database_kind wanted,
                                   std::string_view operation);

/// Where a handle's call goes: to its connection, to what took that name after it was removed, or to the active one.
/// Throws no_default_connection, connection_closed, shutting_down, and the error of the wrong kind.
call_context target_of(const manager_core& core, const connection_pointer& named, std::shared_ptr<const call> how,
                       database_kind wanted, std::string_view operation);

}  // namespace polypool::detail
