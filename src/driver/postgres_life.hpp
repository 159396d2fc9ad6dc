// SPDX-License-Identifier: Apache-2.0
// Whether a PostgreSQL server still answers.
#pragma once

#include <polypool/task.hpp>

namespace polypool::postgres {

/// Waits until the server at the other end of this socket has answered on a connection of its own. For callers of
/// PQcancel, which has no time limit. Throws connection_lost, or what the deadline says.
task<void> await_sign_of_life(int session_descriptor);

}  // namespace polypool::postgres
