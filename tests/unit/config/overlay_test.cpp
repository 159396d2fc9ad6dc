// SPDX-License-Identifier: Apache-2.0
// Variables in values, and one configuration for several environments.
#include "config/substitute.hpp"
#include "helpers.hpp"

namespace polypool::config::testing {
namespace {

std::string put_in(std::string_view text, variable_map variables = {}, bool in_url = false) {
  const auto out = substitute(text, only(std::move(variables)), in_url);
  return out ? *out : "! " + out.error();
}

TEST(Variables, ArePutIn) {
  EXPECT_EQ(put_in("a ${X} b ${Y}", {{"X", "1"}, {"Y", "2"}}), "a 1 b 2");
  EXPECT_EQ(put_in("${X}", {{"X", ""}}), "");
  EXPECT_EQ(put_in("${X:-d}"), "d");
  EXPECT_EQ(put_in("${X:-d}", {{"X", ""}}), "d");
  EXPECT_EQ(put_in("${X:-}"), "");
  EXPECT_EQ(put_in("${X:-${Y:-z}}"), "z");
  EXPECT_EQ(put_in("${X:-a${Y}c}", {{"Y", "b"}}), "abc");
  EXPECT_EQ(put_in("$${X}"), "${X}");
  EXPECT_EQ(put_in("cost $5 $X {a}"), "cost $5 $X {a}");
  EXPECT_EQ(put_in("${X}", {{"X", "${Y}"}}), "${Y}");  // content is never read again
}

TEST(Variables, ThatCannotBePutIn) {
  EXPECT_EQ(put_in("${X}"), "! variable X is not set; set it, or write ${X:-default}");
  EXPECT_THAT(put_in("a ${X"), ::testing::HasSubstr("is not closed"));
  EXPECT_THAT(put_in("${}"), ::testing::HasSubstr("does not hold the name"));
  EXPECT_THAT(put_in("${1X}"), ::testing::HasSubstr("does not hold the name"));
  EXPECT_THAT(put_in("${a b}"), ::testing::HasSubstr("does not hold the name"));
  std::string deep = "x";
  for (int i = 0; i < 20; ++i) deep = "${X:-" + deep + "}";
  EXPECT_THAT(put_in(deep), ::testing::HasSubstr("nested too deeply"));
}

TEST(Variables, StayInsideTheUserPartOfAUrl) {
  EXPECT_EQ(put_in("postgres://u:${P}@h/d", {{"P", "p@s/s?#: %"}}, true), "postgres://u:p%40s%2Fs%3F%23%3A%20%25@h/d");
  EXPECT_EQ(put_in("postgres://u:${P}@h/d", {{"P", "p%40ss"}}, true), "postgres://u:p%40ss@h/d");
  EXPECT_EQ(put_in("postgres://${U}:${P}@${H}/${D}", {{"U", "a b"}, {"P", "@"}, {"H", "h:1"}, {"D", "d?x=y"}}, true),
            "postgres://a%20b:%40@h:1/d?x=y");
  EXPECT_EQ(put_in("postgres://${C}@h", {{"C", "u:p@/"}}, true), "postgres://u:p%40%2F@h");
  EXPECT_EQ(put_in("${URL}", {{"URL", "postgres://u:p@h/d"}}, true), "postgres://u:p@h/d");
}

TEST(Variables, InAConfiguration) {
  const auto all =
      read(R"(
max_open_conns: ${POOL:-9}
connections:
  a: {type: "${TYPE}", host: "${HOST}", port: "${PORT}", password: "${SECRET}", tags: {t: "${TAG}"}}
  b: {dsn: "mysql://u:${SECRET}@h/d"}
  c: "redis://:${SECRET}@h"
)",
           {{"TYPE", "pg"}, {"HOST", "h"}, {"PORT", "77"}, {"SECRET", "p@ss: {word} /?"}, {"TAG", "]\n- x: &y"}});
  EXPECT_EQ(all.defaults.max_open_conns, 9U);
  EXPECT_EQ(named(all, "a").where.port, 77);
  EXPECT_EQ(named(all, "a").tags.at("t"), "]\n- x: &y");
  for (const auto& one : all.connections) EXPECT_EQ(one.where.password.reveal(), "p@ss: {word} /?") << one.name;
}

TEST(Variables, AreNotReadInKeys) {
  EXPECT_THAT(problems_in("connections: {'${X}': 'sqlite:x'}", {{"X", "a"}}),
              ::testing::HasSubstr("is not a name for a connection"));
}

TEST(Variables, ProblemsNameTheirPlace) {
  EXPECT_EQ(problems_in("connections:\n  a:\n    type: mysql\n    host: h\n    password: ${NOPE}\n"),
            "test.yaml:5: connections.a.password: variable NOPE is not set; set it, or write ${NOPE:-default}\n");
  EXPECT_EQ(problems_in("max_open_conns: ${N}\n", {{"N", "many"}}),
            "test.yaml:1: max_open_conns: 'many' (from '${N}') is not a whole number; allowed: 1 and more\n");
}

constexpr const char* with_environments = R"(polypool:
  max_open_conns: 5
  connections:
    a: {type: postgres, host: local, database: d, tags: {x: "1", y: "2"}}
    b: {dsn: "sqlite:b.db"}
  environments:
    development: {}
    production:
      max_open_conns: 50
      connections:
        a:
          host: prod
          tags: {y: "3"}
        b: {url: "sqlite:prod.db"}
        c: {type: redis, host: cache}
    broken:
      connections:
        a: {port: 0}
    smaller:
      connections: {b: ~}
    listed:
      connections:
        - {name: a, host: listed}
)";

