// SPDX-License-Identifier: Apache-2.0
// A group as a REST call describes it.
#pragma once

#include "server/json_body.hpp"

#include <polypool/config.hpp>

namespace polypool::server {

/// `{name, type, primary, replicas, members, …}`: the fields that a group has in a configuration. Variables are not put
/// in. Throws http_failure (400) with all that is wrong with it; whether its members exist is not looked at.
config::group decode_group(std::string_view body, std::size_t max_depth = default_json_depth);

}  // namespace polypool::server
