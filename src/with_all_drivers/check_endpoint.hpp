// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <polypool/config.hpp>

namespace polypool {

/// Throws invalid_configuration for what the connection's driver would not take: options that it does not know, values
/// that make no sense. Connects nowhere. What ODBC drivers and libpq take, only they know.
void check_endpoint(const config::connection& what);

}  // namespace polypool
