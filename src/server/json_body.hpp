// SPDX-License-Identifier: Apache-2.0
// A request's body as a JSON object, read strictly.
#pragma once

#include <boost/json/fwd.hpp>

#include <cstddef>
#include <string_view>

namespace polypool::server {

inline constexpr std::size_t default_json_depth = 32;

/// Reads an object. An empty text counts as `{}`, so that each call can say which field it misses.
/// Throws http_failure (400) for what is not JSON, not UTF-8, not an object, nested too deep, or names a key twice.
boost::json::object parse_body(std::string_view text, std::size_t max_depth = default_json_depth);

}  // namespace polypool::server
