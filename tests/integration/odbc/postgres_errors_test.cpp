// SPDX-License-Identifier: Apache-2.0
// What PostgreSQL complains about over ODBC, in portable words.
#include "fixture.hpp"

#include <future>

namespace polypool::test {
namespace {

using odbc_postgres_errors = odbc_postgres_ways;
POLYPOOL_BOTH_WAYS(odbc_postgres_errors);

struct complaint {
  const char* sql;
  const char* sqlstate;
  errc code;
};

TEST_P(odbc_postgres_errors, have_portable_codes) {
  auto db = make_client();
  db.script(
      "CREATE TABLE parent (id int PRIMARY KEY, name text NOT NULL, age int CHECK (age > 0));"
      "CREATE TABLE child (id int REFERENCES parent, at tsrange, EXCLUDE USING gist (at WITH &&));"
      "INSERT INTO parent VALUES (1, 'a', 1); INSERT INTO child VALUES (1, '[2024-01-01,2024-01-02)');");
  const complaint all[] = {
      {"INSERT INTO parent VALUES (1, 'b', 1)", "23505", errc::unique_violation},
      {"INSERT INTO child VALUES (7)", "23503", errc::foreign_key_violation},
      {"DELETE FROM parent", "23503", errc::foreign_key_violation},
      {"INSERT INTO parent VALUES (2, NULL, 1)", "23502", errc::not_null_violation},
      {"INSERT INTO parent VALUES (2, 'b', 0)", "23514", errc::check_violation},
      {"INSERT INTO child VALUES (1, '[2024-01-01,2024-01-03)')", "23P01", errc::constraint_violation},
      {"SELEC 1", "42601", errc::syntax_error},
      {"SELECT * FROM nowhere", "42P01", errc::undefined_object},
      {"SELECT nothing FROM parent", "42703", errc::undefined_object},
      {"SELECT no_such_function()", "42883", errc::undefined_object},
      {"CREATE TABLE no_schema.t (x int)", "3F000", errc::undefined_object},
      {"SELECT 1::no_type", "42704", errc::undefined_object},
      {"SELECT 1/0", "22012", errc::invalid_value},
      {"SELECT 'x'::int", "22P02", errc::invalid_value},
      {"SELECT '2024-02-30'::date", "22008", errc::invalid_value},
      {"CREATE TABLE parent (x int)", "42P07", errc::database_error},
      {"EXECUTE nothing", "26000", errc::undefined_object},
      {"DO $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $$", "53100", errc::disk_full},
      {"DO $$ BEGIN RAISE EXCEPTION 'try again' USING ERRCODE = '40001'; END $$", "40001", errc::serialization_failure},
  };
  for (const auto& expected : all) {
    SCOPED_TRACE(expected.sql);
    const auto problem = db.failure(expected.sql);
    EXPECT_EQ(problem.sqlstate(), expected.sqlstate);
    EXPECT_EQ(to_string(problem.portable_code()), to_string(expected.code)) << problem.what();
    EXPECT_FALSE(problem.poisons_session());
    EXPECT_FALSE(problem.server_message().empty());
    EXPECT_EQ(to_string(failure_of(go_, db->execute_script(expected.sql)).portable_code()), to_string(expected.code));
  }
  EXPECT_FALSE(db->broken());
  EXPECT_EQ(db.text("SELECT count(*) FROM parent"), "1");
}

TEST_P(odbc_postgres_errors, carry_the_servers_words) {
  auto db = make_client();
  db.script("CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1)");
  const auto twice = db.failure("INSERT INTO parent VALUES (1)");
  EXPECT_NE(twice.server_message().find("duplicate key value violates unique constraint \"parent_pkey\""),
            std::string::npos)
      << twice.server_message();
  EXPECT_EQ(twice.disposition(), disposition::permanent);
  EXPECT_EQ(std::string(db.failure("SELECT 1/0").what()), "division by zero (SQLSTATE 22012)");
}

TEST_P(odbc_postgres_errors, timeouts_of_the_server) {
  auto db = make_client();
  db.script("CREATE TABLE thing (x int)");
  db.query("SET statement_timeout = 20");
  const auto slow = db.failure("SELECT pg_sleep(30)");
  EXPECT_EQ(slow.portable_code(), errc::deadline_exceeded) << slow.what();
  EXPECT_EQ(slow.sqlstate(), "57014");
  EXPECT_EQ(slow.disposition(), disposition::retryable);
  db.query("SET statement_timeout = 0");
  auto other = make_client();
  other.query("BEGIN");
  other.query("LOCK TABLE thing");
  db.query("SET lock_timeout = 20");
  EXPECT_EQ(db.failure("SELECT * FROM thing").portable_code(), errc::lock_timeout);
  EXPECT_EQ(db.failure("SELECT * FROM thing FOR UPDATE NOWAIT").portable_code(), errc::lock_timeout);
  other.query("ROLLBACK");
  EXPECT_FALSE(db->broken());
}

TEST_P(odbc_postgres_errors, a_plan_that_is_out_of_date_is_made_anew) {
  auto db = make_client();
  db.query("CREATE TABLE thing (x int)");
  db.query("INSERT INTO thing VALUES (1)");
  EXPECT_EQ(db.query("SELECT * FROM thing WHERE x = $1", 1).columns().size(), 1u);
  admin().execute("ALTER TABLE " + playground_->name() + ".thing ADD y text DEFAULT 'new'");
  const auto rows = db.query("SELECT * FROM thing WHERE x = $1", 1);
  ASSERT_EQ(rows.columns().size(), 2u);
  EXPECT_EQ(rows[0].get<std::string>("y"), "new");
  admin().execute("ALTER TABLE " + playground_->name() + ".thing ALTER x TYPE text");
  EXPECT_EQ(db.query("SELECT x, y FROM thing WHERE y = $1", "new").front().get<std::string>("x"), "1");
}

TEST_P(odbc_postgres_errors, read_only_servers_retire_the_session) {
  auto read_only = where();
  read_only.options["options"] = "-c default_transaction_read_only=on";
  odbc_client db(go_, read_only);
  EXPECT_EQ(go_(db->describe()).role, server_info::role_type::read_only);
  const auto problem = db.failure("CREATE TABLE never (x int)");
  EXPECT_EQ(problem.portable_code(), errc::read_only);
  EXPECT_EQ(problem.disposition(), disposition::retryable_elsewhere);
  EXPECT_TRUE(problem.poisons_session());
  EXPECT_TRUE(db->broken());
}

// Two transactions that lock in opposite order, on two threads of their own.
class odbc_postgres_conflicts : public postgres_test {};

TEST_F(odbc_postgres_conflicts, deadlocks_and_serialization_failures_are_retryable) {
  if (const auto reason = why_no_library("psqlodbcw.so"); !reason.empty()) GTEST_SKIP() << reason;
  runner first_way(way::blocking);
  runner second_way(way::blocking);
  odbc_client first(first_way, over_psqlodbc(playground_->endpoint()));
  odbc_client second(second_way, over_psqlodbc(playground_->endpoint()));
  first.script("CREATE TABLE thing (id int PRIMARY KEY, x int); INSERT INTO thing VALUES (1, 0), (2, 0)");
  for (auto* db : {&first, &second}) {
    db->query("BEGIN");
    db->query("SET LOCAL deadlock_timeout = '10ms'");
  }
  first.query("UPDATE thing SET x = 1 WHERE id = 1");
  second.query("UPDATE thing SET x = 2 WHERE id = 2");
  const auto attempt = [](odbc_client& db, const char* sql) -> std::optional<error> {
    try {
      db.query(sql);
      return std::nullopt;
    } catch (const error& problem) {
      db.query("ROLLBACK");
      return problem;
    }
  };
  auto other = std::async(std::launch::async, attempt, std::ref(first), "UPDATE thing SET x = 1 WHERE id = 2");
  const auto mine = attempt(second, "UPDATE thing SET x = 2 WHERE id = 1");
  const auto theirs = other.get();
  ASSERT_NE(mine.has_value(), theirs.has_value());
  const auto& victim = mine ? *mine : *theirs;
  EXPECT_EQ(victim.portable_code(), errc::deadlock);
  EXPECT_EQ(victim.disposition(), disposition::retryable);
  first.query("ROLLBACK");
  second.query("ROLLBACK");

  for (auto* db : {&first, &second}) {
    db->query("BEGIN ISOLATION LEVEL SERIALIZABLE");
    db->query("SELECT sum(x) FROM thing");
  }
  first.query("UPDATE thing SET x = 5 WHERE id = 1");
  second.query("UPDATE thing SET x = 5 WHERE id = 2");
  first.query("COMMIT");
  const auto conflict = second.failure("COMMIT");
  EXPECT_EQ(conflict.portable_code(), errc::serialization_failure);
  EXPECT_EQ(conflict.disposition(), disposition::retryable);
  EXPECT_EQ(second->transaction(), sql_session::transaction_state::none);
}

}  // namespace
}  // namespace polypool::test
