// SPDX-License-Identifier: Apache-2.0
// What a session is on first sight.
#include "fixture.hpp"

#include <mysql.h>

namespace polypool::test {
namespace {

using mysql_session = mysql_ways;
POLYPOOL_BOTH_WAYS(mysql_session);

TEST_P(mysql_session, says_what_it_is) {
  auto db = make_client();
  const auto info = go_(db->describe());
  EXPECT_EQ(info.version, admin().value("SELECT @@version"));
  EXPECT_EQ(info.role, server_info::role_type::primary);
  EXPECT_TRUE(playground_->sessions_become(1));
  EXPECT_FALSE(db->dirty());
  EXPECT_FALSE(db->broken());
  EXPECT_EQ(db->dialect(), dialect::mysql);
  EXPECT_EQ(mysql::make_driver()->type(), "mysql");
  EXPECT_EQ(mysql::make_driver()->kind(), database_kind::sql);
  go_(db->probe());
}

TEST_P(mysql_session, runs_statements) {
  auto db = make_client();
  db.query("CREATE TABLE item (id int AUTO_INCREMENT PRIMARY KEY, name text)");
  const auto inserted = db.query("INSERT INTO item (name) VALUES ($1), ($2)", "one", std::nullopt);
  EXPECT_EQ(inserted.affected_rows(), 2u);
  EXPECT_EQ(inserted.last_insert_id(), 1);
  const auto rows = db.query("SELECT id, name FROM item ORDER BY id");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].get<std::string>("name"), "one");
  EXPECT_EQ(rows[1].get<std::optional<std::string>>("name"), std::nullopt);
  EXPECT_EQ(rows[1].get<int>("id"), 2);
  EXPECT_EQ(rows.affected_rows(), 2u);
  EXPECT_EQ(rows.last_insert_id(), 0);
  EXPECT_EQ(db.query("UPDATE item SET name = 'x' WHERE id = $1", 1).affected_rows(), 1u);
  EXPECT_EQ(db.query("UPDATE item SET name = 'x' WHERE id = $1", 1).affected_rows(), 1u) << "it matches";
  EXPECT_EQ(db.query("DELETE FROM item WHERE id = $1", 77).affected_rows(), 0u);
  EXPECT_TRUE(db.query("").empty());
  EXPECT_TRUE(db.query("-- nothing\n # more\n /* of it */;").empty());
  EXPECT_FALSE(db->dirty());
}

TEST_P(mysql_session, results_outlive_their_session) {
  std::optional<result> rows;
  {
    auto db = make_client();
    rows = db.query(
        "WITH RECURSIVE g AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM g WHERE n < 100) "
        "SELECT n, repeat('x', n) AS text FROM g");
  }
  EXPECT_EQ(rows->size(), 100u);
  EXPECT_EQ((*rows)[99].get<std::string>("text"), std::string(100, 'x'));
}

TEST_P(mysql_session, runs_scripts) {
  auto db = make_client();
  db.script(
      "CREATE TABLE a (x int); INSERT INTO a VALUES (1), (2); SELECT * FROM a; INSERT INTO a SELECT x + 10 FROM a;");
  EXPECT_EQ(db.text("SELECT sum(x) FROM a"), "26");
  const auto problem =
      failure_of(go_, db->execute_script("INSERT INTO a VALUES (5); SELECT * FROM missing; DROP TABLE a"));
  EXPECT_EQ(problem.portable_code(), errc::undefined_object);
  EXPECT_EQ(problem.sqlstate(), "42S02");
  EXPECT_EQ(problem.native_code(), 1146);
  EXPECT_NE(problem.hint().find("statement 2"), std::string::npos) << problem.what();
  EXPECT_EQ(db.text("SELECT count(*) FROM a"), "5");
  EXPECT_EQ(failure_of(go_, db->execute_script(std::string_view("SELECT 1\0;", 10))).portable_code(),
            errc::invalid_argument);
  db.script(" ; -- nothing");
  // The server knows where a statement ends; semicolons alone do not say.
  db.script("CREATE PROCEDURE p() BEGIN SELECT 1; SELECT ';'; END; CALL p(); DROP PROCEDURE p");
  EXPECT_TRUE(db->dirty());
}

