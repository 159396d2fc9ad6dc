// SPDX-License-Identifier: Apache-2.0
// Asking sentinels where the primary is.
#pragma once

#include "drivers/redis/settings.hpp"

#include <polypool/task.hpp>

namespace polypool::redis {

/// Asks one sentinel after the other until one knows the primary. Each gets a share of the time.
/// Throws connect_failed that says what each answered.
task<server_address> find_primary(const session_settings& settings, duration connect_timeout);

}  // namespace polypool::redis
