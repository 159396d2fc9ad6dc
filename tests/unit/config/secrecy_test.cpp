// SPDX-License-Identifier: Apache-2.0
// A password never shows in what is said about a configuration, wherever it stands and however wrong the rest is.
#include "helpers.hpp"

namespace polypool::config::testing {
namespace {

constexpr std::string_view hidden = "hunter2";

TEST(Secrets, DoNotShowInProblemsOfAFile) {
  for (const char* text : {
           "connections: {a: {type: mysql, prt: 1, password: hunter2}}",
           "connections: {a: {type: mysql, host: h, password: [hunter2]}}",
           "connections: {a: {type: mysql, host: h, password: {hunter2: 1}}}",
           "connections: {a: {type: mysql, host: h, password: *hunter2}}",
           "connections: {a: {type: mysql, host: h, password: !hunter2 x}}",
           "connections:\n  a:\n    type: mysql\n    password:hunter2\n    host: h\n",
           "connections: {a: {type: mysql, host: h, password:hunter2}}",
           "connections: {a: {type: mysql, host: h, password=hunter2: }}",
           "connections: {a: {type: mysql, host: h, password: '${X:-hunter2'}}",
           "connections: {a: {type: mysql, host: h, password: '${hunter2!}'}}",
           "connections: {a: {type: sqlite, filepath: x, password: hunter2}}",
           "connections: {a: {type: mysql, dsn: 'mysql://u:hunter2@h:x/d'}}",
           "connections: {a: {type: mysql, dsn: 'postgres://u:hunter2@h/d'}}",
           "connections: {a: {type: mysql, dsn: 'u:hunter2@tcp(h)/d'}}",
           "connections: {a: {dsn: hunter2}}",
           "connections: {a: hunter2}",
           "connections: {a: {type: postgres, dsn: 'host=h password=a hunter2'}}",
           "connections: {a: {type: postgres, dsn: 'postgres://u:a?sslmode=hunter2@h/d'}}",
           "connections: {a: {type: mysql, host: h, password: \"hunter2\\q\"}}",
           "connections: {a: {type: mysql, host: h, password: 'hunter2",
           "connections: {a: {password: hunter2, password: hunter2}}",
       }) {
    const auto problems = problems_in(text);
    EXPECT_NE(problems, "") << text;
    EXPECT_EQ(problems.find(hidden), std::string::npos) << text << "\n" << problems;
  }
}

TEST(Secrets, DoNotShowWhenTheyComeFromVariables) {
  for (const char* text : {
           "connections: {a: {type: mysql, host: h, port: '${DB_PASSWORD}'}}",
           "connections: {a: {type: '${DB_PASSWORD}', host: h}}",
           "connections: {a: {dsn: 'mysql://u:${DB_PASSWORD}@h:x/d'}}",
           "connections: {a: '${DB_PASSWORD}'}",
           "connections: {a: {type: mysql, url: '${DB_PASSWORD}'}}",
           "query_timeout: ${DB_PASSWORD}",
       }) {
    const auto problems = problems_in(text, {{"DB_PASSWORD", std::string(hidden)}});
    EXPECT_NE(problems, "") << text;
    EXPECT_EQ(problems.find(hidden), std::string::npos) << text << "\n" << problems;
  }
}

TEST(Secrets, DoNotShowInJson) {
  for (const char* text : {
           R"({"connections": {"a": {"type": "mysql", "password": "hunter2)",
           R"({"connections": {"a": {"type": "mysql", "password": "hunter2", "host": }}})",
           R"({"connections": {"a": {"type": "mysql", "password": ["hunter2"]}}})",
       }) {
    const auto problems = problems_in_json(text);
    EXPECT_NE(problems, "") << text;
    EXPECT_EQ(problems.find(hidden), std::string::npos) << text << "\n" << problems;
  }
}

TEST(Secrets, StrangeBytesDoNotReachAMessage) {
  const auto problems = problems_in("max_open_conns: \"a\\e[31mb\\nc\\x01\"\nserver: {\"x\\ny\": 1}\n");
  EXPECT_EQ(std::ranges::count(problems, '\n'), 2) << problems;
  EXPECT_EQ(problems.find('\x1B'), std::string::npos);
  EXPECT_EQ(problems_in("default_connection: " + std::string(5000, 'x')).find(std::string(100, 'x')),
            std::string::npos);
}

}  // namespace
}  // namespace polypool::config::testing
