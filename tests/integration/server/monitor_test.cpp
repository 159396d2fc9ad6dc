// SPDX-License-Identifier: Apache-2.0
// The monitor, breakers and events over HTTP.
#include "fixture.hpp"
#include "support/process.hpp"

#include <thread>

namespace polypool::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class MonitorTest : public ServerTest {
 protected:
  void publish(std::string_view name, event_kind kind = event_kind::failover) {
    manager_->events().publish(kind, name, config::database_type::postgres, "a", "b", "because");
  }
  // A client that is sent events.
  std::unique_ptr<http_client> listen(const std::string& path = "/api/events", const std::string& headers = {}) {
    auto client = std::make_unique<http_client>(port());
    client->send(http_request("GET", path, "", "Accept: text/event-stream\r\n" + headers));
    const auto head = client->receive();
    EXPECT_TRUE(head.has_value());
    EXPECT_EQ(head->status, 200);
    EXPECT_EQ(head->headers.at("content-type"), "text/event-stream");
    EXPECT_TRUE(client->wait_for_text("retry: 2000\n\n"));
    return client;
  }
  boost::json::array events(const std::string& query) {
    http_client client(port());
    client.send(http_request("GET", "/api/events" + query, "", "Accept: application/json\r\n"));
    const auto reply = client.receive();
    EXPECT_EQ(reply->status, 200) << reply->body;
    return boost::json::parse(reply->body).at("data").at("events").as_array();
  }
};

TEST_F(MonitorTest, IsStartedStoppedAndAsked) {
  create_files({"core"});
  EXPECT_EQ(get(admin + "monitor").at("data").at("running"), true);
  EXPECT_EQ(call("POST", admin + "monitor", R"({"action":"stop"})", 200).at("data").at("running"), false);
  EXPECT_FALSE(manager_->monitoring());
  EXPECT_EQ(get(admin + "monitor").at("message"), "The monitor is stopped");
  EXPECT_EQ(call("POST", admin + "monitor", R"({"action":"start"})", 200).at("data").at("running"), true);
  const auto checked = call("POST", admin + "monitor", R"({"action":"check"})", 200);
  EXPECT_EQ(checked.at("data").at("connections").at(0).at("status"), "healthy");
  EXPECT_EQ(checked.at("data").at("healthy"), true);
  EXPECT_EQ(call("POST", admin + "monitor", R"({"action":"status"})", 200).at("data").at("running"), true);
  EXPECT_THAT(error_of("POST", admin + "monitor", R"({"action":"dance"})", 400), HasSubstr("start, stop"));
  EXPECT_THAT(error_of("POST", admin + "monitor", "{}", 400), StartsWith("Action is required"));
}

TEST_F(MonitorTest, HistoryOfChecks) {
  create_files({"core", "other"});
  for (int i = 0; i < 3; ++i) call("POST", admin + "test", R"({"connectionName":"core"})", 200);
  const auto one = get(admin + "health/history?connection=core").at("data").at("connections").as_array();
  ASSERT_EQ(one.size(), 1U);
  EXPECT_GE(one[0].at("checks").as_array().size(), 4U);  // connecting counts
  EXPECT_EQ(one[0].at("checks").at(3).at("found"), "healthy");
  EXPECT_EQ(get(admin + "health/history").at("data").at("connections").as_array().size(), 2U);
  call("GET", admin + "health/history?connection=nobody", "", 404);
  call("GET", admin + "health/history?conection=core", "", 400);
}

