// SPDX-License-Identifier: Apache-2.0
// Clients that send too much, too slowly, or are too many; and how serving ends.
#include "listener_fixture.hpp"

#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace polypool::server {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using ::testing::HasSubstr;

TEST_F(ListenerTest, RefusesLargeBodies) {
  EXPECT_EQ(http_exchange(port(), "POST", "/echo", std::string(1000, 'x')).status, 200);
  http_client client(port());
  client.send(http_request("POST", "/echo", std::string(1001, 'x')));
  const auto reply = client.receive();
  EXPECT_EQ(reply->status, 413);
  EXPECT_EQ(reply->headers.at("connection"), "close");
  EXPECT_THAT(reply->body, HasSubstr("\"success\":false"));
  http_client huge(port());
  huge.send(http_request("POST", "/echo", std::string(3 * 1024 * 1024, 'x')));
  EXPECT_EQ(huge.receive()->status, 413) << "the answer arrives although the body was not wanted";
  http_client liar(port());
  liar.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: 99999999999999999999999\r\n\r\n");
  EXPECT_EQ(liar.receive()->status, 400);
  expect_alive();
}

TEST_F(ListenerTest, RefusesLargeChunkedBodies) {
  http_client client(port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 20; ++i) client.send("64\r\n" + std::string(100, 'x') + "\r\n");
  client.send("0\r\n\r\n");
  EXPECT_EQ(client.receive()->status, 413);
  http_client small(port());
  small.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n2\r\n{\"\r\n5;x=y\r\na\":1}\r\n0\r\nTrailer: x\r\n\r\n");
  EXPECT_EQ(small.receive()->body, "POST:{\"a\":1}");
}

