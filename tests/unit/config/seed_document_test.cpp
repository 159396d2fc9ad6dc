// SPDX-License-Identifier: Apache-2.0
// The document that Polypool's configuration follows: its example, its two tables, and their defaults.
#include "helpers.hpp"

namespace polypool::config::testing {
namespace {

using namespace std::chrono_literals;

TEST(SeedDocument, LoadsUnchanged) {
  const auto all = load(std::string(POLYPOOL_SOURCE_DIR) + "/tests/data/dbmanager.yaml", with({}));
  EXPECT_EQ(all.default_connection, "primary");
  EXPECT_EQ(all.defaults, tuning{});  // the example writes the defaults down
  ASSERT_EQ(all.connections.size(), 4U);
  EXPECT_EQ(all.connections[0].name, "primary");
  EXPECT_EQ(all.connections[3].name, "documents");

  const auto& primary = named(all, "primary");
  EXPECT_EQ(primary.type, database_type::postgres);
  EXPECT_EQ(primary.where.host, "localhost");
  EXPECT_EQ(primary.where.port, 5432);
  EXPECT_EQ(primary.where.user, "myuser");
  EXPECT_EQ(primary.where.password.reveal(), "mypassword");
  EXPECT_EQ(primary.where.database, "myapp");
  EXPECT_EQ(primary.where.tls, tls_mode::disable);
  EXPECT_EQ(primary.default_orm, access_style::builder);
  EXPECT_TRUE(primary.enable_metrics);
  EXPECT_TRUE(primary.enable_tracing);
  EXPECT_TRUE(primary.enable_logging);

  const auto& analytics = named(all, "analytics");
  EXPECT_EQ(analytics.where.host, "analytics");
  EXPECT_EQ(analytics.where.user, "readonly");
  EXPECT_EQ(analytics.where.password.reveal(), "pass");
  EXPECT_EQ(analytics.where.database, "analytics");
  EXPECT_TRUE(analytics.enable_logging);

  const auto& cache = named(all, "cache-db");
  EXPECT_EQ(cache.type, database_type::sqlite);
  EXPECT_EQ(cache.where.filepath, "/var/lib/app/cache.db");
  EXPECT_EQ(cache.overrides.max_open_conns, 1U);
  const auto effective = cache.overrides.applied_to(all.defaults);
  EXPECT_EQ(effective.max_open_conns, 1U);
  EXPECT_EQ(effective.max_idle_conns, 1U);

  const auto& documents = named(all, "documents");
  EXPECT_EQ(documents.type, database_type::mongodb);
  EXPECT_EQ(documents.where.port, 27017);
  EXPECT_EQ(documents.where.options.at("auth_source"), "admin");
}

TEST(SeedDocument, EveryGlobalFieldIsRead) {
  const auto all = read(R"(
polypool:
  default_connection: a
  connections: {a: {type: sqlite, filepath: a.db}}
  max_open_conns: 26
  max_idle_conns: 6
  min_open_conns: 2
  conn_max_lifetime: 31m
  conn_max_idle_time: 6m
  connect_timeout: 11s
  query_timeout: 31s
  acquire_timeout: 32s
  max_waiting: 33
  keepalive_interval: 34s
  probe_after: 35ms
  leak_threshold: 36s
  retry_attempts: 4
  retry_delay: 2s
  retry_max_delay: 11s
  health_check_interval: 37s
  enable_auto_reconnect: false
  lazy_connect: true
  statement_cache_size: 38
  drain_timeout: 20s
  force_timeout: 25s
  server: {enabled: no, host: 0.0.0.0, port: 0, max_body_bytes: 2048, request_timeout: 5s}
  logging: {level: warn, format: JSON}
)");
  const tuning expected{.max_open_conns = 26,
                        .max_idle_conns = 6,
                        .min_open_conns = 2,
                        .conn_max_lifetime = 31min,
                        .conn_max_idle_time = 6min,
                        .connect_timeout = 11s,
                        .query_timeout = 31s,
                        .acquire_timeout = 32s,
                        .max_waiting = 33,
                        .keepalive_interval = 34s,
                        .probe_after = 35ms,
                        .leak_threshold = 36s,
                        .retry_attempts = 4,
                        .retry_delay = 2s,
                        .retry_max_delay = 11s,
                        .health_check_interval = 37s,
                        .enable_auto_reconnect = false,
                        .lazy_connect = true,
                        .statement_cache_size = 38};
  EXPECT_EQ(all.defaults, expected);
  EXPECT_EQ(all.default_connection, "a");
  EXPECT_EQ(all.drain_timeout, 20s);
  EXPECT_EQ(all.force_timeout, 25s);
  EXPECT_FALSE(all.server.enabled);
  EXPECT_EQ(all.server.host, "0.0.0.0");
  EXPECT_EQ(all.server.port, 0);
  EXPECT_EQ(all.server.max_body_bytes, 2048U);
  EXPECT_EQ(all.server.request_timeout, 5s);
  EXPECT_EQ(all.logging.level, "warning");
  EXPECT_EQ(all.logging.format, "json");
  // The endpoint is complete: what a driver needs of the settings is in it.
  EXPECT_EQ(named(all, "a").where.connect_timeout, 11s);
  EXPECT_EQ(named(all, "a").where.statement_cache, 38U);
}

TEST(SeedDocument, EveryConnectionFieldIsRead) {
  const auto all = read(R"(
connections:
  sql:
    name: sql
    type: PostgreSQL
    host: db
    port: 6000
    user: me
    password: "p w"
    database: d
    sslmode: verify-full
    schema: s
    max_open_conns: 3
    max_idle_conns: 2
    min_open_conns: 1
    conn_max_lifetime: 1h
    conn_max_idle_time: 1m
    connect_timeout: 1s
    query_timeout: 2s
    acquire_timeout: 3s
    max_waiting: 4
    keepalive_interval: 0
    probe_after: 5ms
    leak_threshold: 6s
    retry_attempts: 7
    retry_delay: 8ms
    retry_max_delay: 9ms
    health_check_interval: 10s
    enable_auto_reconnect: off
    lazy: true
    statement_cache_size: 0
    enable_tracing: true
    enable_metrics: false
    enable_logging: false
    default_orm: gorm
    critical: true
    tags: {team: core, tier: "1", empty: }
    options: {application_name: test}
  docs:
    type: mongodb
    host: mongo
    auth_source: users
    replica_set: rs0
    read_preference: secondarypreferred
  file: {type: sqlite, filepath: ":memory:", busy_timeout: 1500ms}
)");
  const auto& sql = named(all, "sql");
  EXPECT_EQ(sql.where.host, "db");
  EXPECT_EQ(sql.where.port, 6000);
  EXPECT_EQ(sql.where.user, "me");
  EXPECT_EQ(sql.where.password.reveal(), "p w");
  EXPECT_EQ(sql.where.database, "d");
  EXPECT_EQ(sql.where.tls, tls_mode::verify_full);
  EXPECT_EQ(sql.where.schema, "s");
  EXPECT_EQ(sql.where.connect_timeout, 1s);
  EXPECT_EQ(sql.where.statement_cache, 0U);
  const auto t = sql.overrides.applied_to(all.defaults);
  const tuning expected{.max_open_conns = 3,
                        .max_idle_conns = 2,
                        .min_open_conns = 1,
                        .conn_max_lifetime = 1h,
                        .conn_max_idle_time = 1min,
                        .connect_timeout = 1s,
                        .query_timeout = 2s,
                        .acquire_timeout = 3s,
                        .max_waiting = 4,
                        .keepalive_interval = 0s,
                        .probe_after = 5ms,
                        .leak_threshold = 6s,
                        .retry_attempts = 7,
                        .retry_delay = 8ms,
                        .retry_max_delay = 9ms,
                        .health_check_interval = 10s,
                        .enable_auto_reconnect = false,
                        .lazy_connect = true,
                        .statement_cache_size = 0};
  EXPECT_EQ(t, expected);
  EXPECT_TRUE(sql.enable_tracing);
  EXPECT_FALSE(sql.enable_metrics);
  EXPECT_FALSE(sql.enable_logging);
  EXPECT_EQ(sql.default_orm, access_style::mapped);
  EXPECT_EQ(sql.critical, true);
  EXPECT_EQ(sql.tags, (variable_map{{"team", "core"}, {"tier", "1"}, {"empty", ""}}));
  EXPECT_EQ(sql.where.options.at("application_name"), "test");

  const auto& docs = named(all, "docs").where;
  EXPECT_EQ(docs.port, 27017);
  EXPECT_EQ(docs.options.at("auth_source"), "users");
  EXPECT_EQ(docs.options.at("replica_set"), "rs0");
  EXPECT_EQ(docs.options.at("read_preference"), "secondaryPreferred");
  EXPECT_EQ(named(all, "file").where.filepath, ":memory:");
  EXPECT_EQ(named(all, "file").where.options.at("busy_timeout"), "1s500ms");
}

TEST(SeedDocument, WhatIsLeftOutHasItsDefault) {
  const auto all = read("connections: {a: {type: mysql, host: h}}");
  const auto& one = named(all, "a");
  EXPECT_EQ(all.default_connection, "");
  EXPECT_EQ(one.where.port, 3306);
  EXPECT_EQ(one.where.tls, tls_mode::disable);
  EXPECT_EQ(one.where.connect_timeout, 10s);
  EXPECT_TRUE(one.overrides.empty());
  EXPECT_FALSE(one.enable_tracing);
  EXPECT_TRUE(one.enable_metrics);
  EXPECT_TRUE(one.enable_logging);
  EXPECT_EQ(one.default_orm, access_style::native);
  EXPECT_EQ(one.critical, std::nullopt);
  EXPECT_TRUE(one.tags.empty());
  EXPECT_EQ(all.defaults.query_timeout, 30s);
  EXPECT_EQ(all.drain_timeout, 30s);
  EXPECT_EQ(all.force_timeout, 40s);
  EXPECT_EQ(all.server.port, 8080);
}

TEST(SeedDocument, TheUrlWinsOverSingleFields) {
  const auto all = read(R"(
dbmanager:
  connections:
    a: {type: postgres, dsn: "postgresql://u2@h2/d2?sslmode=require", host: h1, port: 1111, user: u1, password: p1, database: d1, schema: s1}
    b: "redis://cache:6380/3"
    c: {url: "sqlite:c.db"}
)");
  const auto& a = named(all, "a").where;
  EXPECT_EQ(a.host, "h2");
  EXPECT_EQ(a.port, 1111);  // the URL has none
  EXPECT_EQ(a.user, "u2");
  EXPECT_EQ(a.password.reveal(), "p1");
  EXPECT_EQ(a.database, "d2");
  EXPECT_EQ(a.tls, tls_mode::require);
  EXPECT_EQ(a.schema, "s1");
  EXPECT_EQ(named(all, "b").type, database_type::redis);
  EXPECT_EQ(named(all, "b").where.port, 6380);
  EXPECT_EQ(named(all, "b").where.database, "3");
  EXPECT_EQ(named(all, "c").where.filepath, "c.db");
}

TEST(SeedDocument, ConnectionsMayBeAList) {
  const auto all = read(R"(
connections:
  - {name: one, type: sqlite, filepath: 1.db}
  - name: two
    url: redis://h
)");
  ASSERT_EQ(all.connections.size(), 2U);
  EXPECT_EQ(all.connections[0].name, "one");
  EXPECT_EQ(all.connections[1].type, database_type::redis);
}

TEST(SeedDocument, AnApplicationsOwnSectionsMayStandBesideIt) {
  const auto all = read("app: {port: 1, deep: [1, 2]}\nlogger: x\ndbmanager: {connections: {}}\n");
  EXPECT_TRUE(all.connections.empty());
}

}  // namespace
}  // namespace polypool::config::testing
