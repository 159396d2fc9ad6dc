// SPDX-License-Identifier: Apache-2.0
// Rows as they are asked for.
#include "fixture.hpp"
#include "support/memory.hpp"

namespace polypool::test {
namespace {

class odbc_postgres_stream : public odbc_postgres_ways {
 protected:
  std::size_t read_all(cursor& rows) {
    std::size_t count = 0;
    while (const auto block = go_(rows.next())) count += block->rows();
    return count;
  }
};
POLYPOOL_BOTH_WAYS(odbc_postgres_stream);

TEST_P(odbc_postgres_stream, a_million_rows_in_constant_memory) {
  auto db = make_client();
  auto rows = db.open("SELECT g AS id, repeat('x', 200) AS filler FROM generate_series(1, 1000000) g");
  EXPECT_EQ(rows->columns()->size(), 2u);
  EXPECT_EQ((*rows->columns())[1].name, "filler");
  std::int64_t expected = 0;
  long before = 0;
  long most = 0;
  while (const auto block = go_(rows->next())) {
    ASSERT_GT(block->rows(), 0u);
    for (std::size_t i = 0; i < block->rows(); ++i) {
      ASSERT_EQ(block->at(i, 0).get<std::int64_t>(), ++expected);
      ASSERT_EQ(block->at(i, 1).get<std::string_view>().size(), 200u);
    }
    if (before == 0) before = test::resident_bytes();
    most = std::max(most, test::resident_bytes());
  }
  EXPECT_EQ(expected, 1'000'000);
  EXPECT_EQ(rows->affected_rows(), 1'000'000u);
  if (test::memory_is_ours) {
    EXPECT_LT(most - before, 16 * 1024 * 1024) << "of 220 MB";
  }
  EXPECT_EQ(go_(rows->next()), nullptr);
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(db.text("SELECT 1"), "1");
}

TEST_P(odbc_postgres_stream, small_empty_and_large) {
  auto db = make_client();
  auto none = db.open("SELECT 1 AS x WHERE false");
  EXPECT_EQ((*none->columns())[0].name, "x");
  EXPECT_EQ(go_(none->next()), nullptr);
  db.query("CREATE TABLE thing (x text)");
  auto insert = db.open("INSERT INTO thing SELECT repeat('y', 100000) FROM generate_series(1, 5)");
  EXPECT_EQ(insert->columns()->size(), 0u);
  EXPECT_EQ(go_(insert->next()), nullptr);
  EXPECT_EQ(insert->affected_rows(), 5u);
  auto large = db.open("SELECT x, NULL AS n FROM thing UNION ALL SELECT 'small', NULL", {});
  std::size_t count = 0;
  while (const auto block = go_(large->next())) {
    for (std::size_t i = 0; i < block->rows(); ++i, ++count) {
      const auto size = block->at(i, 0).get<std::string_view>().size();
      EXPECT_TRUE(size == 100000 || size == 5);
      EXPECT_TRUE(block->at(i, 1).is_null());
    }
  }
  EXPECT_EQ(count, 6u);
  EXPECT_EQ(read_all(*db.open("SELECT g FROM generate_series(1, $1) g", {value(777)})), 777u);
  EXPECT_EQ(read_all(*db.open("WITH w AS (SELECT generate_series(1, 3000) g) SELECT g FROM w")), 3000u);
  EXPECT_EQ(read_all(*db.open("VALUES (1), (2)")), 2u);
  EXPECT_EQ(read_all(*db.open("SHOW work_mem")), 1u);
  EXPECT_FALSE(db->dirty());
}

TEST_P(odbc_postgres_stream, errors_before_and_between_rows) {
  auto db = make_client();
  EXPECT_EQ(failure_of(go_, db.opening("SELEC")).portable_code(), errc::syntax_error);
  EXPECT_EQ(failure_of(go_, db.opening("SELECT $1::int")).portable_code(), errc::parameter_count);
  auto rows = db.open("SELECT 1 / (50000 - g) FROM generate_series(1, 100000) g");
  std::size_t seen = 0;
  const auto problem = [&] {
    try {
      while (const auto block = go_(rows->next())) seen += block->rows();
    } catch (const error& caught) {
      return caught;
    }
    return error(errc::internal_error, "nothing was thrown");
  }();
  EXPECT_EQ(problem.portable_code(), errc::invalid_value) << problem.what();
  EXPECT_EQ(problem.sqlstate(), "22012");
  EXPECT_GT(seen, 40'000u);
  EXPECT_EQ(go_(rows->next()), nullptr);
  EXPECT_EQ(db.text("SELECT 1"), "1");
}

TEST_P(odbc_postgres_stream, finished_early) {
  auto db = make_client();
  const auto backend = db.backend();
  auto rows = db.open("SELECT generate_series(1, 10000000) AS g");
  EXPECT_GT(go_(rows->next())->rows(), 0u);
  EXPECT_TRUE(db->dirty());
  go_(rows->finish());
  EXPECT_FALSE(db->dirty());
  EXPECT_TRUE(wait_until([&] { return state_of(backend) == "idle"; }));
  EXPECT_EQ(db.text("SELECT 1"), "1");
  go_(rows->finish());
  EXPECT_EQ(go_(rows->next()), nullptr);
}

TEST_P(odbc_postgres_stream, finished_early_in_a_transaction_keeps_the_transaction) {
  auto db = make_client();
  db.query("CREATE TABLE thing (x int)");
  db.query("BEGIN");
  db.query("INSERT INTO thing VALUES (1)");
  auto rows = db.open("SELECT g FROM generate_series(1, 300000) g");
  go_(rows->next());
  go_(rows->finish());
  EXPECT_EQ(db->transaction(), sql_session::transaction_state::active);
  db.query("COMMIT");
  EXPECT_EQ(db.text("SELECT count(*) FROM thing"), "1");
}

TEST_P(odbc_postgres_stream, dropped_early) {
  auto db = make_client();
  {
    auto rows = db.open("SELECT generate_series(1, 10000000) AS g");
    go_(rows->next());
  }
  EXPECT_TRUE(db->dirty());
  db.reset();
  EXPECT_FALSE(db->dirty());
  {
    auto rows = db.open("SELECT generate_series(1, 10000000) AS g");
    go_(rows->next());
  }
  EXPECT_EQ(db.text("SELECT 1"), "1") << "the next statement recovers, too";
}

TEST_P(odbc_postgres_stream, another_statement_ends_the_cursor) {
  auto db = make_client();
  auto rows = db.open("SELECT generate_series(1, 10000000) AS g");
  go_(rows->next());
  EXPECT_EQ(db.text("SELECT 1"), "1");
  EXPECT_EQ(failure_of(go_, rows->next()).portable_code(), errc::invalid_argument);
  EXPECT_EQ(db.text("SELECT 2"), "2");
}

TEST_P(odbc_postgres_stream, a_deadline_ends_the_cursor_and_not_the_session) {
  auto db = make_client();
  auto rows = db.open("SELECT g, CASE WHEN g > 5000 THEN pg_sleep(60) END FROM generate_series(1, 10000) g");
  const auto problem = [&] {
    try {
      while (go_(with_timeout(300ms, rows->next()))) continue;
    } catch (const error& caught) {
      return caught;
    }
    return error(errc::internal_error, "nothing was thrown");
  }();
  EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded) << problem.what();
  db.reset();
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(failure_of(go_, rows->next()).portable_code(), errc::invalid_argument) << "not the end of the rows";
  EXPECT_EQ(db.text("SELECT 2"), "2");
}

}  // namespace
}  // namespace polypool::test
