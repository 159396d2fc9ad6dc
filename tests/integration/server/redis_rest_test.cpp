// SPDX-License-Identifier: Apache-2.0
// The REST calls for Redis, on a real server.
#include "fixture.hpp"
#include "support/redis_server.hpp"

namespace polypool::test {
namespace {

using ::testing::HasSubstr;

class redis_rest : public ServerTest {
 protected:
  void SetUp() override {
    if (!shared_redis::address()) GTEST_SKIP() << shared_redis::why_not();
    // Sanitizers and a busy machine make a real server slow to answer.
    settings_.defaults.connect_timeout = std::chrono::seconds(10);
    url_ = shared_redis::address()->url();
  }
  static std::string created(const std::vector<std::pair<std::string, std::string>>& wanted) {
    boost::json::array list;
    for (const auto& [name, url] : wanted) list.push_back({{"name", name}, {"redisUrl", url}});
    return boost::json::serialize(boost::json::object{{"connections", list}});
  }
  boost::json::object create_redis(const std::vector<std::pair<std::string, std::string>>& wanted, int status = 200) {
    return call("POST", multi + "redis", created(wanted), status);
  }
  std::string text(const boost::json::value& value) const { return boost::json::serialize(value); }
  std::string url_;
};

TEST_F(redis_rest, create_switch_test_list_and_remove) {
  create_files({"cache"});  // a database of the same name is another thing
  const auto made = create_redis({{"cache", url_}, {"sessions", url_}, {"down", "redis://127.0.0.1:1/0"}});
  EXPECT_EQ(text(made.at("data").at("successful")), R"(["cache","sessions"])");
  EXPECT_EQ(made.at("data").at("failed").as_array().size(), 1U);
  EXPECT_EQ(made.at("message"), "Created 2 of 3 Redis connections");
  EXPECT_EQ(create_redis({{"cache", url_}}, 409).at("code"), "ALREADY_REGISTERED");

  auto listed = get(multi + "list").at("data").as_object();
  EXPECT_EQ(text(listed.at("redis")), R"([{"name":"cache","isActive":true},{"name":"sessions","isActive":false}])");
  EXPECT_EQ(text(listed.at("summary")), R"({"totalDatabases":1,"activeDatabases":1,"totalRedis":2,"activeRedis":1})");

  const auto switched = call("POST", multi + "switch/redis", R"({"connectionName":"sessions"})", 200);
  EXPECT_EQ(switched.at("data").at("activeConnection"), "sessions");
  EXPECT_EQ(manager_->active_redis(), "sessions");
  EXPECT_EQ(manager_->active(), "cache") << "the active database is another thing";

  const auto tested = call("POST", multi + "test/specific", R"({"database":"cache","redis":"sessions"})", 200);
  EXPECT_EQ(tested.at("message"), "Connection 'cache' is healthy; Connection 'sessions' is healthy");
  EXPECT_EQ(tested.at("data").at("redis").at("name"), "sessions");
  EXPECT_EQ(tested.at("data").at("redis").at("role"), "primary");
  EXPECT_FALSE(tested.at("data").at("redis").at("version").as_string().empty());

  const auto removed = call("DELETE", multi + "remove", R"({"type":"redis","connectionName":"sessions"})", 200);
  EXPECT_EQ(removed.at("data").at("activeConnection"), "cache") << "the first remaining one";
  EXPECT_EQ(error_of("DELETE", multi + "remove", R"({"type":"redis","connectionName":"sessions"})", 404),
            "Redis connection 'sessions' not found");
  EXPECT_EQ(get(multi + "list").at("data").at("summary").at("totalDatabases"), 1);
}

TEST_F(redis_rest, health_counts_both_kinds) {
  create_files({"db"});
  create_redis({{"cache", url_}});
  const auto health = get(multi + "health").at("data").as_object();
  EXPECT_EQ(text(health.at("summary")), R"({"totalDatabases":1,"healthyDatabases":1,"totalRedis":1,"healthyRedis":1})");
  EXPECT_EQ(health.at("redis").at("healthy"), true);
  EXPECT_EQ(health.at("redis").at("cache"), true);
  EXPECT_EQ(health.at("databases").at("db"), true);
}

TEST_F(redis_rest, one_that_is_away_counts_in_its_own_ratio) {
  create_files({"db"});
  create_redis({{"cache", url_}});
  manager_->register_url("away", "redis://127.0.0.1:1/0");
  const auto worse = get(multi + "health").at("data").as_object();
  EXPECT_EQ(worse.at("overall").at("redisHealth"), 0.5);
  EXPECT_EQ(worse.at("overall").at("databaseHealth"), 1);
  EXPECT_EQ(worse.at("overall").at("isHealthy"), false);
}

TEST_F(redis_rest, a_failure_hides_the_password) {
  const auto failed = create_redis({{"secured", "redis://ann:hush-hush@127.0.0.1:1/0"}}, 503);
  EXPECT_THAT(text(failed), ::testing::Not(HasSubstr("hush-hush")));
  EXPECT_EQ(create_redis({{"odd", "sqlite::memory:"}}, 400).at("success"), false);
}

}  // namespace
}  // namespace polypool::test