TEST_F(MonitorTest, BreakersAreShownAndForced) {
  create_files({"core"});
  EXPECT_EQ(get(admin + "breakers").at("data").at("breakers").at(0).at("state"), "closed");
  const auto opened = call("POST", admin + "breaker", R"({"connection":"core","action":"open"})", 200);
  EXPECT_EQ(opened.at("data").at("breaker").at("state"), "open");
  EXPECT_EQ(opened.at("data").at("breaker").at("forced"), true);
  EXPECT_EQ(get(admin + "status").at("data").at("connections").at(0).at("breaker").at("state"), "open");
  EXPECT_EQ(
      call("POST", admin + "test", R"({"connectionName":"core"})", 200).at("data").at("connections").at(0).at("status"),
      "degraded");
  call("POST", admin + "breaker", R"({"connection":"core","action":"release"})", 200);
  EXPECT_EQ(get(admin + "breakers").at("data").at("breakers").at(0).at("state"), "closed");
  call("POST", admin + "breaker", R"({"connection":"core","action":"kick"})", 400);
  call("POST", admin + "breaker", R"({"action":"open"})", 400);
  call("POST", admin + "breaker", R"({"connection":"nobody","action":"open"})", 404);
}

TEST_F(MonitorTest, EventsAsJson) {
  start();
  for (const char* name : {"a", "b", "a"}) publish(name);
  publish("a", event_kind::leak);
  EXPECT_EQ(events("").size(), 4U);
  EXPECT_EQ(events("?connection=a").size(), 3U);
  EXPECT_EQ(events("?connection=a&kind=leak,failover&limit=2").size(), 2U);
  EXPECT_EQ(events("?since=3").at(0).at("kind"), "leak");
  EXPECT_EQ(events("?connection=%61").at(0).at("detail"), "because");
}

TEST_F(MonitorTest, EventsAreNegotiated) {
  const auto status = [&](const std::string& path, const std::string& headers, const std::string& method = "GET") {
    http_client client(port());
    client.send(http_request(method, path, "", headers));
    const auto reply = client.receive(method == "HEAD");
    return reply ? reply->status : 0;
  };
  EXPECT_EQ(status("/api/events", "Accept: text/html\r\n"), 406);
  EXPECT_EQ(status("/api/events", "Accept: text/event-stream;q=0, image/*\r\n"), 406);
  EXPECT_EQ(status("/api/events", "Accept: image/png, text/*;q=0.1\r\n"), 200);
  EXPECT_EQ(status("/api/events", "Accept: */*\r\n"), 200);
  EXPECT_EQ(status("/api/events", "", "HEAD"), 200);
  EXPECT_EQ(status("/api/events", "", "POST"), 405);
  EXPECT_EQ(status("/api/events?kind=nonsense", ""), 400);
  EXPECT_EQ(status("/api/events?since=x", ""), 400);
  EXPECT_EQ(status("/api/events?connection=%f", ""), 400);
  EXPECT_EQ(status("/api/events", "Last-Event-ID: soon\r\n"), 400);
}

TEST_F(MonitorTest, AStreamOfEvents) {
  start();
  publish("before");
  const auto client = listen();
  publish("primary", event_kind::circuit_open);
  ASSERT_TRUE(client->wait_for_text("\"because\"}\n\n"));
  EXPECT_THAT(client->received(), HasSubstr("id: 2\nevent: circuit-open\ndata: {\"id\":2,"));
  EXPECT_THAT(client->received(), Not(HasSubstr("before")));
}

TEST_F(MonitorTest, AStreamGoesOnWhereItEnded) {
  start();
  for (const char* name : {"one", "two", "three"}) publish(name);
  const auto again = listen("/api/events", "Last-Event-ID: 1\r\n");
  ASSERT_TRUE(again->wait_for_text("three"));
  EXPECT_THAT(again->received(), HasSubstr("\"two\""));
  EXPECT_THAT(again->received(), Not(HasSubstr("\"one\"")));
  // an id of an earlier life of the daemon: all of this one is news
  const auto other_life = listen("/api/events", "Last-Event-ID: 5000\r\n");
  EXPECT_TRUE(other_life->wait_for_text("\"one\""));
}

