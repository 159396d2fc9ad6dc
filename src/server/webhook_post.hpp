// SPDX-License-Identifier: Apache-2.0
// One request of a webhook. Sees Asio: for webhooks.cpp and webhook_post.cpp only.
#pragma once

#include "server/name_lookup.hpp"
#include "server/webhook_request.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ssl/context.hpp>

#include <string>
#include <utility>
#include <vector>

namespace polypool::server {

using header_list = std::vector<std::pair<std::string, std::string>>;

/// What came back.
class post_result {
 public:
  post_result() = default;
  unsigned status = 0;  ///< 0: nothing came, and `trouble` says why
  std::string trouble;
};

/// Posts JSON over a connection of its own. Ends within the timeout, whatever the network and the receiver do.
boost::asio::awaitable<post_result> post_json(const webhook_address& where, const header_list& headers,
                                              const std::string& body, std::chrono::nanoseconds timeout,
                                              boost::asio::ssl::context& tls, name_lookup& names);

}  // namespace polypool::server
