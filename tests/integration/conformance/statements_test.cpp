// SPDX-License-Identifier: Apache-2.0
// Placeholders, results, errors, scripts, through a manager.
#include "fixture.hpp"

namespace polypool::test {
namespace {

class conformance_statements : public conformance {
 protected:
  void SetUp() override {
    conformance::SetUp();
    if (!place_) return;
    db().execute("CREATE TABLE t (a " + integer() + ", b " + text() + ", c " + text() + ")");
  }
};
POLYPOOL_EVERY_DATABASE(conformance_statements);

TEST_P(conformance_statements, placeholders_in_any_order_and_again) {
  auto handle = db();
  handle.execute("INSERT INTO t (a, b, c) VALUES ($3, $1, $2)", "one", "two", 3);
  handle.execute("INSERT INTO t (a, b, c) VALUES ($1, $2, $2)", 4, "same");
  const auto rows = handle.query("SELECT a, b, c FROM t ORDER BY a");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].get<int>("a"), 3);
  EXPECT_EQ(rows[0].get<std::string>("b"), "one");
  EXPECT_EQ(rows[0].get<std::string>("c"), "two");
  EXPECT_EQ(rows[1].get<std::string>("b"), "same");
  EXPECT_EQ(rows[1].get<std::string>("c"), "same");
  EXPECT_EQ(handle.query_value<int>("SELECT a FROM t WHERE b = $2 AND c = $2 AND a = $1", 4, "same"), 4);
}

TEST_P(conformance_statements, placeholders_in_literals_names_and_comments_are_none) {
  auto handle = db();
  handle.execute("INSERT INTO t VALUES ($1, '$1 $2 ''$3''', $2) -- $3\n /* $4 */", 1, "$1");
  const auto row = handle.query_one("SELECT b, c AS " + GetParam().quoted("$2") + " FROM t WHERE a = $1", 1);
  EXPECT_EQ(row.front().get<std::string>("b"), "$1 $2 '$3'");
  EXPECT_EQ(row.front().get<std::string>("$2"), "$1");
}

TEST_P(conformance_statements, many_placeholders) {
  auto handle = db();
  for (int i = 0; i < 5; ++i) handle.execute("INSERT INTO t (a) VALUES ($1)", 100 * i);
  std::string text = "SELECT count(*) FROM t WHERE a IN (";
  std::vector<value> all;
  for (int i = 0; i < 300; ++i) {
    text += (i == 0 ? "$" : ", $") + std::to_string(i + 1);
    all.emplace_back(i);
  }
  EXPECT_EQ(handle.query_with(text + ")", all).front().get<int>(0), 3);
}

TEST_P(conformance_statements, wrong_counts_of_parameters) {
  auto handle = db();
  handle.execute("INSERT INTO t (a) VALUES (1)");
  const auto id = session_id();
  const auto few = caught([&] { handle.query("SELECT a FROM t WHERE a = $1 AND b = $2", 1); });
  EXPECT_EQ(few.portable_code(), errc::parameter_count) << few.what();
  const auto none = caught([&] { handle.query("SELECT a FROM t WHERE a = $1"); });
  EXPECT_EQ(none.portable_code(), errc::parameter_count) << none.what();
  const auto many = caught([&] { handle.query("SELECT a FROM t WHERE a = $1", 1, 2); });
  EXPECT_EQ(many.portable_code(), errc::parameter_count) << many.what();
  EXPECT_EQ(handle.query_value<int>("SELECT a FROM t WHERE a = $1", 1), 1);
  EXPECT_EQ(session_id(), id);
}

TEST_P(conformance_statements, count_the_rows_they_affect) {
  auto handle = db();
  EXPECT_EQ(handle.execute("INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'x'), (3, 'y')"), 3u);
  EXPECT_EQ(handle.execute("UPDATE t SET b = $1 WHERE b = $2", "z", "x"), 2u);
  EXPECT_EQ(handle.execute("UPDATE t SET b = $1 WHERE b = $1", "z"), 2u) << "rows that match, changed or not";
  EXPECT_EQ(handle.execute("UPDATE t SET b = 'q' WHERE a = 99"), 0u);
  EXPECT_EQ(handle.query("SELECT a FROM t").affected_rows(), 3u);
  EXPECT_EQ(handle.execute("DELETE FROM t WHERE a > $1", 1), 2u);
  EXPECT_EQ(handle.execute("DELETE FROM t"), 1u);
}

TEST_P(conformance_statements, name_their_columns) {
  auto handle = db();
  handle.execute("INSERT INTO t VALUES (1, 'x', 'y')");
  const auto rows = handle.query("SELECT a AS " + GetParam().quoted("A Name") + ", b AS twice, c AS twice, a AS " +
                                 GetParam().quoted("größe") + " FROM t");
  ASSERT_EQ(rows.columns().size(), 4u);
  EXPECT_EQ(rows.columns()[0].name, "A Name");
  EXPECT_EQ(rows.columns()[3].name, "größe");
  EXPECT_EQ(rows.front().get<int>("A Name"), 1);
  EXPECT_EQ(rows.front().get<std::string>("twice"), "x") << "the first of two";
  EXPECT_EQ(rows.front().get<std::string>(2), "y");
  EXPECT_EQ(caught([&] { rows.front().get<int>("missing"); }).portable_code(), errc::column_not_found);
}

