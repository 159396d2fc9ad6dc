// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
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
// POST of a JSON document. At most two minutes, because a daemon may have to connect for it.
http_reply http_post(std::string_view url, std::string_view path, std::string body);

// Reads a stream of events from there until it ends. `take` gets what comes, piece by piece.
// Throws command_error when there is no such stream. @param last_event goes into Last-Event-ID; may be empty
void http_follow(std::string_view url, std::string_view path, const std::string& last_event,
                 const std::function<void(std::string_view)>& take);

}  // namespace polypool::cli
