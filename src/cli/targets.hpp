// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <polypool/config.hpp>

#include <string>

namespace polypool::cli {

// Where a connection leads, for people: host:port/database or a file; never a user or a password.
std::string target_of(const config::connection& what);

}  // namespace polypool::cli
