// SPDX-License-Identifier: Apache-2.0
// What is checked of a request before its body is read.
#pragma once

#include "server/router.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::server {

/// A request's first line and the headers that matter.
struct request_head {
  std::string_view method;
  std::string_view target;
  bool http_1_0 = false;
  std::vector<std::string_view> hosts;  ///< every Host header
  std::optional<std::string_view> content_type;
  std::string_view expect;
  bool has_body = false;
};

/// Who answers, or the refusal.
struct admission {
  const handler* answer = nullptr;
  http_method method = http_method::other;
  std::string path;
  std::string query;
  response refusal;  ///< when there is no answer
};

/// Checks Host, path, method and content type, in this order. Throws nothing of its own.
admission admit(const request_head& head, const router& routes);

/// Whether a Host header names this machine: localhost, 127.0.0.1 or [::1], with any port. Any other name may be one
/// that a web page had its DNS server point here.
bool is_loopback_authority(std::string_view authority) noexcept;

/// Whether a Content-Type is application/json, with any parameters.
bool is_json_type(std::string_view content_type) noexcept;

}  // namespace polypool::server
