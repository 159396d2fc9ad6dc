// SPDX-License-Identifier: Apache-2.0
// Prepared statements: their cache, their placeholders, and tables that change under them.
#include "fixture.hpp"

namespace polypool::test {
namespace {

class mysql_statements : public mysql_ways {
 protected:
  client with_cache(std::size_t size) {
    auto where = playground_->endpoint();
    where.statement_cache = size;
    return {go_, where};
  }
  static int status(client& db, const std::string& name) {
    return db.query("SHOW SESSION STATUS LIKE '" + name + "'").front().get<int>(1);
  }
};
POLYPOOL_BOTH_WAYS(mysql_statements);

TEST_P(mysql_statements, placeholders) {
  for (const std::size_t cache : {256, 1, 0}) {
    auto db = with_cache(cache);
    EXPECT_EQ(db.text("SELECT concat($2, '-', $1, '-', $2)", "a", "b"), "b-a-b");
    EXPECT_EQ(db.text("SELECT concat('$1', \"$1\", '\\'$1', $1) -- $2\n # $3\n /* $4 */", "x"), "$1$1'$1x");
    EXPECT_EQ(db.text("SELECT `$1` FROM (SELECT $1 AS `$1`) AS t", 7), "7");
    EXPECT_EQ(db.text("SELECT ? + ?", 1, 2), "3");
    EXPECT_EQ(db.failure("SELECT $1, ?", 1, 2).portable_code(), errc::invalid_argument);
    EXPECT_EQ(db.failure("SELECT $0", 1).portable_code(), errc::invalid_argument);
    const auto few = db.failure("SELECT $1, $2", 1);
    EXPECT_EQ(few.portable_code(), errc::parameter_count);
    EXPECT_EQ(few.cause(), "the statement takes 2 parameters, but 1 was given");
    EXPECT_EQ(db.failure("SELECT 1", 1).portable_code(), errc::parameter_count);
    EXPECT_EQ(db.failure("BEGIN", 1).portable_code(), errc::parameter_count);
    EXPECT_EQ(db.failure("", 1).portable_code(), errc::parameter_count);
    EXPECT_EQ(failure_of(go_, db.opening("SELECT $1")).portable_code(), errc::parameter_count);
    EXPECT_EQ(db.failure("SELECT /*!99999 $1 */ 1", 1).portable_code(), errc::invalid_argument);
    EXPECT_EQ(db.text("SELECT /*!50000 $1 */", 5), "5");
    EXPECT_FALSE(db->dirty());
    EXPECT_EQ(db.text("SELECT 1"), "1");
  }
}

// Where a backslash is no escape, the text ends elsewhere.
TEST_P(mysql_statements, placeholders_follow_the_sql_mode) {
  auto db = make_client();
  db.query("SET sql_mode = 'NO_BACKSLASH_ESCAPES'");
  EXPECT_EQ(db.text("SELECT concat('\\', $1)", "x"), "\\x");
  db.query("SET sql_mode = 'ANSI_QUOTES'");
  EXPECT_EQ(db.text("SELECT \"\\\" FROM (SELECT $1 AS \"\\\") AS t", 3), "3");
}

TEST_P(mysql_statements, many_parameters) {
  auto db = make_client();
  std::string text = "SELECT count(*) FROM seq_1_to_100000 WHERE seq IN (0";
  std::vector<value> all;
  for (int i = 1; i <= 65535; ++i) {
    text += ", $" + std::to_string(i);
    all.emplace_back(i);
  }
  EXPECT_EQ(go_(db->execute(statement(text + ")", all))).front().get<int>(0), 65535);
  all.emplace_back(1);
  EXPECT_EQ(failure_of(go_, db->execute(statement(text + ", $65536)", all))).portable_code(), errc::invalid_argument);
}

TEST_P(mysql_statements, are_prepared_once) {
  auto db = make_client();
  status(db, "Com_stmt_prepare");
  const int before = status(db, "Com_stmt_prepare");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(db.text("SELECT $1", i), std::to_string(i));
  EXPECT_EQ(status(db, "Com_stmt_prepare"), before + 1);
}

TEST_P(mysql_statements, more_than_the_cache_holds) {
  auto db = with_cache(4);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i) EXPECT_EQ(db.text("SELECT " + std::to_string(i)), std::to_string(i));
  }
  EXPECT_GE(status(db, "Com_stmt_close"), 20);
  EXPECT_LE(status(db, "Com_stmt_prepare") - status(db, "Com_stmt_close"), 5);
  auto none = with_cache(0);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(none.text("SELECT $1", i), std::to_string(i));
  const int closed = status(none, "Com_stmt_close");
  EXPECT_EQ(status(none, "Com_stmt_prepare"), closed + 2) << "two are the questions themselves";
}

