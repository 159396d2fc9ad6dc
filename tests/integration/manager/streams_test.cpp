// SPDX-License-Identifier: Apache-2.0
// Rows as they are asked for.
#include "support/memory.hpp"
#include "support/whole_stack.hpp"

namespace polypool::test {
namespace {

using manager_streams = manager_test;

TEST_F(manager_streams, a_million_rows_in_constant_memory) {
  settings_.defaults.max_open_conns = 1;
  auto& mgr = make({postgres(), sqlite()});
  for (const std::string name : {"pg", "lite"}) {
    SCOPED_TRACE(name);
    auto db = mgr.sql(name);
    const std::string text = name == "pg"
                                 ? "SELECT g, repeat('x', 120) FROM generate_series(1, 1000000) g"
                                 : "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 1000000) "
                                   "SELECT i, printf('%0120d', i) FROM g";
    const auto before = resident_bytes();
    auto greatest = before;
    std::int64_t sum = 0;
    std::int64_t rows = 0;
    for (const auto row : db.with(call().timeout(60s)).stream(text)) {
      sum += row.get<std::int64_t>(0);
      if (++rows == 1000 && name == "pg") {
        // A slow consumer: the server waits for it.
        EXPECT_TRUE(wait_until([&] {
          return admin().value(
                     "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'ClientWrite' AND "
                     "application_name = '" +
                     playground_->name() + "'") == "1";
        }));
      }
      if (rows % 50'000 == 0) greatest = std::max(greatest, resident_bytes());
    }
    EXPECT_EQ(rows, 1'000'000);
    EXPECT_EQ(sum, 500'000'500'000);
    if (memory_is_ours) {
      EXPECT_LT(greatest - before, 32'000'000);
    }
    EXPECT_EQ(mgr.get(name).statistics().pool.in_use, 0u);
  }
  EXPECT_TRUE(sessions_become(1));
}

TEST_F(manager_streams, given_up_early) {
  settings_.defaults.max_open_conns = 1;
  auto& mgr = make({postgres(), sqlite()});
  mgr.sql("lite").execute_script(
      "CREATE TABLE t (x int); WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 100000) "
      "INSERT INTO t SELECT i FROM g");
  mgr.sql("pg").execute_script("CREATE TABLE t (x int); INSERT INTO t SELECT generate_series(1, 100000)");
  for (const std::string name : {"pg", "lite"}) {
    SCOPED_TRACE(name);
    auto db = mgr.sql(name);
    for (int i = 0; i < 12; ++i) {
      auto rows = db.stream("SELECT x, $1 FROM t ORDER BY x", i);
      EXPECT_EQ(rows.columns().size(), 2u);
      for (int k = 0; k < i; ++k) EXPECT_EQ(rows.next()->get<int>(0), k + 1);
      if (i % 2 == 0) {
        rows.close();
        rows.close();
        EXPECT_FALSE(rows.next());
      }
    }
    EXPECT_EQ(db.query_value<int>("SELECT count(*) FROM t"), 100'000);
    EXPECT_EQ(mgr.get(name).statistics().pool.opened, 1u) << "a session was thrown away";
  }
  EXPECT_EQ(running(), 0);
  EXPECT_TRUE(sessions_become(1));
}

TEST_F(manager_streams, in_a_transaction) {
  auto& mgr = make({postgres(), sqlite()});
  for (const std::string name : {"pg", "lite"}) {
    SCOPED_TRACE(name);
    auto db = mgr.sql(name);
    db.execute_script("CREATE TABLE t (x int); INSERT INTO t VALUES (1), (2), (3)");
    auto tx = db.begin();
    tx.execute("INSERT INTO t VALUES (4)");
    {
      auto rows = tx.stream_with("SELECT a.x FROM t a, t b, t c, t d, t e, t f ORDER BY 1", {});
      EXPECT_EQ(rows.next()->get<int>(0), 1);
    }  // given up; the transaction lives
    tx.execute("INSERT INTO t VALUES (5)");
    auto rows = tx.stream_with("SELECT a.x FROM t a, t b, t c, t d, t e, t f ORDER BY 1", {});
    EXPECT_TRUE(rows.next());
    tx.commit();  // while it is open
    EXPECT_EQ(error_of([&] {
                while (rows.next()) continue;
              }).portable_code(),
              errc::invalid_argument);
    EXPECT_EQ(db.query_value<int>("SELECT count(*) FROM t"), 5);
  }
}

TEST_F(manager_streams, outliving_its_transaction) {
  auto& mgr = make({postgres(), sqlite()});
  for (const std::string name : {"pg", "lite"}) {
    SCOPED_TRACE(name);
    auto db = mgr.sql(name);
    db.execute("CREATE TABLE t (x int)");
    std::vector<value> many;
    auto rows = [&] {
      auto tx = db.begin();
      tx.execute("INSERT INTO t VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)");
      auto open = tx.stream_with("SELECT a.x, 'some text to fill a block' FROM t a, t b, t c, t d, t e", {});
      EXPECT_TRUE(open.next());
      return open;
    }();
    EXPECT_EQ(rows.columns().size(), 2u);
    const auto problem = error_of([&] {
      while (rows.next()) continue;
    });
    EXPECT_EQ(problem.portable_code(), errc::invalid_argument) << problem.what();
    EXPECT_EQ(db.query_value<int>("SELECT count(*) FROM t"), 0);
  }
}

TEST_F(manager_streams, an_error_in_the_middle) {
  settings_.defaults.max_open_conns = 1;
  auto db = make({postgres()}).sql("pg");
  auto rows = db.stream("SELECT 1 / (50000 - g) FROM generate_series(1, 100000) g");
  EXPECT_EQ(error_of([&] {
              while (rows.next()) continue;
            }).portable_code(),
            errc::invalid_value);
  EXPECT_FALSE(rows.next());
  EXPECT_EQ(db.query_value<int>("SELECT 1"), 1);
  EXPECT_TRUE(sessions_become(1));
}

TEST_F(manager_streams, changes_are_counted) {
  auto& mgr = make({postgres(), sqlite()});
  for (const std::string name : {"pg", "lite"}) {
    SCOPED_TRACE(name);
    auto db = mgr.sql(name);
    db.execute("CREATE TABLE t (x int)");
    auto rows = db.stream("INSERT INTO t VALUES (1), (2) RETURNING x");
    EXPECT_TRUE(rows.next());
    EXPECT_TRUE(rows.next());
    EXPECT_FALSE(rows.next());
    EXPECT_EQ(rows.affected_rows(), 2u);
  }
}

}  // namespace
}  // namespace polypool::test
