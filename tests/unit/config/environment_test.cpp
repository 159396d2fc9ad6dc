// SPDX-License-Identifier: Apache-2.0
// Connections from environment variables, and configurations put together in code.
#include "helpers.hpp"

#include <cstdlib>

namespace polypool::config::testing {
namespace {

using namespace std::chrono_literals;

std::string problems_of_variables(std::string_view prefix, variable_map variables) {
  return as_text(problems_of([&] { build_config_from_env(prefix, only(std::move(variables))); }));
}

TEST(FromVariables, SingleFields) {
  const auto made = build_config_from_env("CORE", only({{"CORE_DB_HOST", "h"},
                                                        {"CORE_DB_PORT", "6000"},
                                                        {"CORE_DB_USER", "u"},
                                                        {"CORE_DB_PASSWORD", "${not} a variable"},
                                                        {"CORE_DB_NAME", "d"},
                                                        {"CORE_DB_SSLMODE", "require"},
                                                        {"CORE_DB_SCHEMA", "s"},
                                                        {"CORE_DB_MAX_OPEN_CONNS", "7"},
                                                        {"CORE_DB_CONN_MAX_LIFETIME", "1h"},
                                                        {"CORE_DB_LAZY_CONNECT", "yes"},
                                                        {"CORE_DB_ENABLE_TRACING", "1"},
                                                        {"CORE_DB_CRITICAL", "true"},
                                                        {"CORE_DB_DEFAULT_ORM", "bun"},
                                                        {"CORE_DB_TAGS", "a=1,b=2"},
                                                        {"APP_DB_HOST", "other"}}));
  EXPECT_EQ(made.name, "core");
  EXPECT_EQ(made.type, database_type::postgres);
  EXPECT_EQ(made.where.host, "h");
  EXPECT_EQ(made.where.port, 6000);
  EXPECT_EQ(made.where.user, "u");
  EXPECT_EQ(made.where.password.reveal(), "${not} a variable");
  EXPECT_EQ(made.where.database, "d");
  EXPECT_EQ(made.where.tls, tls_mode::require);
  EXPECT_EQ(made.where.schema, "s");
  EXPECT_EQ(made.overrides.max_open_conns, 7U);
  EXPECT_EQ(made.overrides.conn_max_lifetime, 1h);
  EXPECT_EQ(made.overrides.lazy_connect, true);
  EXPECT_TRUE(made.enable_tracing);
  EXPECT_EQ(made.critical, true);
  EXPECT_EQ(made.default_orm, access_style::builder);
  EXPECT_EQ(made.tags, (variable_map{{"a", "1"}, {"b", "2"}}));
}

TEST(FromVariables, UrlAndOtherTypes) {
  const auto url =
      build_config_from_env("app", only({{"APP_DB_URL", "mysql://u:p@h/d"}, {"APP_DB_MAX_IDLE_CONNS", "2"}}));
  EXPECT_EQ(url.name, "app");
  EXPECT_EQ(url.type, database_type::mysql);
  EXPECT_EQ(url.overrides.max_idle_conns, 2U);
  const auto file =
      build_config_from_env("my-app", only({{"MY_APP_DB_TYPE", "sqlite"}, {"MY_APP_DB_FILEPATH", "x.db"}}));
  EXPECT_EQ(file.name, "my-app");
  EXPECT_EQ(file.where.filepath, "x.db");
  const auto cache = build_config_from_env("C", only({{"C_DB_TYPE", "redis"}, {"C_DB_HOST", "h"}}));
  EXPECT_EQ(cache.where.port, 6379);
  const auto open = build_config_from_env(
      "P",
      only({{"P_DB_HOST", "h"}, {"P_DB_USER", "u"}, {"P_DB_PASSWORD", ""}, {"P_DB_NAME", "d"}, {"P_DB_PORT", ""}}));
  EXPECT_TRUE(open.where.password.empty());
  EXPECT_EQ(open.where.port, 5432);
}

TEST(FromVariables, AllThatIsMissingIsNamedAtOnce) {
  EXPECT_EQ(problems_of_variables("CORE", {}),
            "environment variables CORE_DB_*: not set: CORE_DB_HOST, CORE_DB_USER, CORE_DB_PASSWORD (may be empty), "
            "CORE_DB_NAME; set them, or CORE_DB_URL\n");
  EXPECT_THAT(problems_of_variables("CORE", {{"CORE_DB_HOST", "h"}, {"CORE_DB_NAME", ""}}),
              ::testing::HasSubstr("not set: CORE_DB_USER, CORE_DB_PASSWORD (may be empty), CORE_DB_NAME;"));
  EXPECT_THAT(problems_of_variables("C", {{"C_DB_TYPE", "sqlite"}}), ::testing::HasSubstr("not set: C_DB_FILEPATH; "));
}

TEST(FromVariables, AFileAndNoHostIsSqlite) {
  const auto made = build_config_from_env("C", only({{"C_DB_FILEPATH", "c.db"}}));
  EXPECT_EQ(made.type, database_type::sqlite);
  EXPECT_EQ(made.where.filepath, "c.db");
  EXPECT_THAT(problems_of_variables("C", {{"C_DB_FILEPATH", "c.db"}, {"C_DB_HOST", "h"}}),
              ::testing::HasSubstr("not set: C_DB_USER, "));
}

TEST(FromVariables, WhatIsWrongNamesTheVariable) {
  const auto problems = problems_of_variables("C", {{"C_DB_URL", "redis://:hunter2@h"},
                                                    {"C_DB_PORT", "x"},
                                                    {"C_DB_MAX_OPEN_CONNS", "0"},
                                                    {"C_DB_QUERY_TIMEOUT", "3"}});
  EXPECT_THAT(problems,
              ::testing::HasSubstr("environment variable C_DB_PORT: 'x' is not a port; allowed: 1 to 65535\n"));
  EXPECT_THAT(problems, ::testing::HasSubstr("environment variable C_DB_MAX_OPEN_CONNS: '0' is too small"));
  EXPECT_THAT(problems, ::testing::HasSubstr("environment variable C_DB_QUERY_TIMEOUT: '3' has no unit"));
  EXPECT_THAT(problems_of_variables("C", {{"C_DB_URL", "redis://:hunter2@h:x"}}),
              ::testing::AllOf(::testing::HasSubstr("environment variable C_DB_URL: the URL's port"),
                               ::testing::Not(::testing::HasSubstr("hunter2"))));
  EXPECT_THAT(problems_of_variables("C", {{"C_DB_URL", "redis://h"}, {"C_DB_SCHEMA", "s"}}),
              ::testing::HasSubstr("environment variable C_DB_SCHEMA: a redis connection has no such field"));
  EXPECT_THAT(problems_of_variables("", {}), ::testing::HasSubstr("name is empty"));
  EXPECT_THAT(problems_of_variables("a b", {}), ::testing::HasSubstr("is not a name"));
}

TEST(FromVariables, TheProcessEnvironmentIsTheDefault) {
  ::setenv("POLYPOOL_CONFIG_TEST_DB_URL", "redis://h:1", 1);
  EXPECT_EQ(build_config_from_env("POLYPOOL_CONFIG_TEST").where.port, 1);
  EXPECT_EQ(process_environment("POLYPOOL_CONFIG_TEST_DB_URL"), "redis://h:1");
  ::unsetenv("POLYPOOL_CONFIG_TEST_DB_URL");
  EXPECT_EQ(process_environment("POLYPOOL_CONFIG_TEST_DB_URL"), std::nullopt);
}

TEST(DatabasesVariable, UrlsAndFields) {
  const auto made = connections_from_databases_variable(
      only({{"DATABASES",
             R"({"core": "postgres://u:${PW}@h/d", "app": {"type": "sqlite", "filepath": "x", "max_open_conns": 1}})"},
            {"PW", "p@w"}}));
  ASSERT_TRUE(made.has_value());
  ASSERT_EQ(made->size(), 2U);
  EXPECT_EQ((*made)[0].name, "core");
  EXPECT_EQ((*made)[0].where.password.reveal(), "p@w");
  EXPECT_EQ((*made)[1].overrides.max_open_conns, 1U);
  const auto list =
      connections_from_databases_variable(only({{"DATABASES", R"([{"name": "a", "url": "redis://h"}])"}}));
  EXPECT_EQ(list->at(0).name, "a");
  EXPECT_EQ(connections_from_databases_variable(only({})), std::nullopt);
}

TEST(DatabasesVariable, WhatIsWrong) {
  const auto problems = [](const char* text) {
    return as_text(problems_of([&] { connections_from_databases_variable(only({{"DATABASES", text}})); }));
  };
  EXPECT_THAT(problems(R"({"core": {"type": "postgres", "prt": 1}})"),
              ::testing::HasSubstr("environment variable DATABASES:1: connections.core.prt: unknown field 'prt'"));
  EXPECT_THAT(problems(R"({"core": )"), ::testing::HasSubstr("the document ends too early"));
  EXPECT_THAT(problems("17"), ::testing::HasSubstr("an object of name and URL, or name and fields, is expected"));
  EXPECT_THAT(problems(R"({"core": 17})"), ::testing::HasSubstr("this is not a URL that is known"));
}

TEST(Validate, FindsNothingInWhatLoads) {
  EXPECT_TRUE(validate(settings{}).empty());
  EXPECT_TRUE(validate(load(std::string(POLYPOOL_SOURCE_DIR) + "/tests/data/dbmanager.yaml", with({}))).empty());
}

TEST(Validate, FindsWhatCodePutsTogetherWrongly) {
  settings all;
  all.default_connection = "nobody";
  all.defaults.max_open_conns = 0;
  all.defaults.connect_timeout = 0s;
  all.defaults.query_timeout = -1s;
  all.drain_timeout = 50s;
  all.force_timeout = 45s;
  all.server.host = "";
  all.server.max_body_bytes = 0;
  all.logging.level = "loud";
  connection one;
  one.name = "a";
  one.type = database_type::sqlite;
  one.where.options["busy_timeout"] = "5";
  one.overrides.retry_attempts = 0;
  one.overrides.max_open_conns = 2;
  one.overrides.max_idle_conns = 3;
  all.connections = {one, one};
  all.connections[1].name = "a b";
  all.connections.push_back(one);
  std::vector<std::string> fields;
  for (const auto& problem : validate(all)) fields.push_back(problem.field);
  EXPECT_THAT(fields, ::testing::IsSupersetOf({"max_open_conns", "connect_timeout", "query_timeout", "drain_timeout",
                                               "server.host", "server.max_body_bytes", "logging.level",
                                               "connections.a.filepath", "connections.a.busy_timeout",
                                               "connections.a.retry_attempts", "connections.a.max_idle_conns",
                                               "connections.a b.name", "connections.a", "default_connection"}));
}

TEST(Words, Types) {
  for (const auto type : {database_type::postgres, database_type::mysql, database_type::sqlite, database_type::mssql,
                          database_type::odbc, database_type::mongodb, database_type::redis}) {
    EXPECT_EQ(parse_database_type(to_string(type)), type);
  }
  EXPECT_EQ(parse_database_type("PG"), database_type::postgres);
  EXPECT_EQ(parse_database_type("mariadb"), database_type::mysql);
  EXPECT_EQ(parse_database_type("sqlite3"), database_type::sqlite);
  EXPECT_EQ(parse_database_type("sqlserver"), database_type::mssql);
  EXPECT_EQ(parse_database_type("mongo"), database_type::mongodb);
  EXPECT_EQ(parse_database_type(""), std::nullopt);
  EXPECT_EQ(kind_of(database_type::mongodb), database_kind::document);
  EXPECT_EQ(kind_of(database_type::redis), database_kind::key_value);
  EXPECT_EQ(kind_of(database_type::odbc), database_kind::sql);
  EXPECT_EQ(default_port(database_type::sqlite), 0);
  EXPECT_EQ(default_port(database_type::mssql), 1433);
}

}  // namespace
}  // namespace polypool::config::testing