TEST(Environments, AreLaidOverTheBase) {
  EXPECT_EQ(named(read(with_environments), "a").where.host, "local");
  EXPECT_EQ(read(with_environments).connections.size(), 2U);
  EXPECT_EQ(named(read(with_environments, {}, "development"), "a").where.host, "local");
  for (const auto& all :
       {read(with_environments, {}, "production"), read(with_environments, {{"POLYPOOL_ENV", "production"}})}) {
    EXPECT_EQ(all.defaults.max_open_conns, 50U);
    ASSERT_EQ(all.connections.size(), 3U);
    EXPECT_EQ(named(all, "a").where.host, "prod");
    EXPECT_EQ(named(all, "a").where.database, "d");
    EXPECT_EQ(named(all, "a").tags, (variable_map{{"x", "1"}, {"y", "3"}}));
    EXPECT_EQ(named(all, "b").where.filepath, "prod.db");
    EXPECT_EQ(named(all, "c").type, database_type::redis);
  }
  EXPECT_EQ(read(with_environments, {}, "smaller").connections.size(), 1U);
  EXPECT_EQ(named(read(with_environments, {}, "listed"), "a").where.host, "listed");
  EXPECT_EQ(named(read(with_environments, {{"POLYPOOL_ENV", "production"}}, "listed"), "a").where.host, "listed");
}

TEST(Environments, ThatAreUnknownOrWrong) {
  EXPECT_THAT(problems_in(with_environments, {}, "staging"),
              ::testing::AllOf(::testing::HasSubstr("test.yaml:6: environments: there is no environment 'staging'"),
                               ::testing::HasSubstr("there are: development, production, broken, smaller, listed")));
  EXPECT_THAT(problems_in(with_environments, {}, "broken"),
              ::testing::HasSubstr("test.yaml:18: connections.a.port: '0'"));
  EXPECT_THAT(problems_in("environments: {a: 1}\n"), ::testing::HasSubstr("environments.a: is a single value; a map"));
  EXPECT_THAT(problems_in("environments: [a]\n"), ::testing::HasSubstr("environments: is a list; a map by name"));
  EXPECT_THAT(problems_in("environments: {a: {environments: {}}}\n", {}, "a"),
              ::testing::HasSubstr("an environment has no environments of its own"));
  EXPECT_TRUE(read("connections: {}", {}, "anything").connections.empty());
}

TEST(Environments, HaveFilesOfTheirOwn) {
  const temporary_folder folder;
  const auto base = folder.write("pool.yaml", with_environments);
  folder.write("pool.production.yaml", "polypool:\n  connections:\n    a: {host: from-file}\n");
  folder.write("pool.staging.yaml", "connections:\n  a:\n    host: staging\n    port: 6000\n");
  folder.write("pool.test.yaml", "connections:\n  a:\n    prt: 6000\n");
  const auto production = load(base, with({}, "production"));
  EXPECT_EQ(named(production, "a").where.host, "from-file");
  EXPECT_EQ(production.defaults.max_open_conns, 50U);
  EXPECT_EQ(named(load(base, with({}, "staging")), "a").where.port, 6000);
  EXPECT_EQ(named(load(base, with({})), "a").where.host, "local");
  EXPECT_EQ(as_text(problems_of([&] { load(base, with({}, "test")); })),
            (folder.path() / "pool.test.yaml").string() +
                ":3: connections.a.prt: unknown field 'prt'; did you mean 'port'?\n");
  EXPECT_THAT(as_text(problems_of([&] { load(base, with({}, "qa")); })),
              ::testing::HasSubstr("there is no environment 'qa' and no file pool.qa.yaml; there are: development"));
}

TEST(Environments, HaveNamesThatStayInTheFolder) {
  const temporary_folder folder;
  const auto base = folder.write("pool.yaml", "connections: {}\n");
  for (const char* name : {"../x", "a/b", "a b", "."}) {
    EXPECT_THAT(as_text(problems_of([&] { load(base, with({}, name)); })),
                ::testing::HasSubstr("is not a name; allowed: letters"));
  }
}

TEST(Environments, JsonLaysOverJson) {
  const temporary_folder folder;
  const auto base =
      folder.write("p.json", R"({"connections": {"a": "sqlite:x"}, "environments": {"dev": {"max_open_conns": 3}}})");
  folder.write("p.dev.json", R"({"connections": {"a": "sqlite:y"}})");
  const auto all = load(base, with({}, "dev"));
  EXPECT_EQ(all.defaults.max_open_conns, 3U);
  EXPECT_EQ(all.connections[0].where.filepath, "y");
}

}  // namespace
}  // namespace polypool::config::testing