TEST_P(mysql_statements, what_the_server_does_not_prepare_runs_all_the_same) {
  auto db = make_client();
  db.query("/*! PREPARE mine FROM 'SELECT 41 + 1' */");
  EXPECT_EQ(db.text("/*! EXECUTE mine */"), "42");
  EXPECT_EQ(db.text("EXECUTE mine"), "42");
  const auto rows = db.open("EXECUTE mine");
  EXPECT_EQ(rows->columns()->size(), 1u);
  EXPECT_EQ(go_(rows->next())->at(0, 0).get<int>(), 42);
  EXPECT_EQ(go_(rows->next()), nullptr);
  EXPECT_EQ(rows->affected_rows(), 1u);
}

TEST_P(mysql_statements, procedures_give_their_first_result) {
  auto db = make_client();
  db.script(
      "CREATE PROCEDURE two(IN a int) BEGIN SELECT a AS first; SELECT 'x', 'y' UNION SELECT 'z', 'w'; END;"
      "CREATE PROCEDURE none() BEGIN SET @x = 1; END;"
      "CREATE PROCEDURE fails() BEGIN SELECT 1; SELECT * FROM missing; END");
  for (int i = 0; i < 3; ++i) {
    const auto rows = db.query("CALL two($1)", i);
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows.columns()[0].name, "first");
    EXPECT_EQ(rows.front().get<int>(0), i);
    EXPECT_TRUE(db.query("CALL none()").empty());
    EXPECT_EQ(db.failure("CALL fails()").portable_code(), errc::undefined_object);
    auto cursor = db.open("CALL two(9)");
    EXPECT_EQ(go_(cursor->next())->at(0, 0).get<int>(), 9);
    EXPECT_EQ(go_(cursor->next()), nullptr);
    auto early = db.open("CALL two(9)");
    go_(early->finish());
    EXPECT_EQ(db.text("SELECT 5"), "5");
  }
}

TEST_P(mysql_statements, notice_new_columns) {
  auto db = make_client();
  db.query("CREATE TABLE thing (a int)");
  db.query("INSERT INTO thing VALUES (1)");
  EXPECT_EQ(db.query("SELECT * FROM thing").columns().size(), 1u);
  admin().execute("ALTER TABLE " + table("thing") + " ADD b varchar(10) DEFAULT 'new'");
  const auto wider = db.query("SELECT * FROM thing");
  ASSERT_EQ(wider.columns().size(), 2u);
  EXPECT_EQ(wider.front().get<std::string>("b"), "new");
  admin().execute("ALTER TABLE " + table("thing") + " DROP b, MODIFY a varchar(10)");
  const auto cursor = db.open("SELECT * FROM thing");
  EXPECT_EQ(cursor->columns()->size(), 1u);
  EXPECT_EQ((*cursor->columns())[0].type, data_type::text);
  EXPECT_EQ(go_(cursor->next())->at(0, 0).get<std::string>(), "1");
  EXPECT_EQ(go_(cursor->next()), nullptr);
  db.query("BEGIN");
  EXPECT_EQ(db.query("SELECT * FROM thing").columns().size(), 1u);
  db.query("COMMIT");
  admin().execute("ALTER TABLE " + table("thing") + " RENAME COLUMN a TO renamed");
  EXPECT_EQ(db.query("SELECT * FROM thing").columns()[0].name, "renamed");
  EXPECT_FALSE(db->dirty());
}

// What writes may not run a second time only because its rows look different now.
TEST_P(mysql_statements, writing_twice_is_worse_than_losing_rows) {
  auto db = make_client();
  if (db.text("SELECT @@version").find("MariaDB") == std::string::npos) GTEST_SKIP() << "RETURNING is MariaDB's";
  db.query("CREATE TABLE thing (a int)");
  const auto* insert = "INSERT INTO thing (a) VALUES ($1) RETURNING *";
  EXPECT_EQ(db.text(insert, 1), "1");
  admin().execute("ALTER TABLE " + table("thing") + " ADD b int");
  try {
    EXPECT_EQ(db.query(insert, 2).columns().size(), 2u);
  } catch (const error& problem) {
    EXPECT_EQ(problem.portable_code(), errc::database_error) << problem.what();
  }
  EXPECT_EQ(db.text("SELECT count(*) FROM thing"), "2");
  EXPECT_EQ(db.query(insert, 3).columns().size(), 2u);
  EXPECT_EQ(db.text("SELECT count(*) FROM thing"), "3");
}

}  // namespace
}  // namespace polypool::test
