// SPDX-License-Identifier: Apache-2.0
// What handlers get and give: HTTP without sockets.
#pragma once

#include <polypool/task.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace polypool::server {

enum class http_method : std::uint8_t { get, head, post, put, patch, del, options, other };
std::string_view to_string(http_method method) noexcept;
http_method parse_method(std::string_view text) noexcept;

struct request {
  http_method method = http_method::get;
  std::string path;  ///< without the query
  std::string body;
};

// Not an aggregate: g++ 12 miscompiles those in coroutines.
class response {
 public:
  response() = default;
  response(int code, std::string text, std::string_view type = "application/json")
      : status(code), body(std::move(text)), content_type(type) {}
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::string allow;  ///< the Allow header; empty: none
};

/// Answers a request. The request outlives the task.
using handler = std::function<task<response>(const request&)>;

/// A refusal with the status and the words of the answer.
class http_failure : public std::exception {
 public:
  http_failure(int code, std::string text, std::string more = {}, std::string word = {})
      : status(code), error(std::move(text)), details(std::move(more)), code_word(std::move(word)) {}
  const char* what() const noexcept override { return error.c_str(); }
  int status;
  std::string error;
  std::string details;
  std::string code_word;  ///< the field `code`; empty: by the status
};

}  // namespace polypool::server