TEST_F(ListenerTest, RefusesLargeHeaders) {
  EXPECT_EQ(status_for("GET /echo HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(20000, 'x') + "\r\n\r\n"), 431);
  EXPECT_EQ(status_for("GET /" + std::string(200000, 'x') + " HTTP/1.1\r\nHost: localhost\r\n\r\n"), 431);
  std::string many = "GET /echo HTTP/1.1\r\nHost: localhost\r\n";
  for (int i = 0; i < 10000; ++i) many += "X" + std::to_string(i) + ": y\r\n";
  EXPECT_EQ(status_for(many + "\r\n"), 431);
  expect_alive();
}

TEST_F(ListenerTest, SlowRequestsTimeOut) {
  settings_.request_timeout = 100ms;
  for (const auto* part : {"G", "GET /echo HTTP/1.1\r\nHost: local",
                           "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                           "Content-Length: 10\r\n\r\n{"}) {
    http_client client(port());
    client.send(part);
    const auto reply = client.receive();
    ASSERT_TRUE(reply.has_value()) << part;
    EXPECT_EQ(reply->status, 408) << part;
  }
  expect_alive();
}

TEST_F(ListenerTest, DripFedRequestsTimeOutToo) {
  settings_.request_timeout = 150ms;
  http_client client(port());
  client.send("GET /echo HTTP/1.1\r\nHost: localhost\r\n");
  // Each byte comes in time; the request as a whole does not. The answer ends the drip.
  std::atomic<bool> answered{false};
  std::jthread drip([&] {
    http_client pace(port());  // a round trip to the server instead of a sleep
    while (!answered && client.send("X")) {
      pace.send(http_request("GET", "/echo"));
      if (!pace.receive()) return;
    }
  });
  const auto reply = client.receive();
  answered = true;
  ASSERT_TRUE(reply.has_value());
  EXPECT_TRUE(reply->status == 408 || reply->status == 431) << reply->status;
}

TEST_F(ListenerTest, IdleClientsAreClosedSilently) {
  limits_.idle_timeout = 50ms;
  http_client client(port());
  EXPECT_TRUE(client.closed_by_server());
  http_client used(port());
  used.send(http_request("GET", "/echo"));
  EXPECT_EQ(used.receive()->status, 200);
  EXPECT_TRUE(used.closed_by_server());
}

TEST_F(ListenerTest, ClientsThatDoNotTakeTheirAnswerAreClosed) {
  limits_.write_timeout = 100ms;
  limits_.max_connections = 1;
  http_client client(port());
  std::string many;
  for (int i = 0; i < 50; ++i) many += http_request("GET", "/big");
  client.send(many);
  int status = 503;  // its place becomes free when the server has given it up
  while (status == 503) status = http_exchange(port(), "GET", "/echo").status;
  EXPECT_EQ(status, 200);
  EXPECT_LT(client.receive_all().size(), 50U * 4 * 1024 * 1024);
}

TEST_F(ListenerTest, TurnsAwayTooManyClients) {
  limits_.max_connections = 3;
  std::vector<std::unique_ptr<http_client>> all;
  for (int i = 0; i < 3; ++i) {
    all.push_back(std::make_unique<http_client>(port()));
    all.back()->send(http_request("GET", "/echo"));
    EXPECT_EQ(all.back()->receive()->status, 200);
  }
  {
    http_client one_more(port());
    one_more.send(http_request("GET", "/echo"));
    const auto reply = one_more.receive();
    EXPECT_EQ(reply->status, 503);
    EXPECT_TRUE(one_more.closed_by_server());
  }
  all.front()->send(http_request("GET", "/echo"));
  EXPECT_EQ(all.front()->receive()->status, 200) << "those inside are not disturbed";
  all.front()->send(http_request("GET", "/echo", "", "Connection: close\r\n"));
  EXPECT_EQ(all.front()->receive()->status, 200);
  all.front()->finish_sending();
  EXPECT_TRUE(all.front()->closed_by_server());
  int status = 503;  // its place becomes free when the server has noticed
  while (status == 503) status = http_exchange(port(), "GET", "/echo").status;
  EXPECT_EQ(status, 200);
}

TEST_F(ListenerTest, SlowHandlersHoldUpNobodyElse) {
  http_client slow(port());
  slow.send(http_request("GET", "/gate"));
  run(at_gate_.wait());
  for (int i = 0; i < 10; ++i) expect_alive();
  gate_.set();
  EXPECT_EQ(slow.receive()->body, "through");
}

TEST_F(ListenerTest, StopLetsRequestsAtWorkFinish) {
  http_client working(port());
  http_client idle(port());
  idle.send(http_request("GET", "/echo"));
  idle.receive();
  working.send(http_request("GET", "/gate"));
  run(at_gate_.wait());
  auto stopped = std::async(std::launch::async, [this] { listener_->stop(1min); });
  EXPECT_TRUE(idle.closed_by_server());
  EXPECT_THROW(http_client late(port()), std::runtime_error);
  gate_.set();
  const auto reply = working.receive();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->body, "through");
  EXPECT_EQ(reply->headers.at("connection"), "close");
  working.finish_sending();
  stopped.get();
  listener_->stop(1min);
}

TEST_F(ListenerTest, StopInterruptsWhatTakesTooLong) {
  http_client working(port());
  working.send(http_request("GET", "/gate"));
  run(at_gate_.wait());
  listener_->stop(10ms);
  EXPECT_TRUE(working.closed_by_server());
}

TEST_F(ListenerTest, ServesManyClientsAtOnce) {
  const auto where = port();
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> clients;
    for (int t = 0; t < 8; ++t) {
      clients.emplace_back([&good, where, t] {
        http_client client(where);
        for (int i = 0; i < 50; ++i) {
          const auto body = std::to_string(t * 1000 + i);
          client.send(http_request("POST", "/echo", body));
          const auto reply = client.receive();
          if (reply && reply->body == "POST:" + body) ++good;
        }
      });
    }
  }
  EXPECT_EQ(good, 400);
}

}  // namespace
}  // namespace polypool::server
