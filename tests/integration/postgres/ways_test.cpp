// SPDX-License-Identifier: Apache-2.0
// What a session is on first sight.
#include "fixture.hpp"

#include <libpq-fe.h>

namespace polypool::test {

namespace {

using postgres_session = postgres_ways;
POLYPOOL_BOTH_WAYS(postgres_session);

TEST_P(postgres_session, says_what_it_is) {
  auto db = make_client();
  const auto info = go_(db->describe());
  EXPECT_EQ(info.version, admin().value("SHOW server_version"));
  EXPECT_EQ(info.role, server_info::role_type::primary);
  EXPECT_TRUE(playground_->sessions_become(1));
  EXPECT_FALSE(db->dirty());
  EXPECT_FALSE(db->broken());
  EXPECT_EQ(postgres::make_driver()->type(), "postgres");
  EXPECT_EQ(postgres::make_driver()->kind(), database_kind::sql);
}

TEST_P(postgres_session, runs_statements) {
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
  EXPECT_TRUE(db.query("").empty());
  EXPECT_EQ(db.query("SELECT WHERE false").columns().size(), 0u);
  EXPECT_FALSE(db->dirty());
}

TEST_P(postgres_session, results_outlive_their_session) {
  std::optional<result> rows;
  {
    auto db = make_client();
    rows = db.query("SELECT g, repeat('x', g) AS text FROM generate_series(1, 100) g");
  }
  EXPECT_EQ(rows->size(), 100u);
  EXPECT_EQ((*rows)[99].get<std::string>("text"), std::string(100, 'x'));
}

TEST_P(postgres_session, runs_scripts) {
  auto db = make_client();
  db.script("CREATE TABLE a (x int); INSERT INTO a VALUES (1), (2); INSERT INTO a SELECT x + 10 FROM a;");
  EXPECT_EQ(db.text("SELECT sum(x) FROM a"), "26");
  const auto problem = failure_of(go_, db->execute_script("INSERT INTO a VALUES (5); SELECT 1/0; DROP TABLE a"));
  EXPECT_EQ(problem.portable_code(), errc::invalid_value);
  EXPECT_EQ(problem.sqlstate(), "22012");
  EXPECT_EQ(db.text("SELECT count(*) FROM a"), "4");  // a script without BEGIN is one transaction
  EXPECT_EQ(failure_of(go_, db->execute_script(std::string_view("SELECT 1\0;", 10))).portable_code(),
            errc::invalid_argument);
}

TEST_P(postgres_session, transactions) {
  auto db = make_client();
  using state = sql_session::transaction_state;
  EXPECT_EQ(db->transaction(), state::none);
  transaction_options options;
  options.isolation = isolation::serializable;
  options.read_only = true;
  db.query(db->begin_statement(options));
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
    db.query(db->begin_statement(options));
    db.query("COMMIT");
  }
  EXPECT_FALSE(db->dirty());
}

TEST_P(postgres_session, native_handle) {
  auto db = make_client();
  const auto handle = db->native();
  ASSERT_EQ(handle.type, std::type_index(typeid(PGconn*)));
  EXPECT_TRUE(db->dirty());
  PGresult* answer = PQexec(static_cast<PGconn*>(handle.pointer), "PREPARE mine AS SELECT 1; BEGIN");
  EXPECT_EQ(PQresultStatus(answer), PGRES_COMMAND_OK);
  PQclear(answer);
  EXPECT_EQ(db.text("SELECT 7"), "7");
  EXPECT_EQ(PQsendQuery(static_cast<PGconn*>(handle.pointer), "SELECT pg_sleep(60)"), 1);  // and left running
  db.reset();
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(db.text("SELECT 7"), "7");
  EXPECT_EQ(db.text("SELECT count(*) FROM pg_prepared_statements WHERE name = 'mine'"), "0");
}

}  // namespace
}  // namespace polypool::test