TEST_F(MonitorTest, AStreamOfSomeEvents) {
  start();
  const auto client = listen("/api/events?kind=leak&connection=a&connection=b");
  publish("a");
  publish("c", event_kind::leak);
  publish("b", event_kind::leak);
  ASSERT_TRUE(client->wait_for_text("id: 3"));
  EXPECT_THAT(client->received(), Not(HasSubstr("id: 1\n")));
  EXPECT_THAT(client->received(), Not(HasSubstr("id: 2\n")));
}

TEST_F(MonitorTest, HealthComesAsEvents) {
  start();
  const auto client = listen();
  create_files({"core"});
  ASSERT_TRUE(client->wait_for_text("event: health-change"));
  EXPECT_TRUE(client->wait_for_text("\"to\":\"healthy\""));
}

TEST_F(MonitorTest, AStreamWithNothingToTellHasAHeartbeat) {
  limits_.heartbeat = 20ms;
  const auto client = listen();
  EXPECT_TRUE(client->wait_for_text(": \n\n: \n\n"));
}

TEST_F(MonitorTest, StreamsAreLimitedAndTheirPlacesComeBack) {
  limits_.max_streams = 2;
  auto one = listen();
  const auto two = listen();
  http_client third(port());
  third.send(http_request("GET", "/api/events"));
  EXPECT_EQ(third.receive()->status, 503);
  one.reset();  // leaves; the server sees it at once
  EXPECT_TRUE(wait_until([&] {
    http_client next(port());
    next.send(http_request("GET", "/api/events"));
    const auto reply = next.receive();
    return reply && reply->status == 200;
  }));
  EXPECT_EQ(http_exchange(port(), "GET", "/health/live").status, 200);
}

TEST_F(MonitorTest, AClientThatReadsNothingIsCut) {
  limits_.write_timeout = 100ms;
  limits_.max_streams = 1;
  const auto sleeper = listen();
  // More than any socket's buffer holds; what it missed meanwhile ends it as well.
  const std::string much(event_bus::longest_detail, 'x');
  const auto free_again = [&] {
    for (int i = 0; i < 500; ++i) {
      manager_->events().publish(event_kind::leak, "a", config::database_type::postgres, "", "", much);
    }
    http_client next(port());
    next.send(http_request("GET", "/api/events"));
    const auto reply = next.receive();
    return reply && reply->status == 200;
  };
  EXPECT_TRUE(wait_until(free_again, 60s));
}

TEST_F(MonitorTest, AClientThatTalksAllTheTimeIsNotListenedToAndHoldsNobodyUp) {
  start();
  const auto client = listen();
  const std::string chatter =
      http_request("DELETE", multi + "remove", R"({"type":"database","connectionName":"core"})");
  for (int i = 0; i < 2000; ++i) client->send(chatter);
  EXPECT_EQ(http_exchange(port(), "GET", "/health/live").status, 200);
  publish("after");
  EXPECT_TRUE(client->wait_for_text("\"after\""));
  EXPECT_THAT(client->received(), Not(HasSubstr("HTTP/1.1")));
}

TEST_F(MonitorTest, ABurstOfEventsReachesAStreamInOrderOrCutsIt) {
  start();
  const auto client = listen();
  constexpr int many = 5000;
  for (int i = 0; i < many; ++i) publish(std::to_string(i));
  publish("last");
  // What is kept arrives without a gap; whoever is too slow is told so.
  client->wait_for_text("\"last\"");
  const auto& got = client->received();
  const bool cut = got.contains(": too slow: ");
  EXPECT_NE(cut, got.contains("\"last\""));
  std::uint64_t expected = 1;
  for (std::size_t at = got.find("id: "); at != std::string::npos; at = got.find("\nid: ", at + 1)) {
    const auto begin = got.find("id: ", at) + 4;
    ASSERT_EQ(std::stoull(got.substr(begin)), expected++);
  }
}

TEST_F(MonitorTest, StoppingEndsStreams) {
  start();
  const auto client = listen();
  const auto begun = std::chrono::steady_clock::now();
  server_->stop(30s);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 15s);
  client->receive_all();  // ends
}

}  // namespace
}  // namespace polypool::test
