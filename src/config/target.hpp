// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <polypool/config.hpp>

#include <string>

namespace polypool::config {

/// Where a connection goes, for lists: `host:port/database`, a file, or what an ODBC connection is told by. Never a
/// password.
std::string target_of(database_type type, const endpoint& where);

}  // namespace polypool::config
