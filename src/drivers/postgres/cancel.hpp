// SPDX-License-Identifier: Apache-2.0
// Asking a server to stop a statement.
#pragma once

#include <polypool/task.hpp>

#include <libpq-fe.h>

#include <chrono>

namespace polypool::postgres {

/// How long a session may take to end a statement that nobody waits for any more.
inline constexpr auto recovery_limit = std::chrono::seconds(5);

/// Sends the request and waits until the server has taken it. Throws connection_lost or what the deadline says.
/// @param descriptor the session's socket, which knows where the server is
task<void> cancel_statement(PGcancel& request, int descriptor);

}  // namespace polypool::postgres
