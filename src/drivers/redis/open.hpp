// SPDX-License-Identifier: Apache-2.0
// Opening a session with one server.
#pragma once

#include "drivers/redis/session.hpp"

#include <memory>

namespace polypool::redis {

/// Reaches a server and introduces us, within the task's deadline.
/// @param own_limit the deadline is connect_timeout, not the caller's @param must_be_primary see session
task<std::unique_ptr<session>> open_session(std::shared_ptr<const session_settings> settings, server_address to,
                                            duration connect_timeout, bool own_limit, bool must_be_primary);

}  // namespace polypool::redis