TEST_P(mysql_session, several_statements_are_for_scripts_only) {
  auto db = make_client();
  db.query("CREATE TABLE a (x int)");
  for (const char* text : {"SELECT 1; DROP TABLE a", "BEGIN; DROP TABLE a", "DO 1; DROP TABLE a"}) {
    const auto problem = db.failure(text);
    EXPECT_EQ(problem.portable_code(), errc::syntax_error) << text;
    EXPECT_NE(problem.hint().find("execute_script"), std::string::npos) << problem.what();
  }
  db.script("SELECT 1; SELECT 2");
  EXPECT_EQ(db.failure("BEGIN; DROP TABLE a").portable_code(), errc::syntax_error) << "also after a script";
  EXPECT_EQ(failure_of(go_, db->execute_script("SELECT 1; SELECT * FROM missing")).portable_code(),
            errc::undefined_object);
  EXPECT_EQ(db.failure("BEGIN; DROP TABLE a").portable_code(), errc::syntax_error) << "also after one that failed";
  EXPECT_EQ(db.text("SELECT count(*) FROM a"), "0");
  EXPECT_EQ(db.text("SELECT 7;"), "7") << "one at the end says nothing";
}

TEST_P(mysql_session, transactions) {
  auto db = make_client();
  using state = sql_session::transaction_state;
  EXPECT_EQ(db->transaction(), state::none);
  db.query("CREATE TABLE a (x int PRIMARY KEY)");
  transaction_options options;
  options.isolation = isolation::serializable;
  options.read_only = true;
  go_(db->begin(options));
  EXPECT_EQ(db->transaction(), state::active);
  const auto refused = db.failure("INSERT INTO a VALUES (1)");
  EXPECT_EQ(refused.portable_code(), errc::read_only);
  EXPECT_EQ(refused.native_code(), 1792);
  EXPECT_FALSE(refused.poisons_session()) << "the caller asked for it";
  EXPECT_EQ(db->transaction(), state::active);
  EXPECT_TRUE(db->dirty());
  db.query("ROLLBACK");
  EXPECT_EQ(db->transaction(), state::none);
  EXPECT_FALSE(db->broken());
  EXPECT_FALSE(db->dirty());
}

TEST_P(mysql_session, isolation_levels) {
  auto db = make_client();
  auto other = make_client();
  db.query("CREATE TABLE a (x int PRIMARY KEY)");
  const auto sees_uncommitted = [&](isolation level) {
    go_(db->begin({level, false}));
    other.query("BEGIN");
    other.query("INSERT INTO a VALUES (1)");
    const bool seen = db.text("SELECT count(*) FROM a") == "1";
    other.query("ROLLBACK");
    db.query("COMMIT");
    EXPECT_FALSE(db->dirty()) << "the level was for that transaction";
    return seen;
  };
  EXPECT_TRUE(sees_uncommitted(isolation::read_uncommitted));
  EXPECT_FALSE(sees_uncommitted(isolation::read_committed));
  EXPECT_FALSE(sees_uncommitted(isolation::repeatable_read));
  EXPECT_FALSE(sees_uncommitted(isolation::server_default));
  other.query("INSERT INTO a VALUES (1)");
  go_(db->begin({isolation::serializable, false}));
  db.query("SELECT * FROM a WHERE x = 1");
  EXPECT_EQ(other.failure("SELECT * FROM a WHERE x = 1 FOR UPDATE NOWAIT").portable_code(), errc::lock_timeout)
      << "reading locks";
  db.query("COMMIT");
}

TEST_P(mysql_session, native_handle) {
  auto db = make_client();
  const auto handle = db->native();
  ASSERT_EQ(handle.type, std::type_index(typeid(MYSQL*)));
  EXPECT_TRUE(db->dirty());
  auto* raw = static_cast<MYSQL*>(handle.pointer);
  EXPECT_EQ(mysql_query(raw, "SET @mine = 1"), 0);
  EXPECT_EQ(mysql_query(raw, "BEGIN"), 0);
  EXPECT_EQ(mysql_query(raw, ("USE " + playground_->name()).c_str()), 0);
  EXPECT_EQ(db.text("SELECT @mine"), "1");
  EXPECT_EQ(mysql_query(raw, "SELECT 1 UNION SELECT 2"), 0);  // and its rows are not read
  db.reset();
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(db.text("SELECT @mine"), "NULL");
  db.reset();
  db->native();
  EXPECT_EQ(mysql_query(raw, "SELECT 1 UNION SELECT 2"), 0);
  MYSQL_RES* rows = mysql_use_result(raw);  // and left where it is
  ASSERT_NE(rows, nullptr);
  EXPECT_EQ(failure_of(go_, db->reset()).portable_code(), errc::connection_lost);
  EXPECT_TRUE(db->broken());
  mysql_free_result(rows);
}

}  // namespace
}  // namespace polypool::test
