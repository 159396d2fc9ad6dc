// SPDX-License-Identifier: Apache-2.0
#include "sqlite_fixture.hpp"

namespace polypool::sqlite {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(sqlite_parameters, are_bound_by_their_numbers) {
  const database db;
  EXPECT_EQ(db.get<std::string>("SELECT $1 || $2", "a", "b"), "ab");
  EXPECT_EQ(db.get<std::string>("SELECT $2 || $1", "a", "b"), "ba");
  EXPECT_EQ(db.get<std::string>("SELECT $1 || $2 || $1", "a", "b"), "aba");
  EXPECT_EQ(db.get<std::string>("SELECT $3", 1, 2, "c"), "c");
  EXPECT_EQ(db.get<std::string>("SELECT ? || ?", "a", "b"), "ab");
  EXPECT_EQ(db.get<std::string>("SELECT ?2 || ?1 || ?2", "a", "b"), "bab");
  EXPECT_EQ(db.get<std::string>("SELECT '$9 ?' -- $8\n"), "$9 ?");
}

TEST(sqlite_parameters, are_counted) {
  const database db;
  const auto few = caught([&] { db.query("SELECT $1, $2", 1); });
  EXPECT_EQ(few.portable_code(), errc::parameter_count);
  EXPECT_THAT(few.what(), AllOf(HasSubstr("takes 2 parameters"), HasSubstr("1 was given")));
  const auto many = caught([&] { db.query("SELECT $1", 1, 2, 3); });
  EXPECT_EQ(many.portable_code(), errc::parameter_count);
  EXPECT_THAT(many.what(), AllOf(HasSubstr("takes 1 parameter,"), HasSubstr("3 were given")));
  EXPECT_EQ(caught([&] { db.query("SELECT 1", 1); }).portable_code(), errc::parameter_count);
  EXPECT_EQ(caught([&] { db.query("SELECT $1, $1, $1", 1, 2); }).portable_code(), errc::parameter_count);
  EXPECT_EQ(db.get<int>("SELECT $1 + $1", 2), 4) << "one placeholder used twice is one parameter";
}

TEST(sqlite_parameters, have_no_names) {
  const database db;
  for (const auto text : {"SELECT :name", "SELECT @name", "SELECT $name", "SELECT $0", "SELECT $01"}) {
    EXPECT_EQ(caught([&] { db.query(text, 1); }).portable_code(), errc::invalid_argument) << text;
  }
  EXPECT_THAT(caught([&] { db.query("SELECT $1::text", 1); }).what(), HasSubstr("CAST"));
  EXPECT_THAT(caught([&] { db.query("SELECT $1, ?", 1, 2); }).what(), HasSubstr("mixes"));
}

TEST(sqlite_statements, come_one_at_a_time) {
  const database db;
  const auto problem = caught([&] { db.query("CREATE TABLE a(x); CREATE TABLE b(x)"); });
  EXPECT_EQ(problem.portable_code(), errc::invalid_argument);
  EXPECT_THAT(problem.what(), HasSubstr("execute_script"));
  EXPECT_EQ(db.get<int>("SELECT count(*) FROM sqlite_schema"), 0) << "the first one has not run either";
  EXPECT_EQ(db.get<int>("SELECT 1; ; -- the end\n /* really */ "), 1);
  EXPECT_EQ(caught([&] { db.query(" -- nothing"); }).portable_code(), errc::syntax_error);
  EXPECT_EQ(caught([&] { db.query(std::string_view("SELECT 1\0, 2", 12)); }).portable_code(), errc::syntax_error);
}

TEST(sqlite_statements, count_what_they_changed) {
  const database db;
  EXPECT_EQ(db.query("CREATE TABLE t(id INTEGER PRIMARY KEY, a UNIQUE)").affected_rows(), 0U);
  const auto inserted = db.query("INSERT INTO t(a) VALUES (1), (2), (3)");
  EXPECT_EQ(inserted.affected_rows(), 3U);
  EXPECT_EQ(inserted.last_insert_id(), 3);
  EXPECT_EQ(db.query("SELECT * FROM t WHERE a > 1").affected_rows(), 2U);
  EXPECT_EQ(db.query("SELECT * FROM t").last_insert_id(), 0);
  EXPECT_EQ(db.query("UPDATE t SET a = a + 10 WHERE a = 3").affected_rows(), 1U);
  EXPECT_EQ(db.query("CREATE INDEX i ON t(a)").affected_rows(), 0U) << "not the count of the UPDATE";
  const auto ignored = db.query("INSERT OR IGNORE INTO t(a) VALUES (1)");
  EXPECT_EQ(ignored.affected_rows(), 0U);
  EXPECT_EQ(ignored.last_insert_id(), 0);
  EXPECT_EQ(db.get<int>("SELECT last_insert_rowid()"), 3);
  const auto returned = db.query("INSERT INTO t(a) VALUES (7), (8) RETURNING id, a");
  EXPECT_EQ(returned.size(), 2U);
  EXPECT_EQ(returned.affected_rows(), 2U);
  EXPECT_EQ(returned[1].get<int>("id"), 5);
  EXPECT_EQ(db.query("DELETE FROM t").affected_rows(), 5U);
  EXPECT_EQ(db.query("WITH n(a) AS (VALUES (20), (21)) INSERT INTO t(a) SELECT a FROM n").affected_rows(), 2U);
}

TEST(sqlite_script, runs_to_the_first_error) {
  const database db;
  db.script("CREATE TABLE t(a); -- one\n INSERT INTO t VALUES ('x;y');;\n INSERT INTO t VALUES (2) ; ");
  EXPECT_EQ(db.get<int>("SELECT count(*) FROM t"), 2);
  EXPECT_EQ(
      caught([&] { db.script("INSERT INTO t VALUES (3); INSERT INTO u VALUES (4); DELETE FROM t"); }).portable_code(),
      errc::undefined_object);
  EXPECT_EQ(db.get<int>("SELECT count(*) FROM t"), 3);
  EXPECT_EQ(caught([&] { db.script("INSERT INTO t VALUES ($1)"); }).portable_code(), errc::parameter_count);
  db.script("");
  db.script("CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET a = 0; DELETE FROM t WHERE a = 1; END; SELECT 1;");
}

int prepared_statements(const database& db) {
  int count = 0;
  for (auto* each = sqlite3_next_stmt(db.handle(), nullptr); each; each = sqlite3_next_stmt(db.handle(), each)) ++count;
  return count;
}

std::string texts(const database& db) {
  std::string out;
  for (auto* each = sqlite3_next_stmt(db.handle(), nullptr); each; each = sqlite3_next_stmt(db.handle(), each)) {
    out = std::string(sqlite3_sql(each)) + ";" + out;
  }
  return out;
}

TEST(sqlite_statement_cache, drops_the_least_recently_used) {
  auto where = database::endpoint_of(":memory:");
  where.statement_cache = 2;
  const database db(where);
  db.query("SELECT 1");
  db.query("SELECT 2");
  db.query("SELECT 1");
  db.query("SELECT 3");
  EXPECT_EQ(texts(db), "SELECT 1;SELECT 3;");
  db.query("SELECT 2");
  EXPECT_EQ(texts(db), "SELECT 3;SELECT 2;");
}

TEST(sqlite_statement_cache, prepares_once) {
  const database db;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(db.get<int>("SELECT $1", i), i);
  EXPECT_EQ(prepared_statements(db), 1);
  db.query("CREATE TABLE t(a)");
  EXPECT_EQ(prepared_statements(db), 1) << "what changes the schema is not kept";
}

TEST(sqlite_statement_cache, can_be_off) {
  auto where = database::endpoint_of(":memory:");
  where.statement_cache = 0;
  const database db(where);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(db.get<int>("SELECT $1", i), i);
  EXPECT_EQ(prepared_statements(db), 0);
}

TEST(sqlite_statement_cache, never_drops_what_a_cursor_reads) {
  auto where = database::endpoint_of(":memory:");
  where.statement_cache = 1;
  const database db(where);
  db.script("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)");
  const auto reading = db.open("SELECT a FROM t");
  EXPECT_EQ(db.query("SELECT a FROM t").size(), 2U) << "the same text, while the cursor has it";
  EXPECT_EQ(db.get<int>("SELECT 5"), 5);
  const auto block = run(reading->next());
  ASSERT_EQ(block->rows(), 2U);
  EXPECT_EQ(block->at(1, 0).get<int>(), 2);
}

TEST(sqlite_statement_cache, keeps_no_parameters) {
  const database db;
  {
    const std::string gone = "a text of some length that goes away";
    db.query("SELECT $1", text_view{gone});
  }
  auto* statement = sqlite3_next_stmt(db.handle(), nullptr);
  ASSERT_TRUE(statement);
  ASSERT_EQ(sqlite3_step(statement), SQLITE_ROW);
  EXPECT_EQ(sqlite3_column_type(statement, 0), SQLITE_NULL);
  sqlite3_reset(statement);
}

TEST(sqlite_schema_change, shows_a_new_column_at_once) {
  const temporary_folder folder;
  const database db(folder.file());
  const database other(folder.file());
  db.script("CREATE TABLE t(a INTEGER); INSERT INTO t VALUES (1)");
  const auto before = db.query("SELECT * FROM t");
  EXPECT_EQ(before.columns().size(), 1U);
  db.query("ALTER TABLE t ADD COLUMN b TEXT DEFAULT 'new'");
  const auto after = db.query("SELECT * FROM t");
  ASSERT_EQ(after.columns().size(), 2U);
  EXPECT_EQ(after.front().get<std::string>("b"), "new");
  EXPECT_EQ(before.columns().size(), 1U) << "an old result keeps its columns";
  other.query("ALTER TABLE t ADD COLUMN c BOOLEAN DEFAULT 1");
  const auto elsewhere = db.query("SELECT * FROM t");
  ASSERT_EQ(elsewhere.columns().size(), 3U);
  EXPECT_EQ(elsewhere.columns()[2].type, data_type::boolean);
  EXPECT_TRUE(elsewhere.front().get<bool>("c"));
  other.query("ALTER TABLE t DROP COLUMN b");
  const auto cursor = db.open("SELECT * FROM t");
  EXPECT_EQ(cursor->columns()->size(), 2U);
  EXPECT_EQ(db.query("SELECT * FROM t").columns().size(), 2U);
}

}  // namespace
}  // namespace polypool::sqlite
