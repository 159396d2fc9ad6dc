// SPDX-License-Identifier: Apache-2.0
// A small web server that keeps what it is sent and answers as it is told.
#pragma once

#include "support/listening_socket.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace polypool::test {

struct received_request {
  std::string line;                            // "POST /hook HTTP/1.1"
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

class http_receiver {
 public:
  http_receiver();
  ~http_receiver();
  http_receiver(const http_receiver&) = delete;

  std::uint16_t port() const noexcept { return listener_.port(); }
  std::string url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port()) + path; }
  // The answers to the next requests, one each; 200 when there are no more. 0: closes without an answer; -1: never
  // answers.
  void answer_with(std::vector<int> statuses);
  // What is sent before each answer, and the headers in it.
  void decorate(std::string before, std::string headers);
  std::vector<received_request> received() const;
  std::size_t count() const;

 private:
  void run(const std::stop_token& stop);
  void serve(int client, const std::stop_token& stop);

  listening_socket listener_;
  mutable std::mutex mutex_;  // guards what follows
  std::deque<int> statuses_;
  std::vector<received_request> requests_;
  std::vector<int> silent_;  // clients that get no answer
  std::string before_, headers_;
  std::jthread thread_;
};

}  // namespace polypool::test
