// SPDX-License-Identifier: Apache-2.0
// What a session with PostgreSQL over ODBC is on first sight.
#include "fixture.hpp"

#include <sql.h>
#include <sqlext.h>

namespace polypool::test {
namespace {

using odbc_postgres_session = odbc_postgres_ways;
POLYPOOL_BOTH_WAYS(odbc_postgres_session);

TEST_P(odbc_postgres_session, says_what_it_is) {
  auto db = make_client();
  const auto info = go_(db->describe());
  EXPECT_EQ(info.version, admin().value("SHOW server_version"));
  EXPECT_EQ(info.role, server_info::role_type::primary);
  EXPECT_EQ(playground_->sessions(), 1);
  EXPECT_FALSE(db->dirty());
  EXPECT_FALSE(db->broken());
  EXPECT_EQ(db->dialect(), dialect::postgres);
  EXPECT_EQ(odbc::make_driver()->type(), "odbc");
  EXPECT_EQ(odbc::make_mssql_driver()->type(), "mssql");
  EXPECT_EQ(odbc::make_driver()->kind(), database_kind::sql);
}

TEST_P(odbc_postgres_session, runs_statements) {
  auto db = make_client();
  db.query("CREATE TABLE item (id serial PRIMARY KEY, name text)");
  EXPECT_EQ(db.query("INSERT INTO item (name) VALUES ($1), ($2)", "one", std::nullopt).affected_rows(), 2u);
  const auto rows = db.query("SELECT id, name FROM item ORDER BY id");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].get<std::string>("name"), "one");
  EXPECT_EQ(rows[1].get<std::optional<std::string>>("name"), std::nullopt);
  EXPECT_EQ(rows[1].get<int>("id"), 2);
  EXPECT_EQ(rows.affected_rows(), 2u);
  EXPECT_EQ(db.query("UPDATE item SET name = 'x' WHERE id = $1", 1).affected_rows(), 1u);
  EXPECT_EQ(db.query("DELETE FROM item WHERE id = $1", 77).affected_rows(), 0u);
  EXPECT_EQ(db.query("INSERT INTO item (name) VALUES ($2), ($1), ($2) RETURNING name", "a", "b").size(), 3u);
  EXPECT_FALSE(db->dirty());
}

TEST_P(odbc_postgres_session, the_same_statement_again_and_again) {
  auto db = make_client();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(db.query("SELECT $1::int + 1 AS x", i).front().get<int>("x"), i + 1);
  for (int i = 0; i < 600; ++i) {  // more than are kept
    const std::string text = "SELECT " + std::to_string(i) + " + $1::int";
    ASSERT_EQ(db.query(text, i).front().get<int>(0), 2 * i);
  }
  EXPECT_EQ(db.text("SELECT count(*) <= 256 FROM pg_prepared_statements"), "1");
}

TEST_P(odbc_postgres_session, without_prepared_statements) {
  auto plain = where();
  plain.statement_cache = 0;
  odbc_client db(go_, plain);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(db.query("SELECT $1::int + 1", i).front().get<int>(0), i + 1);
  EXPECT_EQ(db.text("SELECT count(*) FROM pg_prepared_statements"), "0");
}

TEST_P(odbc_postgres_session, results_outlive_their_session) {
  std::optional<result> rows;
  {
    auto db = make_client();
    rows = db.query("SELECT g, repeat('x', g) AS text FROM generate_series(1, 1000) g");
  }
  EXPECT_EQ(rows->size(), 1000u);
  EXPECT_EQ((*rows)[999].get<std::string>("text"), std::string(1000, 'x'));
}

