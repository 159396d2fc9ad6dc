// SPDX-License-Identifier: Apache-2.0
// The names that a URL's query and a key/value string may have, and where their values go.
#pragma once

#include "config/split_url.hpp"

#include <polypool/config.hpp>

#include <string>
#include <vector>

namespace polypool::config {

/// Applies each pair; what is not known goes to the endpoint's options, for the driver. Gives what is wrong.
std::vector<std::string> apply_options(connection& target, const pairs& values);

}  // namespace polypool::config