TEST_P(conformance_statements, may_give_nothing) {
  auto handle = db();
  const auto rows = handle.query("SELECT a, b FROM t WHERE a = $1", 1);
  EXPECT_TRUE(rows.empty());
  ASSERT_EQ(rows.columns().size(), 2u);
  EXPECT_EQ(rows.columns()[1].name, "b");
  EXPECT_EQ(handle.query("INSERT INTO t (a) VALUES (1)").columns().size(), 0u);
  EXPECT_TRUE(handle.query_column<int>("SELECT a FROM t WHERE a = 2").empty());
  EXPECT_EQ(caught([&] { handle.query_one("SELECT a FROM t WHERE a = 2"); }).portable_code(), errc::row_count);
  for (const std::string text : {"", " -- nothing\n /* at all */ "}) {
    try {
      EXPECT_TRUE(handle.query(text).empty());
    } catch (const error& problem) {  // SQLite's driver takes it for a mistake
      EXPECT_EQ(problem.portable_code(), errc::syntax_error) << problem.what();
    }
  }
}

TEST_P(conformance_statements, errors_have_the_same_codes_everywhere) {
  auto handle = db();
  handle.execute("CREATE TABLE parent (id int PRIMARY KEY, name varchar(20) NOT NULL, age int CHECK (age > 0))");
  handle.execute("CREATE TABLE child (id int PRIMARY KEY, parent int, FOREIGN KEY (parent) REFERENCES parent (id))");
  handle.execute("INSERT INTO parent VALUES (1, 'a', 1)");
  handle.execute("INSERT INTO child VALUES (1, 1)");
  const auto id = session_id();
  const std::pair<const char*, errc> all[] = {
      {"SELEC a FROM t", errc::syntax_error},
      {"SELECT a FROM t WHERE", errc::syntax_error},
      {"SELECT a FROM missing", errc::undefined_object},
      {"SELECT missing FROM t", errc::undefined_object},
      {"INSERT INTO missing VALUES (1)", errc::undefined_object},
      {"INSERT INTO parent VALUES (1, 'b', 1)", errc::unique_violation},
      {"UPDATE child SET parent = 7", errc::foreign_key_violation},
      {"DELETE FROM parent", errc::foreign_key_violation},
      {"INSERT INTO parent VALUES (2, NULL, 1)", errc::not_null_violation},
      {"INSERT INTO parent VALUES (2, 'b', 0)", errc::check_violation},
  };
  for (const auto& [text, code] : all) {
    SCOPED_TRACE(text);
    const auto problem = caught([&] { handle.execute(text); });
    EXPECT_EQ(to_string(problem.portable_code()), to_string(code)) << problem.what();
    EXPECT_EQ(problem.connection(), "db");
    EXPECT_EQ(problem.operation(), "query");
    EXPECT_EQ(problem.disposition(), disposition::permanent);
    EXPECT_FALSE(problem.poisons_session());
    EXPECT_FALSE(problem.server_message().empty());
    const auto of_stream = caught([&] { handle.stream(text); });
    EXPECT_EQ(to_string(of_stream.portable_code()), to_string(code)) << of_stream.what();
    const auto of_script = caught([&] { handle.execute_script(text); });
    EXPECT_EQ(to_string(of_script.portable_code()), to_string(code)) << of_script.what();
    EXPECT_EQ(handle.query_value<int>("SELECT count(*) FROM parent"), 1);
  }
  EXPECT_EQ(session_id(), id) << "no error costs the session";
}

TEST_P(conformance_statements, scripts) {
  auto handle = db();
  handle.execute_script(
      "INSERT INTO t VALUES (1, 'a;b', '--'); -- ; no statement\n"
      "INSERT INTO t VALUES (2, 'c', 'd'); /* ; */ SELECT * FROM t;\n UPDATE t SET b = 'x' WHERE a = 2; ");
  EXPECT_EQ(handle.query_value<std::string>("SELECT b FROM t WHERE a = 1"), "a;b");
  EXPECT_EQ(handle.query_value<std::string>("SELECT b FROM t WHERE a = 2"), "x");
  handle.execute_script("");
  handle.execute_script(" ; -- nothing");
  const auto problem =
      caught([&] { handle.execute_script("UPDATE t SET b = 'y'; SELECT * FROM missing; DELETE FROM t"); });
  EXPECT_EQ(problem.portable_code(), errc::undefined_object) << problem.what();
  EXPECT_EQ(handle.query_value<int>("SELECT count(*) FROM t"), 2) << "it stopped at the error";
}

TEST_P(conformance_statements, one_text_is_one_statement) {
  if (GetParam().batches) GTEST_SKIP() << "it may be several there";
  auto handle = db();
  handle.execute("INSERT INTO t (a) VALUES (1)");
  try {
    handle.query("SELECT 1; DELETE FROM t");
    ADD_FAILURE() << "two statements in one";
  } catch (const error& problem) {
    EXPECT_TRUE(problem.portable_code() == errc::syntax_error || problem.portable_code() == errc::invalid_argument)
        << problem.what();
  }
  EXPECT_EQ(handle.query_value<int>("SELECT count(*) FROM t"), 1);
}

TEST_P(conformance_statements, tables_may_change) {
  auto handle = db();
  handle.execute("INSERT INTO t VALUES (1, 'x', 'y')");
  EXPECT_EQ(handle.query("SELECT * FROM t").columns().size(), 3u);
  handle.execute("ALTER TABLE t ADD d " + integer());
  EXPECT_EQ(handle.query("SELECT * FROM t").columns().size(), 4u);
  handle.execute("DROP TABLE t");
  EXPECT_EQ(caught([&] { handle.query("SELECT * FROM t"); }).portable_code(), errc::undefined_object);
  handle.execute("CREATE TABLE t (z " + text() + ")");
  handle.execute("INSERT INTO t VALUES ($1)", "new");
  const auto rows = handle.query("SELECT * FROM t");
  ASSERT_EQ(rows.columns().size(), 1u);
  EXPECT_EQ(rows.columns()[0].name, "z");
  EXPECT_EQ(rows.front().get<std::string>(0), "new");
}

}  // namespace
}  // namespace polypool::test
