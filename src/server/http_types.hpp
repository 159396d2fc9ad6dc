// SPDX-License-Identifier: Apache-2.0
// What handlers get and give: HTTP without sockets.
#pragma once

#include <polypool/task.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace polypool::server {

enum class http_method : std::uint8_t { get, head, post, put, patch, del, options, other };
std::string_view to_string(http_method method) noexcept;
http_method parse_method(std::string_view text) noexcept;

struct request {
  http_method method = http_method::get;
  std::string path;           ///< without the query
  std::string query;          ///< what follows the `?`, as it came
  std::string accept;         ///< the Accept header
  std::string last_event_id;  ///< the Last-Event-ID header
  std::string body;
};

/// A body that goes on as long as there is something to tell. Belongs to the server's thread.
class body_stream {
 public:
  virtual ~body_stream() = default;
  /// What is to be sent now; empty when there is nothing at the moment.
  virtual std::string next() = 0;
  /// Nothing will come any more.
  virtual bool over() const noexcept = 0;
  /// Sent when there was nothing else for a while, so that both sides see that the other one lives.
  virtual std::string_view heartbeat() const noexcept = 0;
  /// Has `ready` called, from any thread, whenever there may be something again. Once, before the first next().
  virtual void on_ready(std::function<void()> ready) = 0;
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
  std::string allow;                    ///< the Allow header; empty: none
  std::shared_ptr<body_stream> stream;  ///< instead of a body
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
