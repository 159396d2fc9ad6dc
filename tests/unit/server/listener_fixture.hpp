// SPDX-License-Identifier: Apache-2.0
// A listener on routes of its own, and clients of it.
#pragma once

#include "server/envelope.hpp"
#include "server/listener.hpp"
#include "support/http_client.hpp"

#include <polypool/error.hpp>
#include <polypool/waits.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace polypool::server {

using test::http_client;
using test::http_exchange;
using test::http_request;

inline task<response> echo(const request& asked) {
  co_return response(200, std::string(to_string(asked.method)) + ':' + asked.body, "text/plain");
}
inline task<response> big(const request&) { co_return response(200, std::string(4 * 1024 * 1024, 'x'), "text/plain"); }

class ListenerTest : public ::testing::Test {
 protected:
  ListenerTest() {
    settings_.port = 0;
    settings_.max_body_bytes = 1000;
    routes_.add(http_method::get, "/echo", echo);
    routes_.add(http_method::post, "/echo", echo);
    routes_.add(http_method::get, "/big", big);
    routes_.add(http_method::get, "/gate", [this](const request&) { return wait_at_gate(); });
  }
  void start() {
    listener_ = std::make_unique<listener>(
        settings_, limits_, routes_,
        [](const handler& with, const request& asked, std::stop_token stop) {
          return answer_with(with, asked, std::move(stop));
        },
        log::logger{});
  }
  std::uint16_t port() {
    if (!listener_) start();
    return listener_->port();
  }
  // The server goes on as if nothing had happened.
  void expect_alive() { EXPECT_EQ(http_exchange(port(), "GET", "/echo").body, "GET:"); }
  // Sends these bytes, and says with which status they were refused; 0 for a closed connection.
  int status_for(std::string_view bytes) {
    http_client client(port());
    client.send(bytes);
    client.finish_sending();
    const auto reply = client.receive();
    return reply ? reply->status : 0;
  }

  static task<response> answer_with(const handler& with, const request& asked, std::stop_token stop) {
    auto work = with(asked);
    auto stopped = false;
    try {
      auto result = co_await with_stop(std::move(stop), std::move(work));
      co_return result;
    } catch (const error&) {
      stopped = true;
    }
    co_return failure(stopped ? 503 : 500, "interrupted", "");
  }
  task<response> wait_at_gate() {
    at_gate_.set();
    const auto ended = co_await gate_.wait();
    throw_unless_ready(ended);
    co_return response(200, "through", "text/plain");
  }

  config::server_settings settings_;
  server_limits limits_;
  router routes_;
  event gate_;
  event at_gate_;
  std::unique_ptr<listener> listener_;
};

}  // namespace polypool::server
