// SPDX-License-Identifier: Apache-2.0
#include "fixture.hpp"

#include <atomic>
#include <thread>

namespace polypool::test {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class RestTest : public ServerTest {};

TEST_F(RestTest, CreatesManyAndOneFailureDoesNotStopTheRest) {
  silent_port nobody;
  nobody.refuse();
  const auto reply =
      create({{"first", file_url("a")}, {"broken", nobody.url()}, {"second", file_url("b")}, {"odd", "no url"}});
  const auto& data = reply.at("data").as_object();
  EXPECT_EQ(boost::json::serialize(data.at("successful")), R"(["first","second"])");
  const auto& failed = data.at("failed").as_array();
  ASSERT_EQ(failed.size(), 2U);
  EXPECT_EQ(failed[0].at("name"), "broken");
  EXPECT_EQ(failed[0].at("code"), "DATABASE_UNAVAILABLE");
  EXPECT_EQ(failed[1].at("name"), "odd");
  const auto listed = get(multi + "list").at("data").as_object();
  EXPECT_EQ(boost::json::serialize(listed.at("databases")),
            R"([{"name":"first","isActive":true},{"name":"second","isActive":false}])");
  EXPECT_EQ(boost::json::serialize(listed.at("redis")), "[]");
  EXPECT_EQ(boost::json::serialize(listed.at("summary")),
            R"({"totalDatabases":2,"activeDatabases":1,"totalRedis":0,"activeRedis":0})");
  EXPECT_EQ(manager_->sql("second").query_value<std::int64_t>("SELECT 41 + 1"), 42);
}

TEST_F(RestTest, NothingToCreateIsNoFailure) {
  EXPECT_EQ(boost::json::serialize(create({}).at("data").at("failed")), "[]");
}

TEST_F(RestTest, WhenAllFailTheStatusSaysWhy) {
  create_files({"taken"});
  EXPECT_EQ(create({{"taken", file_url("x")}}, 409).at("code"), "ALREADY_REGISTERED");
  EXPECT_THAT(std::string(create({{"taken", file_url("x")}}, 409).at("details").as_string()),
              HasSubstr("Database connection 'taken' already exists"));
  silent_port nobody;
  EXPECT_EQ(create({{"slow", nobody.url()}}, 503).at("code"), "DATABASE_UNAVAILABLE");
  nobody.refuse();
  EXPECT_EQ(create({{"down", nobody.url()}}, 503).at("code"), "DATABASE_UNAVAILABLE");
  EXPECT_THAT(std::string(create({{"cache", "redis://127.0.0.1:6379/0"}}, 400).at("details").as_string()),
              HasSubstr("POST …/multi/redis creates those"));
  EXPECT_EQ(create({{"odd", "gopher://x"}}, 400).at("success"), false);
  EXPECT_EQ(create({{std::string("a\0b", 3), file_url("x")}}, 400).at("success"), false);
  EXPECT_EQ(create({{std::string(200, 'n'), file_url("x")}}, 400).at("success"), false);
  EXPECT_EQ(get(multi + "list").at("data").at("databases").as_array().size(), 1U) << "what failed is not kept";
}

TEST_F(RestTest, PasswordsAreNeverShown) {
  silent_port nobody;
  nobody.refuse();
  std::string seen = boost::json::serialize(create({{"down", nobody.url()}}, 503));
  seen += boost::json::serialize(
      create({{"odd", "postgres://u:topsecret@h:99999999/x"}, {"o", "gopher://u:topsecret@h"}}, 400));
  seen += exchange("POST", multi + "database", R"({"connections":[{"name":1,"url":"postgres://u:topsecret@h"}]})").body;
  manager_->register_url("kept", nobody.url());
  for (const auto& path : {admin + "list", admin + "status", admin + "test", admin + "active", multi + "list",
                           multi + "health", std::string("/health/detailed"), std::string("/metrics")}) {
    seen += exchange("GET", path).body;
  }
  seen += exchange("POST", admin + "reconnect", R"({"connectionName":"kept"})").body;
  server_.reset();
  manager_.reset();
  EXPECT_THAT(seen, HasSubstr("kept"));
  EXPECT_THAT(seen, Not(HasSubstr("topsecret")));
  EXPECT_THAT(log_.str(), Not(HasSubstr("topsecret")));
}

TEST_F(RestTest, ActiveIsSetByNameByFlagAndBySwitch) {
  create_files({"first", "second"});
  EXPECT_EQ(active(), "first");
  const auto body = R"({"connections":[{"name":"third","databaseUrl":")" + file_url("c") + R"(","setAsActive":true}]})";
  call("POST", multi + "database", body, 200);
  EXPECT_EQ(active(), "third");
  create_files({"default"});
  EXPECT_EQ(active(), "default");
  const auto switched = call("POST", multi + "switch/database", R"({"connectionName":"second"})", 200);
  EXPECT_EQ(switched.at("data").at("activeConnection"), "second");
  EXPECT_EQ(active(), "second");
}

TEST_F(RestTest, UnknownNamesAreNotFound) {
  const std::string text = "Database connection 'X' not found";
  EXPECT_EQ(error_of("POST", multi + "switch/database", R"({"connectionName":"X"})", 404), text);
  EXPECT_EQ(error_of("DELETE", multi + "remove", R"({"type":"database","connectionName":"X"})", 404), text);
  EXPECT_EQ(error_of("POST", multi + "test/specific", R"({"database":"X"})", 404), text);
  EXPECT_EQ(error_of("POST", admin + "reconnect", R"({"connectionName":"X"})", 404), text);
  EXPECT_EQ(error_of("POST", admin + "test", R"({"connectionName":"X"})", 404), text);
  EXPECT_EQ(error_of("POST", admin + "test", R"({"connectionName":"default"})", 404),
            "Database connection 'default' not found");
  EXPECT_EQ(error_of("POST", multi + "switch/database", R"({"connectionName":"a\u0000\u001bb"})", 404),
            "Database connection 'a\0\x1b"
            "b' not found"s);
}

TEST_F(RestTest, MissingFieldsAreNamed) {
  for (const auto* body : {"{}", "", R"({"connections":{}})"}) {
    EXPECT_EQ(error_of("POST", multi + "database", body, 400), "Connections array is required");
    EXPECT_EQ(error_of("POST", multi + "redis", body, 400), "Connections array is required");
    EXPECT_EQ(error_of("POST", multi + "switch/database", body, 400), "Connection name is required");
    EXPECT_EQ(error_of("POST", multi + "switch/redis", body, 400), "Connection name is required");
    EXPECT_EQ(error_of("POST", admin + "reconnect", body, 400), "Connection name is required");
    EXPECT_EQ(error_of("DELETE", multi + "remove", body, 400), "Type and connection name are required");
    EXPECT_EQ(error_of("POST", multi + "test/specific", body, 400),
              "At least one connection name (database or redis) is required");
  }
  EXPECT_EQ(error_of("DELETE", multi + "remove", R"({"type":"x","connectionName":"a"})", 400),
            "Type must be either database or redis");
}

TEST_F(RestTest, RedisHasNamesOfItsOwn) {
  create_files({"a"});
  const std::string missing = "Redis connection 'a' not found";
  EXPECT_EQ(error_of("POST", multi + "switch/redis", R"({"connectionName":"a"})", 404), missing);
  EXPECT_EQ(error_of("POST", multi + "test/specific", R"({"database":"a","redis":"a"})", 404), missing);
  EXPECT_EQ(error_of("DELETE", multi + "remove", R"({"type":"redis","connectionName":"a"})", 404), missing);
  const std::string body = R"({"connections":[{"name":"b","url":")" + file_url("b") + R"("}]})";
  EXPECT_EQ(error_of("POST", multi + "redis", body, 400), "Failed to create Redis connections");
  EXPECT_EQ(get(multi + "list").at("data").at("summary").at("totalDatabases"), 1);
}

TEST_F(RestTest, HealthOfAllHasRatios) {
  EXPECT_THAT(exchange("GET", multi + "health").body,
              HasSubstr(R"("overall":{"isHealthy":true,"databaseHealth":1,"redisHealth":1})"));
  create_files({"good"});
  silent_port nobody;
  nobody.refuse();
  manager_->register_url("bad", nobody.url());
  const auto both = get(multi + "health").at("data").as_object();
  EXPECT_EQ(both.at("overall").at("isHealthy"), false);
  EXPECT_EQ(both.at("overall").at("databaseHealth"), 0.5);
  EXPECT_EQ(both.at("overall").at("redisHealth"), 1);
  EXPECT_EQ(boost::json::serialize(both.at("databases")), R"({"good":true,"bad":false})");
  EXPECT_EQ(both.at("database").at("healthy"), false);
  EXPECT_EQ(both.at("redis").at("healthy"), true);
  EXPECT_EQ(both.at("details").at("good"), "Connection 'good' is healthy");
  EXPECT_EQ(boost::json::serialize(both.at("summary")),
            R"({"totalDatabases":2,"healthyDatabases":1,"totalRedis":0,"healthyRedis":0})");
}

TEST_F(RestTest, TestsOneConnection) {
  create_files({"good"});
  const auto tested = call("POST", multi + "test/specific", R"({"database":"good"})", 200);
  EXPECT_EQ(tested.at("message"), "Connection 'good' is healthy");
  EXPECT_EQ(tested.at("data").at("database").at("healthy"), true);
  EXPECT_EQ(tested.at("data").at("database").at("detail"), "Connection 'good' is healthy");
  EXPECT_EQ(call("POST", admin + "test", R"({"connectionName":"good"})", 200).at("data").at("healthy"), 1);
  EXPECT_EQ(call("POST", admin + "test", "", 200).at("data").at("total"), 1);
  EXPECT_EQ(get(admin + "test").at("data").at("total"), 1);
}

TEST_F(RestTest, RemovingTheActiveOnePromotesTheFirstRemaining) {
  create_files({"a", "b", "c"});
  call("POST", multi + "switch/database", R"({"connectionName":"c"})", 200);
  const auto removed = call("DELETE", multi + "remove", R"({"type":"database","connectionName":"c"})", 200);
  EXPECT_EQ(removed.at("data").at("activeConnection"), "a");
  EXPECT_EQ(active(), "a");
  call("DELETE", multi + "remove", R"({"type":"database","connectionName":"c"})", 404);
  call("DELETE", multi + "remove", R"({"type":"database","connectionName":"a"})", 200);
  const auto last = call("DELETE", multi + "remove", R"({"type":"database","connectionName":"b"})", 200);
  EXPECT_TRUE(last.at("data").at("activeConnection").is_null());
  EXPECT_EQ(active(), "");
}

TEST_F(RestTest, DisconnectsAllAndReconnects) {
  create_files({"a", "b"});
  const auto reply = call("DELETE", multi + "disconnect/all", "", 200);
  EXPECT_EQ(boost::json::serialize(reply.at("data").at("disconnected")), R"(["a","b"])");
  const auto status = get(admin + "status");
  for (const auto& each : status.at("data").at("connections").as_array()) {
    EXPECT_EQ(each.at("phase"), "closed");
    EXPECT_EQ(each.at("pool").at("open"), 0);
  }
  call("POST", admin + "reconnect", R"({"connectionName":"a"})", 200);
  EXPECT_EQ(manager_->sql("a").query_value<std::int64_t>("SELECT 1"), 1);
}

TEST_F(RestTest, StatusAndListShowEachConnection) {
  create_files({"a"});
  manager_->sql("a").execute("CREATE TABLE t (x INTEGER)");
  const auto status = get(admin + "status").at("data").as_object();
  EXPECT_EQ(status.at("summary").at("total"), 1);
  const auto& numbers = status.at("connections").as_array().at(0).as_object();
  EXPECT_EQ(numbers.at("name"), "a");
  EXPECT_EQ(numbers.at("type"), "sqlite");
  EXPECT_GE(numbers.at("queries").to_number<int>(), 1);
  EXPECT_GE(numbers.at("pool").at("open").to_number<int>(), 1);
  const auto listed = get(admin + "list").at("data").at("databases").at(0);
  EXPECT_EQ(listed.at("name"), "a");
  EXPECT_EQ(listed.at("isActive"), true);
  EXPECT_THAT(std::string(listed.at("target").as_string()), HasSubstr("a.db"));
}

TEST_F(RestTest, ASlowDatabaseHoldsUpOnlyItsOwnRequest) {
  settings_.defaults.connect_timeout = std::chrono::seconds(20);
  silent_port slow;
  http_client waiting(port());
  waiting.send(
      http_request("POST", multi + "database", R"({"connections":[{"name":"slow","url":")" + slow.url() + "\"}]}"));
  slow.await_client();
  for (int i = 0; i < 5; ++i) create_files({"quick" + std::to_string(i)});
  EXPECT_EQ(get("/health/live").at("status"), "ok");
  slow.refuse();
  server_->stop(std::chrono::milliseconds(10));  // interrupts it long before its twenty seconds are over
  const auto reply = waiting.receive();
  EXPECT_TRUE(!reply || reply->status == 503);
}

TEST_F(RestTest, ManyClientsChangeThingsAtOnce) {
  const auto where = port();
  std::atomic<int> unexpected{0};
  {
    std::vector<std::jthread> clients;
    for (int t = 0; t < 6; ++t) {
      clients.emplace_back([&, t] {
        const auto name = "shared" + std::to_string(t % 2);
        const auto body = R"({"connections":[{"name":")" + name + R"(","url":")" + file_url(name) + "\"}]}";
        const auto removal = R"({"type":"database","connectionName":")" + name + "\"}";
        for (int i = 0; i < 10; ++i) {
          const auto made = http_exchange(where, "POST", multi + "database", body).status;
          if (made != 200 && made != 409 && made != 503) ++unexpected;
          http_exchange(where, "GET", multi + "health");
          const auto gone = http_exchange(where, "DELETE", multi + "remove", removal).status;
          if (gone != 200 && gone != 404) ++unexpected;
        }
      });
    }
  }
  EXPECT_EQ(unexpected, 0);
  create_files({"after"});
}

}  // namespace
}  // namespace polypool::test
