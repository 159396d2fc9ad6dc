// SPDX-License-Identifier: Apache-2.0
// The whole daemon under bad input: whatever comes, it answers the next one.
#include "fixture.hpp"

namespace polypool::test {
namespace {

using ::testing::HasSubstr;

class HostileTest : public ServerTest {
 protected:
  int status_of(std::string_view body) { return exchange("POST", multi + "database", body).status; }
  void expect_alive() { get("/health/live"); }
};

TEST_F(HostileTest, BodiesThatAreNoJson) {
  for (const auto* body :
       {"{", "[]", "null", "\"x\"", "{\"connections\":[}", "name=x", "{\"connections\":[1,2]}",
        "{\"connections\":\xff}", "{\"connections\":\"\xff\"}", "{\"connections\":[],\"connections\":[]}",
        "{\"connections\":[{\"name\":\"a\",\"name\":\"b\",\"url\":\"sqlite::memory:\"}]}",
        "{\"connections\":[{\"name\":{},\"url\":[]}]}"}) {
    EXPECT_EQ(status_of(body), 400) << body;
  }
  EXPECT_EQ(status_of("{\"connections\":" + std::string(100000, '[') + std::string(100000, ']') + "}"), 400);
  expect_alive();
}

TEST_F(HostileTest, BodiesThatAreTooLarge) {
  settings_.server.max_body_bytes = 10000;
  EXPECT_EQ(status_of("{\"connections\":[" + std::string(20000, ' ') + "]}"), 413);
  EXPECT_EQ(status_of("{\"connections\":[" + std::string(5000, ' ') + "]}"), 200);
  expect_alive();
}

TEST_F(HostileTest, NamesThatTryThings) {
  for (const auto* name : {"../../etc/passwd", "<script>alert(1)</script>", "a'; DROP TABLE x; --", "%s%n", "${jndi:x}",
                           "\\u202e", "名前", " "}) {
    const auto body = R"({"connectionName":")" + std::string(name) + "\"}";
    EXPECT_EQ(exchange("POST", multi + "switch/database", body).status, 404) << name;
  }
  expect_alive();
}

TEST_F(HostileTest, WebPagesCannotReachIt) {
  http_client rebound(port());
  rebound.send("GET /api/admin/connections/list HTTP/1.1\r\nHost: attacker.example\r\n\r\n");
  EXPECT_EQ(rebound.receive()->status, 403);
  http_client form(port());
  form.send(
      "POST /api/admin/connections/multi/switch/database HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
      "Content-Length: 22\r\n\r\n{\"connectionName\":\"a\"}");
  EXPECT_EQ(form.receive()->status, 415);
  http_client preflight(port());
  preflight.send(http_request("OPTIONS", multi + "database", "", "Origin: http://attacker.example\r\n"));
  const auto reply = preflight.receive();
  EXPECT_FALSE(reply->headers.contains("access-control-allow-origin"));
}

TEST_F(HostileTest, UnknownPathsAndMethods) {
  EXPECT_THAT(error_of("GET", "/api/admin/connections/multi/lst", "", 404), HasSubstr("Not found"));
  EXPECT_THAT(std::string(get("/api/admin/connections/multi/lst", 404).at("details").as_string()),
              HasSubstr("did you mean '/api/admin/connections/multi/list'?"));
  const auto reply = exchange("PATCH", multi + "remove");
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(reply.headers.at("allow"), "DELETE, OPTIONS");
  EXPECT_EQ(exchange("GET", "/../../etc/passwd").status, 404);
}

TEST_F(HostileTest, SlowClientsDoNotStopTheOthers) {
  settings_.server.request_timeout = std::chrono::milliseconds(200);
  std::vector<std::unique_ptr<http_client>> slow;
  for (int i = 0; i < 50; ++i) {
    slow.push_back(std::make_unique<http_client>(port()));
    slow.back()->send("POST /api/admin/connections/multi/database HTTP/1.1\r\nHost: loc");
  }
  expect_alive();
  for (auto& each : slow) EXPECT_EQ(each->receive()->status, 408);
  expect_alive();
}

TEST_F(HostileTest, HundredsOfConnectionsInOneRequest) {
  boost::json::array list;
  for (int i = 0; i < 300; ++i) list.push_back({{"name", "c" + std::to_string(i)}, {"url", "sqlite::memory:"}});
  list.push_back({{"name", "c7"}, {"url", "sqlite::memory:"}});
  const auto body = boost::json::serialize(boost::json::object{{"connections", list}});
  const auto data = call("POST", multi + "database", body, 200).at("data").as_object();
  EXPECT_EQ(data.at("successful").as_array().size(), 300U);
  EXPECT_EQ(data.at("failed").as_array().size(), 1U);
  EXPECT_EQ(call("DELETE", multi + "disconnect/all", "", 200).at("data").at("disconnected").as_array().size(), 300U);
}

}  // namespace
}  // namespace polypool::test
