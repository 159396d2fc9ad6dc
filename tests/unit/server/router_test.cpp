// SPDX-License-Identifier: Apache-2.0
#include "server/router.hpp"

#include "server/gate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace polypool::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

task<response> nothing(const request&) { co_return response(); }

router example() {
  router routes;
  routes.add(http_method::get, "/", nothing);
  routes.add(http_method::get, "/health", nothing);
  routes.add(http_method::get, "/test", nothing);
  routes.add(http_method::post, "/test", nothing);
  routes.add(http_method::del, "/remove", nothing);
  return routes;
}

request_head head(std::string_view method, std::string_view target) {
  request_head out;
  out.method = method;
  out.target = target;
  out.hosts = {"localhost:8080"};
  return out;
}

int refused_with(const request_head& asked) {
  const auto routes = example();
  const auto admitted = admit(asked, routes);
  return admitted.answer ? 0 : admitted.refusal.status;
}

TEST(Router, FindsByPathAndMethod) {
  const auto routes = example();
  EXPECT_NE(routes.find(http_method::get, "/health"), nullptr);
  EXPECT_EQ(routes.find(http_method::post, "/health"), nullptr);
  EXPECT_EQ(routes.find(http_method::get, "/nowhere"), nullptr);
  EXPECT_EQ(routes.find(http_method::head, "/health"), routes.find(http_method::get, "/health"));
  EXPECT_EQ(routes.find(http_method::head, "/remove"), nullptr);
}

TEST(Router, SaysWhatAPathTakes) {
  const auto routes = example();
  EXPECT_EQ(routes.allowed("/health"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(routes.allowed("/test"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(routes.allowed("/remove"), "DELETE, OPTIONS");
  EXPECT_EQ(routes.allowed("/nowhere"), "");
}

TEST(Router, SuggestsWhatLooksAlike) {
  const auto routes = example();
  EXPECT_EQ(routes.closest("/helth"), "/health");
  EXPECT_EQ(routes.closest("/heathl"), "/health");
  EXPECT_EQ(routes.closest("/remov"), "/remove");
  EXPECT_EQ(routes.closest("/completely/different"), "");
  EXPECT_EQ(routes.closest(std::string(100000, 'a')), "");
}

TEST(Router, ListsEverything) {
  EXPECT_THAT(example().list(), ElementsAre("GET /", "GET /health", "DELETE /remove", "GET /test", "POST /test"));
}

TEST(Gate, AdmitsGoodRequests) {
  EXPECT_EQ(refused_with(head("GET", "/health")), 0);
  EXPECT_EQ(refused_with(head("HEAD", "/health")), 0);
  EXPECT_EQ(refused_with(head("GET", "/health?verbose=1")), 0);
  EXPECT_EQ(refused_with(head("GET", "/health/")), 0);
  EXPECT_EQ(refused_with(head("DELETE", "/remove")), 0);
  EXPECT_EQ(refused_with(head("GET", "http://127.0.0.1:8080/health")), 0);
  EXPECT_EQ(refused_with(head("GET", "HTTP://localhost")), 0);
}

TEST(Gate, RefusesOtherHosts) {
  for (const auto* host :
       {"evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "", "0.0.0.0", "[::1", "[::1]x", "localhost:port",
        "localhost:80:80", "128.0.0.1", "127.1", "127.0.0.1.", "user@localhost"}) {
    auto asked = head("GET", "/health");
    asked.hosts = {host};
    EXPECT_EQ(refused_with(asked), 403) << host;
  }
  EXPECT_EQ(refused_with(head("GET", "http://evil.example/health")), 403);
}

TEST(Gate, TakesEveryLoopbackName) {
  for (const auto* host : {"localhost", "LOCALHOST:1", "localhost:", "127.0.0.1", "127.0.0.1:65535", "127.0.0.2:80",
                           "127.255.255.254", "[::1]", "[::1]:8080"}) {
    EXPECT_TRUE(is_loopback_authority(host)) << host;
  }
}

TEST(Gate, WantsExactlyOneHost) {
  auto asked = head("GET", "/health");
  asked.hosts = {"localhost", "localhost"};
  EXPECT_EQ(refused_with(asked), 400);
  asked.hosts.clear();
  EXPECT_EQ(refused_with(asked), 400);
  asked.http_1_0 = true;
  EXPECT_EQ(refused_with(asked), 0);
}

TEST(Gate, RefusesTargetsThatAreNoPaths) {
  for (const auto* target : {"health", "", "*", "localhost:443", "https://localhost/health", "http:///health"}) {
    EXPECT_EQ(refused_with(head("GET", target)), 400) << target;
  }
}

TEST(Gate, UnknownPathsComeWithASuggestion) {
  const auto routes = example();
  const auto admitted = admit(head("GET", "/helth"), routes);
  EXPECT_EQ(admitted.refusal.status, 404);
  EXPECT_THAT(admitted.refusal.body, HasSubstr("did you mean '/health'?"));
  const auto odd = admit(head("GET", "/\xff\"\n"), routes);
  EXPECT_EQ(odd.refusal.status, 404);
  EXPECT_THAT(odd.refusal.body, Not(HasSubstr("\xff")));
}

TEST(Gate, WrongMethodsSayWhatIsAllowed) {
  const auto routes = example();
  const auto admitted = admit(head("PATCH", "/test"), routes);
  EXPECT_EQ(admitted.refusal.status, 405);
  EXPECT_EQ(admitted.refusal.allow, "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(admit(head("BREW", "/test"), routes).refusal.status, 405);
  const auto asked = admit(head("OPTIONS", "/test"), routes);
  EXPECT_EQ(asked.refusal.status, 204);
  EXPECT_EQ(asked.refusal.allow, "GET, HEAD, POST, OPTIONS");
}

TEST(Gate, TakesChangesAsJsonOnly) {
  auto asked = head("POST", "/test");
  EXPECT_EQ(refused_with(asked), 415);
  for (const auto* type : {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "",
                           "application/jsonp", "application/json+x", "text/plain; application/json"}) {
    asked.content_type = type;
    EXPECT_EQ(refused_with(asked), 415) << type;
  }
  for (const auto* type :
       {"application/json", "Application/JSON", "application/json; charset=utf-8", "application/json "}) {
    asked.content_type = type;
    EXPECT_EQ(refused_with(asked), 0) << type;
  }
  auto removal = head("DELETE", "/remove");
  removal.has_body = true;
  EXPECT_EQ(refused_with(removal), 415);
}

TEST(Gate, KnowsOneExpectation) {
  auto asked = head("GET", "/health");
  asked.expect = "100-Continue";
  EXPECT_EQ(refused_with(asked), 0);
  asked.expect = "a-miracle";
  EXPECT_EQ(refused_with(asked), 417);
}

}  // namespace
}  // namespace polypool::server
