// SPDX-License-Identifier: Apache-2.0
// What the HTTP layer does with good and bad bytes.
#include "listener_fixture.hpp"

namespace polypool::server {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using ::testing::HasSubstr;

TEST_F(ListenerTest, AnswersRequests) {
  const auto reply = http_exchange(port(), "POST", "/echo", "{\"a\":1}");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "POST:{\"a\":1}");
  EXPECT_EQ(reply.headers.at("content-type"), "text/plain");
  EXPECT_EQ(reply.headers.at("x-content-type-options"), "nosniff");
  EXPECT_THAT(reply.headers.at("date"), HasSubstr(" GMT"));
}

TEST_F(ListenerTest, SaysWhereItListens) {
  EXPECT_EQ(listener_, nullptr);
  start();
  EXPECT_NE(listener_->port(), 0);
  EXPECT_EQ(listener_->address(), "127.0.0.1:" + std::to_string(listener_->port()));
}

TEST_F(ListenerTest, RefusesEveryAddressButLoopback) {
  for (const auto* host :
       {"0.0.0.0", "192.168.1.1", "8.8.8.8", "::", "example.com", "", "127.0.0.1.nip.io", "::ffff:1.2.3.4"}) {
    settings_.host = host;
    try {
      start();
      ADD_FAILURE() << "listened on " << host;
    } catch (const error& refused) {
      EXPECT_EQ(refused.portable_code(), errc::invalid_configuration);
      EXPECT_THAT(refused.what(), HasSubstr("no authentication"));
      EXPECT_THAT(refused.what(), HasSubstr(std::string("'") + host + "'"));
    }
  }
  for (const auto* host : {"127.0.0.1", "127.1.2.3", "localhost"}) {
    settings_.host = host;
    EXPECT_NO_THROW(start()) << host;
  }
}

TEST_F(ListenerTest, PortInUseNamesTheAddress) {
  settings_.port = port();
  try {
    const listener second(settings_, limits_, routes_, {}, {});
    FAIL() << "listened twice";
  } catch (const error& refused) {
    EXPECT_THAT(refused.what(), HasSubstr("127.0.0.1:" + std::to_string(settings_.port)));
    EXPECT_THAT(refused.what(), HasSubstr("in use"));
  }
  expect_alive();
}

TEST_F(ListenerTest, KeepsConnectionsAndAnswersPipelinedRequestsInOrder) {
  http_client client(port());
  client.send(http_request("GET", "/echo"));
  EXPECT_EQ(client.receive()->body, "GET:");
  client.send(http_request("POST", "/echo", "1") + http_request("POST", "/echo", "2") +
              http_request("GET", "/nowhere") + http_request("POST", "/echo", "3"));
  EXPECT_EQ(client.receive()->body, "POST:1");
  EXPECT_EQ(client.receive()->body, "POST:2");
  EXPECT_EQ(client.receive()->status, 404);
  EXPECT_EQ(client.receive()->body, "POST:3");
}

TEST_F(ListenerTest, ClosesWhenAsked) {
  http_client client(port());
  client.send(http_request("GET", "/echo", "", "Connection: close\r\n"));
  const auto reply = client.receive();
  EXPECT_EQ(reply->headers.at("connection"), "close");
  EXPECT_TRUE(client.closed_by_server());
  http_client old(port());
  old.send("GET /echo HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.receive()->status, 200);
  EXPECT_TRUE(old.closed_by_server());
}

TEST_F(ListenerTest, HeadHasLengthAndNoBody) {
  http_client client(port());
  client.send(http_request("HEAD", "/echo") + http_request("GET", "/echo"));
  const auto head = client.receive(true);
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(head->headers.at("content-length"), "5");
  EXPECT_EQ(client.receive()->body, "GET:") << "nothing of the first answer's body is in between";
  client.send(http_request("HEAD", "/nowhere") + http_request("GET", "/echo"));
  EXPECT_EQ(client.receive(true)->status, 404);
  EXPECT_EQ(client.receive()->body, "GET:");
}

TEST_F(ListenerTest, SendsContinueOnlyWhenTheBodyIsWelcome) {
  http_client client(port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.receive()->status, 100);
  client.send("{}");
  EXPECT_EQ(client.receive()->body, "POST:{}");

  http_client refused(port());
  refused.send(
      "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(refused.receive()->status, 404);
  http_client large(port());
  large.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2000\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(large.receive()->status, 413);
}

TEST_F(ListenerTest, RefusesWhatIsNoHttp) {
  for (const std::string bytes : {
           "hello\r\n\r\n",
           "GET\r\n\r\n",
           "GET /echo\r\n\r\n",
           "GET  /echo HTTP/1.1\r\nHost: localhost\r\n\r\n",
           "GET /echo HTTP/1.1\r\nHost localhost\r\n\r\n",
           "GET /echo HTTP/1.1\r\nHost: localhost\r\nBad Name: x\r\n\r\n",
           "GET /echo HTTP/1.1\r\nHost: localhost\r\nX: a\x01z\r\n\r\n",
           "\x16\x03\x01\x02\x01\x01\r\n\r\n",
           "GET /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
           "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
           "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
           "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
           "\r\nzz\r\n{}\r\n0\r\n\r\n",
       }) {
    EXPECT_EQ(status_for(bytes), 400) << bytes;
  }
  EXPECT_EQ(status_for("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
  EXPECT_EQ(status_for("GET /ec\0ho HTTP/1.1\r\nHost: localhost\r\n\r\n"s), 400);
  expect_alive();
}

TEST_F(ListenerTest, RefusesAmbiguousLengths) {
  // Two lengths for one body: a proxy in front may believe the other one, and smuggle a request past itself.
  const auto status = status_for(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 4\r\n"
      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  EXPECT_EQ(status, 400);
  expect_alive();
}

TEST_F(ListenerTest, LosesClientsThatLeaveInTheMiddle) {
  EXPECT_EQ(status_for(""), 0);
  EXPECT_EQ(status_for("GET /ec"), 400);
  EXPECT_EQ(status_for("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       "Content-Length: 100\r\n\r\n{"),
            400);
  for (int i = 0; i < 20; ++i) {
    http_client gone(port());
    gone.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{");
  }
  expect_alive();
}

TEST_F(ListenerTest, ChecksHostAndTypeOnTheWire) {
  EXPECT_EQ(status_for("GET /echo HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 403);
  EXPECT_EQ(status_for("GET /echo HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(status_for("GET /echo HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"), 400);
  EXPECT_EQ(
      status_for("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"),
      415);
  http_client client(port());
  client.send(http_request("PUT", "/echo"));
  const auto reply = client.receive();
  EXPECT_EQ(reply->status, 405);
  EXPECT_EQ(reply->headers.at("allow"), "GET, HEAD, POST, OPTIONS");
  client.send(http_request("OPTIONS", "/echo"));
  EXPECT_EQ(client.receive()->status, 204);
}

TEST_F(ListenerTest, SurvivesNoise) {
  std::uint32_t state = 1;
  const auto next = [&state] { return state = state * 1664525U + 1013904223U; };
  for (int round = 0; round < 200; ++round) {
    std::string noise;
    const auto length = next() % 400;
    for (std::uint32_t i = 0; i < length; ++i) noise += static_cast<char>(next() >> 24);
    if (round % 2 == 0) noise = "POST /echo HTTP/1.1\r\nHost: localhost\r\n" + noise;
    status_for(noise + "\r\n\r\n");
  }
  expect_alive();
}

}  // namespace
}  // namespace polypool::server
