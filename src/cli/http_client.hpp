// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace polypool::cli {

struct http_reply {
  unsigned status = 0;
  std::string body;
};

// Asks a running daemon: GET `path` below `url` (http://host:port). At most ten seconds.
// Throws command_error that says why it cannot be reached.
http_reply http_get(std::string_view url, std::string_view path);

}  // namespace polypool::cli
