// SPDX-License-Identifier: Apache-2.0
// What stands behind the `?` of a request.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polypool::server {

using query_list = std::vector<std::pair<std::string, std::string>>;

/// `a=b&c=d` with %XX and + decoded, in its order. Throws http_failure (400) for what cannot be decoded.
query_list parse_query(std::string_view text);

/// Whether an Accept header takes this type. An empty header takes everything.
/// @param exactly `*/*` and `text/*` do not count
bool accepts(std::string_view header, std::string_view type, bool exactly = false);

}  // namespace polypool::server
