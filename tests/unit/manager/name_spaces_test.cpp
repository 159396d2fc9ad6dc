// SPDX-License-Identifier: Apache-2.0
// Databases and Redis have names of their own, and each kind of database its own handles.
#include "support/fake_manager.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace polypool {
namespace {

using testing::error_of;
using testing::fake_connection;
using testing::fake_world;
using ::testing::HasSubstr;

config::connection of_type(std::string name, config::database_type type) {
  auto made = fake_connection(std::move(name));
  made.type = type;
  made.where.database.clear();
  return made;
}
config::connection redis_named(std::string name) { return of_type(std::move(name), config::database_type::redis); }

TEST(name_spaces, a_database_and_a_redis_may_share_a_name) {
  fake_world world({"shared"});
  auto& mgr = *world.mgr;
  EXPECT_FALSE(mgr.contains_redis("shared"));
  mgr.register_connection(redis_named("shared"));
  EXPECT_EQ(error_of([&] { mgr.register_connection(redis_named("shared")); }).code(), errc::already_registered);
  EXPECT_EQ(mgr.get("shared").kind(), database_kind::sql);
  EXPECT_EQ(mgr.get_redis("shared").kind(), database_kind::key_value);
  EXPECT_EQ(mgr.get_all().size(), 2U);
  world.run(mgr.async_remove("shared"));  // the database first
  EXPECT_EQ(mgr.get("shared").kind(), database_kind::key_value);
  world.run(mgr.async_remove_redis("shared"));
  EXPECT_FALSE(mgr.contains("shared"));
}

TEST(name_spaces, each_has_an_active_one) {
  fake_world world({"db"});
  auto& mgr = *world.mgr;
  EXPECT_EQ(mgr.active(), "db");
  EXPECT_EQ(mgr.active_redis(), "");
  mgr.register_connection(redis_named("one"));
  mgr.register_connection(redis_named("two"));
  EXPECT_EQ(mgr.active_redis(), "one");
  mgr.switch_active_redis("two");
  EXPECT_EQ(mgr.active_redis(), "two");
  EXPECT_EQ(mgr.active(), "db");
  EXPECT_TRUE(mgr.get_redis("default").active());
  world.run(mgr.async_remove_redis("two"));
  EXPECT_EQ(mgr.active_redis(), "one");
  EXPECT_EQ(error_of([&] { mgr.switch_active_redis("two"); }).cause(), "Redis connection 'two' not found");
  EXPECT_EQ(error_of([&] { mgr.switch_active_redis("db"); }).code(), errc::not_redis);
  EXPECT_EQ(error_of([&] { mgr.switch_active("one"); }).code(), errc::not_sql_database);
  EXPECT_EQ(error_of([&] { mgr.get_redis("db"); }).cause(), "Redis connection 'db' not found");
}

TEST(name_spaces, the_configuration_names_the_active_redis) {
  config::settings base;
  base.default_redis = "b";
  fake_world world({fake_connection("db"), redis_named("a"), redis_named("b")}, base);
  EXPECT_EQ(world.mgr->active(), "db");
  EXPECT_EQ(world.mgr->active_redis(), "b");
  base.default_redis = "db";
  const auto problem = error_of([&] { fake_world({fake_connection("db"), redis_named("a"), redis_named("b")}, base); });
  EXPECT_THAT(problem.what(), HasSubstr("default_redis: 'db' is a postgres connection"));
}

TEST(name_spaces, sql_asked_of_another_kind_names_both) {
  fake_world world({fake_connection("db"), redis_named("cache"), of_type("papers", config::database_type::mongodb)},
                   {});
  const auto cache = error_of([&] { world.mgr->sql("cache"); });
  EXPECT_EQ(cache.code(), errc::not_sql_database);
  EXPECT_STREQ(cache.what(),
               "connection 'cache' sql: it is a redis connection, not a SQL database; use redis(\"cache\")");
  const auto papers = error_of([&] { world.mgr->get("papers").sql(); });
  EXPECT_STREQ(papers.what(),
               "connection 'papers' sql: it is a mongodb connection, not a SQL database; use mongodb(\"papers\")");
  world.mgr->switch_active("papers");
  EXPECT_EQ(error_of([&] { world.run(world.mgr->sql().async_query("SELECT 1")); }).code(), errc::not_sql_database);
}

TEST(name_spaces, health_tells_version_and_role) {
  fake_world world({"db"});
  const auto health = world.run(world.mgr->get("db").async_health_check());
  EXPECT_EQ(health.status, health_status::healthy);
  EXPECT_FALSE(health.server.version.empty());
  EXPECT_EQ(health.server.role, server_info::role_type::primary);
}

}  // namespace
}  // namespace polypool
