// SPDX-License-Identifier: Apache-2.0
// `polypool query` with Redis and MongoDB, on real servers.
#include "fixture.hpp"
#include "support/mongodb_server.hpp"
#include "support/redis_server.hpp"

#include <boost/json.hpp>

namespace polypool::test {
namespace {

using ::testing::HasSubstr;

class cli_redis : public cli_test {
 protected:
  void SetUp() override {
    if (!shared_redis::address()) GTEST_SKIP() << shared_redis::why_not();
    playground_ = std::make_unique<redis_playground>(*shared_redis::address());
    write("polypool.yaml", "polypool: {connections: {cache: {dsn: \"" + shared_redis::address()->url() + "\"}}}");
  }
  std::unique_ptr<redis_playground> playground_;
};

TEST_F(cli_redis, commands_and_their_replies) {
  const auto key = playground_->key("user");
  EXPECT_EQ(output({"query", "cache", "HSET " + key + " name 'Ada L.' born 1815"}), "(integer) 2\n");
  EXPECT_EQ(output({"query", "cache", "HGETALL", key, "--format", "json"}), R"({"name":"Ada L.","born":"1815"})"
                                                                            "\n");
  EXPECT_EQ(output({"query", "default", "HGET " + key + " name"}), "\"Ada L.\"\n");
  EXPECT_EQ(output({"query", "cache", "HGETALL " + key, "--format", "csv"}), "name,Ada L.\nborn,1815\n");
  EXPECT_EQ(output({"query", "cache", "GET", playground_->key("nothing")}), "(nil)\n");
}

TEST_F(cli_redis, what_the_server_refuses_is_an_error_of_the_connection) {
  const auto key = playground_->key("list");
  output({"query", "cache", "RPUSH " + key + " 1"});
  const auto wrong = polypool({"query", "cache", "GET " + key});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_THAT(wrong.err, HasSubstr("connection 'cache' query: WRONGTYPE"));
  EXPECT_EQ(polypool({"query", "cache", "GET \"x"}).status, 2);
  EXPECT_EQ(polypool({"query", "cache", ""}).status, 2);
}

TEST_F(cli_redis, what_was_meant_for_another_kind_of_database) {
  for (const auto* sql : {"SELECT 1 AS one", "UPDATE users SET name = 'x'"}) {
    const auto wrong = polypool({"query", "cache", sql});
    EXPECT_EQ(wrong.status, 2);
    EXPECT_THAT(wrong.err, HasSubstr("connection 'cache' query: it is a redis connection, not a SQL database"));
    EXPECT_THAT(wrong.err, HasSubstr("hint: a Redis takes commands such as: GET user:1"));
  }
  EXPECT_THAT(polypool({"query", "cache", R"({"ping": 1})"}).err,
              HasSubstr("it is a redis connection, not a MongoDB database"));
  EXPECT_EQ(output({"query", "cache", "SELECT 1"}), "OK\n") << "a command of Redis";
  EXPECT_THAT(polypool({"query", "cache", "GTE a"}).err, HasSubstr("ERR unknown command"));
}

TEST_F(cli_redis, check_asks_the_drivers) {
  write("polypool.yaml",
        "polypool:\n  connections:\n    cache: {type: redis, host: 127.0.0.1, options: {protocl: 3}}\n"
        "    main: {type: mysql, host: 127.0.0.1, database: x, options: {charset: latin1}}\n");
  const auto found = polypool({"check"});
  EXPECT_EQ(found.status, 2);
  EXPECT_THAT(found.out, HasSubstr("connections.cache: option 'protocl' of a Redis connection is not known"));
  EXPECT_THAT(found.out, HasSubstr("connections.main: option 'charset' of a MySQL connection can only be utf8mb4"));
}

TEST_F(cli_redis, health_shows_version_and_role) {
  EXPECT_THAT(output({"health"}), ::testing::MatchesRegex("NAME +TYPE +VERSION +ROLE +HEALTH +LATENCY +DETAIL\n"
                                                          "cache +redis +[0-9.]+ +primary +healthy .*\n"));
}

class cli_mongodb : public cli_test {
 protected:
  void SetUp() override {
    if (!shared_mongodb::where()) GTEST_SKIP() << shared_mongodb::why_not();
    playground_ = std::make_unique<mongodb_playground>(*shared_mongodb::where());
    const auto& where = playground_->endpoint();
    boost::json::object connection{
        {"type", "mongodb"}, {"host", where.host}, {"port", where.port}, {"database", where.database}};
    if (!where.user.empty()) {
      connection["user"] = where.user;
      connection["password"] = std::string(where.password.reveal());
    }
    for (const auto& [name, option] : where.options) connection[name] = option;
    write("polypool.json", boost::json::serialize(boost::json::object{
                               {"polypool", {{"connections", {{"papers", std::move(connection)}}}}}}));
    std::filesystem::remove(path("polypool.yaml"));
  }
  std::unique_ptr<mongodb_playground> playground_;
};

TEST_F(cli_mongodb, commands_and_documents) {
  EXPECT_THAT(output({"query", "papers",
                      R"({"insert": "articles", "documents": [{"_id": 1, "by": "Ada", "price": 1.5},)"
                      R"( {"_id": 2, "by": "Bob", "at": {"$date": "2024-02-29T12:00:00Z"}}]})",
                      "--format", "json"}),
              HasSubstr(R"("n":2)"));
  EXPECT_EQ(output({"query", "papers", R"({"find": "articles", "sort": {"_id": 1}})", "--format", "json"}),
            "[\n  {\"_id\":1,\"by\":\"Ada\",\"price\":1.5},\n"
            "  {\"_id\":2,\"by\":\"Bob\",\"at\":{\"$date\":\"2024-02-29T12:00:00Z\"}}\n]\n");
  EXPECT_EQ(output({"query", "papers", R"({"find": "articles", "filter": {"by": "Ada"}})", "--format", "csv"}),
            "_id,by,price\n1,Ada,1.5\n");
  const auto wrong = polypool({"query", "papers", R"({"no_such_command": 1})"});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_THAT(wrong.err, HasSubstr("connection 'papers' query:"));
  EXPECT_EQ(polypool({"query", "papers", "find articles"}).status, 2);
  const auto sql = polypool({"query", "papers", "SELECT * FROM articles"});
  EXPECT_EQ(sql.status, 2);
  EXPECT_THAT(sql.err, HasSubstr("connection 'papers' query: it is a mongodb connection, not a SQL database"));
  const auto twice = polypool({"query", "papers", R"({"insert": "articles", "documents": [{"_id": 1}]})"});
  EXPECT_EQ(twice.status, 1) << "nothing was written";
  EXPECT_THAT(twice.out, HasSubstr("E11000"));
  EXPECT_THAT(twice.err, HasSubstr("1 write of the command failed"));
  EXPECT_EQ(polypool({"query", "papers", R"({"ping": 1})", "more"}).status, 2);
}

}  // namespace
}  // namespace polypool::test
