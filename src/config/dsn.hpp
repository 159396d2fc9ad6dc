// SPDX-License-Identifier: Apache-2.0
// From a URL or a key/value string to a connection's endpoint.
#pragma once

#include <polypool/config.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::config {

/// Puts what a URL says over a connection; what it does not say stays. Gives what is wrong, without secrets.
/// @param type what the URL has to be for, when that is known; then the forms without a scheme are read, too
std::vector<std::string> apply_dsn(connection& target, std::string_view dsn, std::optional<database_type> type);

}  // namespace polypool::config
