// SPDX-License-Identifier: Apache-2.0
#include "drivers/sqlite/effects.hpp"
#include "sqlite_fixture.hpp"

namespace polypool::sqlite {
namespace {

using transaction_state = sql_session::transaction_state;

TEST(sqlite_state, a_transaction_left_open_is_rolled_back) {
  const database db;
  db.query("CREATE TABLE t(a)");
  EXPECT_EQ(db.session().transaction(), transaction_state::none);
  EXPECT_EQ(db.session().begin_statement({}), "BEGIN IMMEDIATE");
  transaction_options reading;
  reading.read_only = true;
  EXPECT_EQ(db.session().begin_statement(reading), "BEGIN DEFERRED");
  db.query(db.session().begin_statement({}));
  db.query("INSERT INTO t VALUES (1)");
  EXPECT_EQ(db.session().transaction(), transaction_state::active);
  EXPECT_TRUE(db.session().dirty());
  db.reset();
  EXPECT_EQ(db.session().transaction(), transaction_state::none);
  EXPECT_FALSE(db.session().dirty());
  EXPECT_EQ(db.get<int>("SELECT count(*) FROM t"), 0);
}

TEST(sqlite_state, ordinary_work_leaves_nothing) {
  const database db;
  db.script("CREATE TABLE t(a); CREATE INDEX i ON t(a); BEGIN; INSERT INTO t VALUES (1); COMMIT; DROP INDEX i");
  db.query("PRAGMA table_info(t)");
  db.query("PRAGMA foreign_keys");
  db.query("PRAGMA user_version = 5");
  db.query("SELECT * FROM t");
  EXPECT_FALSE(db.session().dirty());
}

TEST(sqlite_state, temporary_objects_are_dropped) {
  const database db;
  db.script("CREATE TABLE keep(a); INSERT INTO keep VALUES (1)");
  for (const auto text :
       {"CREATE TEMP TABLE x(a REFERENCES keep)", "create temporary view x as select 1",
        "CREATE TABLE temp.\"odd \"\"name\"(a)", "CREATE TEMP TRIGGER g AFTER INSERT ON keep BEGIN SELECT 1; END",
        "CREATE TEMP TABLE y AS SELECT * FROM keep"}) {
    db.query(text);
    EXPECT_TRUE(db.session().dirty()) << text;
    db.reset();
    EXPECT_FALSE(db.session().dirty()) << text;
    EXPECT_EQ(db.get<int>("SELECT count(*) FROM temp.sqlite_schema"), 0) << text;
  }
  db.script(
      "CREATE TEMP TABLE p(id INTEGER PRIMARY KEY); CREATE TEMP TABLE c(p REFERENCES p); CREATE INDEX temp.ci ON c(p);"
      "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1); CREATE TEMP VIEW v AS SELECT * FROM c;");
  db.reset();
  EXPECT_EQ(db.get<int>("SELECT count(*) FROM temp.sqlite_schema"), 0);
  EXPECT_EQ(db.get<int>("PRAGMA foreign_keys"), 1);
  EXPECT_EQ(db.get<int>("SELECT count(*) FROM keep"), 1);
}

TEST(sqlite_state, attached_databases_are_detached) {
  const temporary_folder folder;
  const database db(folder.file());
  db.query("ATTACH $1 AS \"another one\"", folder.file("other.db"));
  EXPECT_TRUE(db.session().dirty());
  db.query("CREATE TABLE \"another one\".t(a)");
  db.reset();
  EXPECT_FALSE(db.session().dirty());
  EXPECT_EQ(db.get<int>("SELECT count(*) FROM pragma_database_list WHERE name NOT IN ('main', 'temp')"), 0);
}

TEST(sqlite_state, settings_are_put_back) {
  const database db;
  const auto cache = db.get<std::string>("PRAGMA cache_size");
  for (const auto text : {"PRAGMA cache_size = 77", "pragma Main . cache_size(78)", "PRAGMA foreign_keys = off",
                          "PRAGMA case_sensitive_like = on", "PRAGMA query_only = 1", "PRAGMA busy_timeout = 1"}) {
    db.query(text);
    EXPECT_TRUE(db.session().dirty()) << text;
    db.script(text);
    db.reset();
    EXPECT_FALSE(db.session().dirty()) << text;
  }
  EXPECT_EQ(db.get<std::string>("PRAGMA cache_size"), cache);
  EXPECT_EQ(db.get<int>("PRAGMA foreign_keys"), 1);
  EXPECT_EQ(db.get<int>("PRAGMA query_only"), 0);
  EXPECT_EQ(db.get<int>("SELECT 'a' LIKE 'A'"), 1);
  db.query("CREATE TABLE t(a)");
}

TEST(sqlite_state, the_native_handle_may_leave_anything) {
  const database db;
  db.query("CREATE TABLE t(a)");
  EXPECT_EQ(db.session().native().type, std::type_index(typeid(sqlite3*)));
  EXPECT_TRUE(db.session().dirty());
  ASSERT_EQ(sqlite3_exec(db.handle(),
                         "ATTACH ':memory:' AS other; CREATE TEMP TABLE x(a); PRAGMA foreign_keys = 0; BEGIN; "
                         "INSERT INTO t VALUES (1)",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_progress_handler(db.handle(), 0, nullptr, nullptr);
  db.reset();
  EXPECT_FALSE(db.session().dirty());
  EXPECT_EQ(db.get<int>("SELECT count(*) FROM pragma_database_list WHERE name NOT IN ('main', 'temp')"), 0);
  EXPECT_EQ(db.get<int>("SELECT count(*) FROM temp.sqlite_schema"), 0);
  EXPECT_EQ(db.get<int>("PRAGMA foreign_keys"), 1);
  EXPECT_EQ(db.get<int>("SELECT count(*) FROM t"), 0);
  EXPECT_EQ(caught([&] { db.query_in(until(std::chrono::milliseconds(20)), endless); }).portable_code(),
            errc::deadline_exceeded);
}

TEST(sqlite_state, a_rollback_by_a_constraint_is_not_overlooked) {
  const database db;
  db.script("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (1); BEGIN; INSERT INTO t VALUES (2)");
  EXPECT_EQ(caught([&] { db.query("INSERT OR ROLLBACK INTO t VALUES (1)"); }).portable_code(), errc::unique_violation);
  EXPECT_EQ(db.session().transaction(), transaction_state::failed);
  EXPECT_EQ(caught([&] { db.query("INSERT INTO t VALUES (3)"); }).portable_code(), errc::transaction_aborted);
  db.reset();
  EXPECT_EQ(db.get<int>("SELECT count(*) FROM t"), 1);
}

TEST(sqlite_state, an_ordinary_error_leaves_the_transaction_open) {
  const database db;
  db.script("CREATE TABLE t(a UNIQUE); BEGIN; INSERT INTO t VALUES (1)");
  EXPECT_EQ(caught([&] { db.query("INSERT INTO t VALUES (1)"); }).portable_code(), errc::unique_violation);
  EXPECT_EQ(db.session().transaction(), transaction_state::active);
  db.query("COMMIT");
  EXPECT_EQ(db.get<int>("SELECT count(*) FROM t"), 1);
}

TEST(sqlite_state, reset_of_a_clean_session_keeps_its_statements) {
  const database db;
  db.query("SELECT 1");
  db.reset();
  EXPECT_STREQ(sqlite3_sql(sqlite3_next_stmt(db.handle(), nullptr)), "SELECT 1");
}

TEST(sqlite_effects, changed_pragmas_are_recognized) {
  EXPECT_EQ(changed_pragma("PRAGMA cache_size = 5"), "cache_size");
  EXPECT_EQ(changed_pragma(" -- why\n/* how */ pragma\tMAIN . \"Cache_Size\"(5)"), "main.cache_size");
  EXPECT_EQ(changed_pragma("PRAGMA cache_size"), "");
  EXPECT_EQ(changed_pragma("PRAGMA table_info(t)"), "");
  EXPECT_EQ(changed_pragma("SELECT 1"), "");
  EXPECT_EQ(changed_pragma("PRAGMA"), "");
  EXPECT_EQ(changed_pragma("PRAGMA \"a; DROP TABLE t\" = 1"), "");
  EXPECT_EQ(changed_pragma("/* open"), "");
  EXPECT_TRUE(is_rollback("rollback"));
  EXPECT_FALSE(is_rollback("ROLLBACK TRANSACTION TO SAVEPOINT s"));
  EXPECT_FALSE(is_rollback("COMMIT"));
}

}  // namespace
}  // namespace polypool::sqlite
