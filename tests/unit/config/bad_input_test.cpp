// SPDX-License-Identifier: Apache-2.0
// Each way to get a configuration wrong, and what is said about it.
#include "helpers.hpp"

#include <algorithm>
#include <ostream>

namespace polypool::config::testing {
namespace {

struct bad_input {
  const char* name;
  const char* text;
  const char* expected;  ///< stands in the problems; its line comes with it
};

std::ostream& operator<<(std::ostream& out, const bad_input& one) { return out << one.name; }

class BadInput : public ::testing::TestWithParam<bad_input> {};

TEST_P(BadInput, IsToldWithFileLineAndField) {
  const auto problems = problems_in(GetParam().text);
  EXPECT_NE(problems.find(GetParam().expected), std::string::npos) << problems;
  EXPECT_EQ(std::ranges::count(problems, '\n'), 1) << problems;
}

constexpr bad_input bad_fields[] = {
    {"MisspeltField", "connections:\n  a:\n    type: sqlite\n    filepath: x\n    max_open_con: 3\n",
     "test.yaml:5: connections.a.max_open_con: unknown field 'max_open_con'; did you mean 'max_open_conns'?"},
    {"MisspeltGlobal", "max_open_con: 3\n",
     "test.yaml:1: max_open_con: unknown field 'max_open_con'; did you mean 'max_open_conns'?"},
    {"MisspeltRoot", "dbmanger:\n  connections: {}\n", "test.yaml:1: dbmanger: unknown field 'dbmanger'"},
    {"MisspeltInServer", "server: {prot: 1}\n", "server.prot: unknown field 'prot'; did you mean 'port'?"},
    {"MisspeltInLogging", "logging: {levle: info}\n", "logging.levle: unknown field 'levle'; did you mean 'level'?"},
    {"SynonymUsername", "connections: {a: {type: mysql, host: h, username: u}}", "did you mean 'user'?"},
    {"SynonymPoolSize", "connections: {a: {type: mysql, host: h, pool_size: 3}}", "did you mean 'max_open_conns'?"},
    {"FarFromAnything", "server: {zzzzzzzz: 1}\n", "unknown field 'zzzzzzzz'; allowed: enabled, host, listen"},
    {"ListForText", "connections: {a: {type: mysql, host: [h]}}",
     "connections.a.host: is a list; a single value is expected"},
    {"MapForNumber", "max_open_conns: {a: 1}", "max_open_conns: is a map; a single value is expected"},
    {"TextForNumber", "max_open_conns: many", "max_open_conns: 'many' is not a whole number; allowed: 1 and more"},
    {"FractionForNumber", "max_open_conns: 1.5", "'1.5' is not a whole number"},
    {"HugeNumber", "max_open_conns: 4294967296", "is too large"},
    {"HugerNumber", "max_open_conns: 99999999999999999999", "is out of range"},
    {"NegativeNumber", "max_waiting: -1", "max_waiting: '-1' is too small; allowed: 0 and more"},
    {"TextForFlag", "enable_auto_reconnect: perhaps", "'perhaps' is neither true nor false"},
    {"MapForConnection", "connections: {a: [1]}", "connections.a: is a list; a map of fields or a URL is expected"},
    {"NothingForConnection", "connections:\n  a:\n",
     "test.yaml:2: connections.a: is nothing; a map of fields or a URL"},
    {"TextForConnections", "connections: none", "connections: is a single value; a map of connections"},
    {"TextForServer", "server: 8080", "server: is a single value; a map is expected"},
    {"ListForTags", "connections: {a: {type: sqlite, filepath: x, tags: [a]}}",
     "connections.a.tags: is a list; a map of texts"},
    {"WordForTags", "connections: {a: {type: sqlite, filepath: x, tags: a}}",
     "connections.a.tags: 'a' is not a map of texts"},
    {"MapInTags", "connections: {a: {type: sqlite, filepath: x, tags: {b: {}}}}", "connections.a.tags.b: is a map"},
    {"DuplicateField", "max_open_conns: 1\nretry_attempts: 2\nmax_open_conns: 3\n",
     "test.yaml:3: key 'max_open_conns' is given twice; first in line 1"},
    {"DuplicateConnection", "connections:\n  a: {type: sqlite, filepath: x}\n  a: {type: sqlite, filepath: y}\n",
     "test.yaml:3: connections: key 'a' is given twice; first in line 2"},
    {"DuplicateName", "connections:\n- {name: a, type: sqlite, filepath: x}\n- {name: a, type: sqlite, filepath: y}\n",
     "test.yaml:3: connections[1].name: 'a' is the name of an earlier connection, too"},
    {"NameMissingInList", "connections:\n- {type: sqlite, filepath: x}\n",
     "connections[0]: a connection in a list needs a 'name'"},
    {"TwoSpellings", "connections: {a: {dsn: 'sqlite:x', url: 'sqlite:y'}}", "is given twice, as 'dsn' and as 'url'"},
    {"NameDiffers", "connections: {a: {name: b, type: sqlite, filepath: x}}",
     "connections.a.name: 'b' is not the name that the connection stands under, which is 'a'"},
    {"NameWithSpace", "connections: {'a b': {type: sqlite, filepath: x}}",
     "'a b' is not a name for a connection; allowed: letters"},
    {"NameEmpty", "connections: {'': {type: sqlite, filepath: x}}", "a connection's name is empty"},
};

constexpr bad_input bad_values[] = {
    {"PortZero", "connections:\n  a:\n    type: mysql\n    host: h\n    port: 0\n",
     "test.yaml:5: connections.a.port: '0' is not a port; allowed: 1 to 65535"},
    {"PortTooLarge", "connections: {a: {type: mysql, host: h, port: 65536}}",
     "'65536' is not a port; allowed: 1 to 65535"},
    {"PortNegative", "connections: {a: {type: mysql, host: h, port: -1}}", "'-1' is not a port"},
    {"PortWord", "connections: {a: {type: mysql, host: h, port: mysql}}", "'mysql' is not a port"},
    {"PoolOfNone", "max_open_conns: 0", "max_open_conns: '0' is too small; allowed: 1 and more"},
    {"PoolOfNoneInOne", "connections: {a: {type: sqlite, filepath: x, max_open_conns: 0}}",
     "connections.a.max_open_conns: '0' is too small"},
    {"MinOverMax", "max_open_conns: 2\nmin_open_conns: 3\n",
     "test.yaml:2: min_open_conns: 3 is more than max_open_conns, which is 2"},
    {"MinOverMaxInOne",
     "connections:\n  a:\n    type: sqlite\n    filepath: x\n    max_open_conns: 2\n    min_open_conns: 3\n",
     "test.yaml:6: connections.a.min_open_conns: 3 is more than max_open_conns, which is 2"},
    {"IdleOverMaxInOne", "connections: {a: {type: sqlite, filepath: x, max_open_conns: 2, max_idle_conns: 3}}",
     "connections.a.max_idle_conns: 3 is more than max_open_conns, which is 2"},
    {"IdleOverMax", "max_idle_conns: 30", "max_idle_conns: 30 is more than max_open_conns, which is 25"},
    {"DelayOverMax", "retry_delay: 5s\nretry_max_delay: 1s",
     "retry_delay: 5s is more than retry_max_delay, which is 1s"},
    {"NoRetry", "retry_attempts: 0", "retry_attempts: '0' is too small"},
    {"DurationWithoutUnit", "query_timeout: 30", "query_timeout: '30' has no unit; allowed: a number with its unit"},
    {"DurationNegative", "query_timeout: -3s", "'-3s' is negative"},
    {"DurationNonsense", "query_timeout: soon", "'soon' is not a duration"},
    {"DurationZero", "connect_timeout: 0s", "connect_timeout: '0s' is too short"},
    {"DrainOverForce", "force_timeout: 10s", "drain_timeout: 30s is more than force_timeout, which is 10s"},
    {"UnknownType", "connections: {a: {type: postgress, host: h}}",
     "connections.a.type: 'postgress' is not a type of database that is known; allowed: postgres, mysql, sqlite, "
     "mssql, "
     "odbc, mongodb, redis; did you mean 'postgres'?"},
    {"TypeMissing", "connections: {a: {host: h}}", "connections.a.type: is missing; allowed: postgres, mysql"},
    {"FileMissing", "connections: {a: {type: sqlite}}",
     "connections.a.filepath: is missing; a sqlite connection needs it"},
    {"HostMissing", "connections: {a: {type: postgres, port: 5432}}",
     "connections.a.host: is missing; a postgres connection needs a host or a dsn"},
    {"FileOnPostgres", "connections: {a: {type: postgres, host: h, filepath: x}}",
     "connections.a.filepath: a postgres connection has no such field; types that have it: sqlite"},
    {"HostOnSqlite", "connections: {a: {type: sqlite, filepath: x, host: h}}",
     "connections.a.host: a sqlite connection has no such field; types that have it: postgres, mysql, mssql, odbc, "
     "mongodb, redis"},
    {"ReplicaSetOnRedis", "connections: {a: {type: redis, host: h, replica_set: r}}", "types that have it: mongodb"},
    {"BusyTimeoutOnMysql", "connections: {a: {type: mysql, host: h, busy_timeout: 1s}}", "types that have it: sqlite"},
    {"SslMode", "connections: {a: {type: postgres, host: h, sslmode: requir}}",
     "'requir' is not a mode of TLS; allowed: disable, allow, prefer, require, verify-ca, verify-full; did you mean "
     "'require'?"},
    {"ReadPreference", "connections: {a: {type: mongodb, host: h, read_preference: second}}",
     "'second' is not a read preference; allowed: primary, primaryPreferred, secondary, secondaryPreferred, nearest"},
    {"AccessStyle", "connections: {a: {type: sqlite, filepath: x, default_orm: ent}}",
     "'ent' is not an access style; allowed: native, builder (or bun), mapped (or gorm)"},
    {"RedisDatabase", "connections: {a: {type: redis, host: h, database: main}}",
     "connections.a.database: a Redis database is a number"},
    {"DefaultConnection", "default_connection: primry\nconnections: {primary: {type: sqlite, filepath: x}}",
     "test.yaml:1: default_connection: 'primry' is not the name of a connection; did you mean 'primary'?"},
    {"DefaultOfNone", "default_connection: a\n", "default_connection: 'a' is not the name of a connection"},
    {"Level", "logging: {level: loud}",
     "logging.level: 'loud' is not a level; allowed: trace, debug, info, warning, error, off"},
    {"Format", "logging: {format: xml}", "logging.format: 'xml' is not a format; allowed: text, json"},
    {"Listen", "server: {listen: nowhere}", "server.listen: 'nowhere' is not an address; allowed: host:port"},
    {"ListenAndPort", "server: {listen: '127.0.0.1:1', port: 2}", "server.listen: says the same as 'host' and 'port'"},
    {"ServerHost", "server: {host: 0.0.0.0}", "server.host: '0.0.0.0' is no loopback address"},
    {"ServerListen", "server: {listen: 'example.com:80'}", "server.host: 'example.com' is no loopback address"},
    {"ServerPort", "server: {port: 65536}", "server.port: '65536' is not a port; allowed: 0 to 65535"},
    {"BodyOfNone", "server: {max_body_bytes: 0}", "server.max_body_bytes: '0' is too small"},
    {"UrlOfOtherType", "connections: {a: {type: mysql, dsn: 'postgres://h/d'}}",
     "connections.a.dsn: this is a URL for postgres, but the type is mysql"},
    {"UrlUnknown", "connections: {a: {dsn: 'oracle://h/d'}}", "connections.a.dsn: this is not a URL that is known"},
    {"UrlAsConnection", "connections:\n  a: 'oracle://h/d'\n",
     "test.yaml:2: connections.a: this is not a URL that is known"},
    {"BothRoots", "dbmanager: {}\npolypool: {}\n", "test.yaml:2: polypool: stands beside 'dbmanager'"},
    {"BesideTheRoot", "dbmanager:\n  max_open_conns: 3\nconnections: {}\n",
     "test.yaml:3: connections: stands beside 'dbmanager' and not in it; indent it"},
    {"RootEmpty", "dbmanager:\n", "dbmanager: is empty"},
    {"RootList", "- a\n", "is a list; a configuration is a map of fields"},
    {"RootText", "hello\n", "is a single value; a configuration is a map of fields"},
};

std::string name_of(const ::testing::TestParamInfo<bad_input>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Fields, BadInput, ::testing::ValuesIn(bad_fields), name_of);
INSTANTIATE_TEST_SUITE_P(Values, BadInput, ::testing::ValuesIn(bad_values), name_of);

TEST(BadInputs, AreToldAllAtOnce) {
  const auto problems = problems_of([] {
    read(
        "max_open_conns: 0\n"
        "connections:\n"
        "  a: {type: nope}\n"
        "  b: {type: sqlite, prt: 1}\n"
        "  c: {type: redis, host: h, port: 0}\n"
        "default_connection: d\n");
  });
  std::vector<std::string> fields;
  std::vector<int> lines;
  for (const auto& one : problems) {
    fields.push_back(one.field);
    lines.push_back(one.line);
    EXPECT_EQ(one.file, "test.yaml");
  }
  EXPECT_THAT(fields, ::testing::ElementsAre("max_open_conns", "connections.a.type", "connections.b.prt",
                                             "connections.b.filepath", "connections.c.port", "default_connection"));
  EXPECT_THAT(lines, ::testing::ElementsAre(1, 3, 4, 4, 5, 6));
}

TEST(BadInputs, WhatComesFromTheDefaultsIsNoProblem) {
  const auto all = read("connections: {a: {type: sqlite, filepath: x, max_open_conns: 1}}\nmin_open_conns: 3\n");
  const auto effective = named(all, "a").overrides.applied_to(all.defaults);
  EXPECT_EQ(effective.max_idle_conns, 1U);
  EXPECT_EQ(effective.min_open_conns, 1U);
  EXPECT_EQ(read("max_open_conns: 2\n").defaults.max_open_conns, 2U);
}

TEST(BadInputs, NullMeansLeftOut) {
  const auto all =
      read("max_open_conns:\nconnections: {a: {type: sqlite, filepath: x, max_open_conns: ~, tags: null}}\n");
  EXPECT_EQ(all.defaults.max_open_conns, 25U);
  EXPECT_TRUE(named(all, "a").overrides.empty());
  EXPECT_TRUE(read("polypool: {connections: }").connections.empty());
}

TEST(BadInputs, VeryManyAreCounted) {
  std::string text = "connections:\n";
  for (int i = 0; i < 3000; ++i) text += "  c" + std::to_string(i) + ": {type: nope}\n";
  const auto problems = problems_of([&] { read(text); });
  EXPECT_EQ(problems.size(), 1001U);
  EXPECT_EQ(problems.back().what, "and 2000 more problems");
}

TEST(ProblemText, HasItsPlaceFirst) {
  const problem full{.file = "polypool.yaml", .line = 12, .field = "connections.primary.port", .what = "wrong"};
  EXPECT_EQ(full.to_string(), "polypool.yaml:12: connections.primary.port: wrong");
  EXPECT_EQ((problem{.file = {}, .line = 0, .field = "a", .what = "b"}).to_string(), "a: b");
  EXPECT_EQ((problem{.file = "f", .line = 0, .field = {}, .what = "b"}).to_string(), "f: b");
  EXPECT_STREQ(configuration_error({full, full}).what(),
               "the configuration has 2 problems:\n  polypool.yaml:12: connections.primary.port: wrong\n  "
               "polypool.yaml:12: connections.primary.port: wrong");
}

}  // namespace
}  // namespace polypool::config::testing