TEST_P(odbc_postgres_session, runs_scripts) {
  auto db = make_client();
  db.script("CREATE TABLE a (x int); INSERT INTO a VALUES (1), (2); INSERT INTO a SELECT x + 10 FROM a;");
  EXPECT_EQ(db.text("SELECT sum(x) FROM a"), "26");
  const auto problem = failure_of(go_, db->execute_script("INSERT INTO a VALUES (5); SELECT 1/0; DROP TABLE a"));
  EXPECT_EQ(problem.portable_code(), errc::invalid_value);
  EXPECT_EQ(problem.sqlstate(), "22012");
  EXPECT_EQ(db.text("SELECT count(*) FROM a"), "4");  // a script without BEGIN is one transaction
  EXPECT_EQ(failure_of(go_, db->execute_script(std::string_view("SELECT 1\0;", 10))).portable_code(),
            errc::invalid_argument);
  db.script("");
  db.script("BEGIN; INSERT INTO a VALUES (7)");
  EXPECT_EQ(db->transaction(), sql_session::transaction_state::active);
  db.script("ROLLBACK");
  EXPECT_EQ(db->transaction(), sql_session::transaction_state::none);
  EXPECT_EQ(db.failure("SELECT 1; SELECT 2").portable_code(), errc::invalid_argument);
  EXPECT_EQ(db.failure(" -- nothing").portable_code(), errc::syntax_error);
}

TEST_P(odbc_postgres_session, transactions) {
  auto db = make_client();
  using state = sql_session::transaction_state;
  EXPECT_EQ(db->transaction(), state::none);
  transaction_options options;
  options.isolation = isolation::serializable;
  options.read_only = true;
  go_(db->begin(options));
  EXPECT_EQ(db->transaction(), state::active);
  EXPECT_EQ(db.text("SHOW transaction_isolation"), "serializable");
  EXPECT_EQ(db.text("SHOW transaction_read_only"), "on");
  const auto refused = db.failure("CREATE TABLE never (x int)");
  EXPECT_EQ(refused.portable_code(), errc::read_only);
  EXPECT_FALSE(refused.poisons_session()) << "the caller asked for it";
  EXPECT_EQ(db->transaction(), state::failed);
  const auto aborted = db.failure("SELECT 1");
  EXPECT_EQ(aborted.portable_code(), errc::transaction_aborted);
  EXPECT_TRUE(db->dirty());
  db.query("ROLLBACK");
  EXPECT_EQ(db->transaction(), state::none);
  EXPECT_FALSE(db->broken());
  for (const auto level : {isolation::server_default, isolation::read_uncommitted, isolation::read_committed,
                           isolation::repeatable_read, isolation::serializable}) {
    options = {level, false};
    go_(db->begin(options));
    db.query("COMMIT");
  }
  EXPECT_FALSE(db->dirty());
  db.query("CREATE TABLE kept (x int)");
  go_(db->begin({}));
  db.query("INSERT INTO kept VALUES (1)");
  db.query(db->savepoint_statement(savepoint_step::open, "here"));
  db.failure("INSERT INTO nowhere VALUES (1)");
  db.query(db->savepoint_statement(savepoint_step::undo, "here"));
  EXPECT_EQ(db->transaction(), state::active);
  db.query("INSERT INTO kept VALUES (2)");
  db.query(db->savepoint_statement(savepoint_step::release, "here"));
  db.query("COMMIT");
  EXPECT_EQ(db.text("SELECT sum(x) FROM kept"), "3");
}

TEST_P(odbc_postgres_session, native_handle) {
  auto db = make_client();
  const auto before = db.backend();
  const auto handle = db->native();
  ASSERT_EQ(handle.type, std::type_index(typeid(SQLHDBC)));
  EXPECT_TRUE(db->dirty());
  SQLHSTMT statement = nullptr;
  ASSERT_EQ(SQLAllocHandle(SQL_HANDLE_STMT, handle.pointer, &statement), SQL_SUCCESS);
  char text[] = "SELECT set_config('work_mem', '9MB', false)";
  ASSERT_EQ(SQLExecDirect(statement, reinterpret_cast<SQLCHAR*>(text), SQL_NTS), SQL_SUCCESS);
  SQLFreeHandle(SQL_HANDLE_STMT, statement);
  EXPECT_EQ(db.text("SHOW work_mem"), "9MB");
  db.reset();
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(db.text("SHOW work_mem"), "4MB");
  EXPECT_NE(db.backend(), before) << "a connection of which nothing is known is made anew";
}

}  // namespace
}  // namespace polypool::test
