// SPDX-License-Identifier: Apache-2.0
// Redis in configuration: sentinels, clusters, and its own defaults.
#include "helpers.hpp"

namespace polypool::config {
namespace {

using namespace std::chrono_literals;

connection from(std::string_view url) { return connection_from_url("cache", url); }

std::string problems_of(std::string_view url) {
  try {
    from(url);
  } catch (const configuration_error& wrong) {
    return wrong.what();
  }
  return {};
}

TEST(redis_url, single_servers) {
  const auto plain = from("redis://ann:pw@host:6380/3?client_name=app");
  EXPECT_EQ(plain.type, database_type::redis);
  EXPECT_EQ(plain.where.host, "host");
  EXPECT_EQ(plain.where.port, 6380);
  EXPECT_EQ(plain.where.user, "ann");
  EXPECT_EQ(plain.where.database, "3");
  EXPECT_EQ(plain.where.tls, tls_mode::disable);
  EXPECT_EQ(plain.where.options.at("client_name"), "app");
  EXPECT_EQ(from("rediss://host").where.tls, tls_mode::verify_full);
  EXPECT_EQ(from("redis://host").where.port, 6379);
  EXPECT_NE(problems_of("redis://host/name"), "");
  EXPECT_NE(problems_of("redis://a,b/0").find("cluster=true"), std::string::npos);
  EXPECT_NE(problems_of("redis://host?sslmode=prefer").find("negotiate"), std::string::npos);
}

TEST(redis_url, sentinels) {
  const auto one = from("sentinel://:pw@a:1,b,c:3/mymaster/2?sentinel_user=s");
  EXPECT_EQ(one.type, database_type::redis);
  EXPECT_EQ(one.where.host, "a:1,b:26379,c:3");
  EXPECT_EQ(one.where.options.at("sentinel"), "mymaster");
  EXPECT_EQ(one.where.database, "2");
  EXPECT_EQ(one.where.tls, tls_mode::disable);
  const auto alone = from("sentinels://a/mymaster");
  EXPECT_EQ(alone.where.host, "a");
  EXPECT_EQ(alone.where.port, 26379);
  EXPECT_EQ(alone.where.database, "");
  EXPECT_EQ(alone.where.tls, tls_mode::verify_full);
  EXPECT_EQ(from("sentinel://[::1]:5,a/m").where.host, "[::1]:5,a:26379");
  EXPECT_NE(problems_of("sentinel://a,b").find("mymaster"), std::string::npos);
  EXPECT_NE(problems_of("sentinel://a,b/m/x"), "");
}

TEST(redis_url, a_password_for_sentinels_stays_secret) {
  EXPECT_EQ(redact_url("sentinel://a/m?sentinel_password=hunter2&x=1").find("hunter2"), std::string::npos);
  EXPECT_EQ(problems_of("sentinel://a,b/m/x?sentinel_password=hunter2").find("hunter2"), std::string::npos);
}

TEST(redis_url, clusters) {
  const auto many = from("redis://a,b:7001/?cluster=true");
  EXPECT_EQ(many.where.host, "a:6379,b:7001");
  EXPECT_EQ(from("redis://a/0?cluster=yes").where.port, 6379);
  EXPECT_NE(problems_of("redis://a/1?cluster=true").find("database 0"), std::string::npos);
  EXPECT_NE(problems_of("redis://a?cluster=perhaps").find("neither true nor false"), std::string::npos);
  EXPECT_NE(problems_of("sentinel://a/m?cluster=true").find("together"), std::string::npos);
}

TEST(redis_defaults, are_its_own_unless_set_for_all) {
  const tuning untouched;
  const auto its = defaults_for(database_type::redis, untouched);
  EXPECT_EQ(its.min_open_conns, 1u);
  EXPECT_EQ(its.max_open_conns, 10u);
  EXPECT_EQ(its.conn_max_idle_time, 30s);
  EXPECT_EQ(its.acquire_timeout, 10s);
  EXPECT_EQ(its.query_timeout, untouched.query_timeout);
  EXPECT_EQ(defaults_for(database_type::postgres, untouched), untouched);
  tuning set = untouched;
  set.max_open_conns = 3;
  set.acquire_timeout = 2s;
  const auto kept = defaults_for(database_type::redis, set);
  EXPECT_EQ(kept.max_open_conns, 3u);
  EXPECT_EQ(kept.acquire_timeout, 2s);
  EXPECT_EQ(kept.conn_max_idle_time, 30s);
}

}  // namespace
}  // namespace polypool::config
