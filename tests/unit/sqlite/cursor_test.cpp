// SPDX-License-Identifier: Apache-2.0
#include "sqlite_fixture.hpp"
#include "support/memory.hpp"

namespace polypool::sqlite {
namespace {

constexpr std::string_view numbers =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT i, 'row number ' || i "
    "FROM n";

TEST(sqlite_cursor, streams_a_million_rows_in_constant_memory) {
  const database db;
  const auto reading = db.open(numbers);
  EXPECT_EQ(reading->columns()->size(), 2U);
  std::int64_t expected = 1;
  long most = 0;
  const auto before = test::resident_bytes();
  while (const auto block = run(reading->next())) {
    ASSERT_LE(block->rows(), 256U);
    for (std::size_t i = 0; i < block->rows(); ++i) ASSERT_EQ(block->at(i, 0).get<std::int64_t>(), expected++);
    most = std::max(most, test::resident_bytes());
  }
  EXPECT_EQ(expected, 1'000'001);
  EXPECT_EQ(reading->affected_rows(), 1'000'000U);
  EXPECT_FALSE(run(reading->next()));
  EXPECT_FALSE(db.session().dirty());
  if (test::memory_is_ours) {
    EXPECT_LT(most, before + 8 * 1024 * 1024);
  }
}

TEST(sqlite_cursor, gives_large_values_alone) {
  const database db;
  const auto reading = db.open("SELECT zeroblob(1000000) FROM (VALUES (1), (2), (3))");
  for (int i = 0; i < 3; ++i) {
    const auto block = run(reading->next());
    ASSERT_TRUE(block);
    EXPECT_EQ(block->rows(), 1U);
  }
  EXPECT_FALSE(run(reading->next()));
}

TEST(sqlite_cursor, destroyed_early_frees_its_locks) {
  const temporary_folder folder;
  const database db(folder.file(), {{"journal_mode", "delete"}, {"busy_timeout", "0"}});
  const database other(folder.file(), {{"journal_mode", "delete"}, {"busy_timeout", "0"}});
  db.script("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2), (3)");
  for (const bool finish : {false, true}) {
    auto reading = db.open("SELECT a FROM t");
    EXPECT_TRUE(db.session().dirty());
    EXPECT_EQ(caught([&] { other.query("DELETE FROM t WHERE a = 3"); }).portable_code(), errc::lock_timeout);
    if (finish) {
      run(reading->finish());
      EXPECT_FALSE(run(reading->next()));
    } else {
      reading.reset();
    }
    EXPECT_FALSE(db.session().dirty());
    EXPECT_EQ(other.query("UPDATE t SET a = a").affected_rows(), 3U);
  }
}

TEST(sqlite_cursor, keeps_its_parameters) {
  const database db;
  std::unique_ptr<cursor> reading;
  {
    const std::string gone = "a text of some length that goes away before it is read";
    const std::array<value, 1> parameters{value(text_view{gone})};
    reading = run(db.session().open(statement("SELECT $1 FROM (VALUES (1), (2))", parameters)));
  }
  const auto block = run(reading->next());
  ASSERT_EQ(block->rows(), 2U);
  EXPECT_EQ(block->at(1, 0).get<std::string>(), "a text of some length that goes away before it is read");
}

TEST(sqlite_cursor, counts_changes_and_tells_errors_at_once) {
  const database db;
  db.query("CREATE TABLE t(a UNIQUE)");
  const auto inserting = db.open("INSERT INTO t VALUES (1), (2) RETURNING a");
  EXPECT_EQ(run(inserting->next())->rows(), 2U);
  EXPECT_FALSE(run(inserting->next()));
  EXPECT_EQ(inserting->affected_rows(), 2U);
  EXPECT_EQ(caught([&] { db.open("INSERT INTO t VALUES (1)"); }).portable_code(), errc::unique_violation);
  const auto silent = db.open("DELETE FROM t");
  EXPECT_FALSE(run(silent->next()));
  EXPECT_EQ(silent->affected_rows(), 2U);
  EXPECT_FALSE(db.session().dirty());
}

TEST(sqlite_cursor, ends_at_a_reset_and_at_an_error) {
  const database db;
  const auto reading = db.open(numbers);
  db.reset();
  EXPECT_FALSE(db.session().dirty());
  EXPECT_EQ(caught([&] { run(reading->next()); }).portable_code(), errc::connection_closed);
  const auto failing = db.open("SELECT abs(-9223372036854775807 - a) FROM (SELECT 0 AS a UNION ALL SELECT 1)");
  EXPECT_EQ(caught([&] { run(failing->next()); }).portable_code(), errc::invalid_value);
  EXPECT_EQ(caught([&] { run(failing->next()); }).portable_code(), errc::connection_closed) << "not a quiet end";
  EXPECT_FALSE(db.session().dirty());
}

TEST(sqlite_cursor, obeys_the_deadline_of_each_fetch) {
  const database db;
  const auto reading =
      db.open("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i = 1 OR i < 0");
  EXPECT_EQ(caught([&] { run(reading->next(), until(std::chrono::milliseconds(20))); }).portable_code(),
            errc::deadline_exceeded);
  EXPECT_EQ(db.get<int>("SELECT 1"), 1);
  EXPECT_FALSE(db.session().dirty());
}

}  // namespace
}  // namespace polypool::sqlite
