// SPDX-License-Identifier: Apache-2.0
// Transactions, savepoints and streams, through a manager.
#include "fixture.hpp"

#include <stdexcept>

namespace polypool::test {
namespace {

class conformance_transactions : public conformance {
 protected:
  void SetUp() override {
    conformance::SetUp();
    if (place_) db(2).execute("CREATE TABLE t (a int PRIMARY KEY)");
  }
  int count() { return db().query_value<int>("SELECT count(*) FROM t"); }
};
POLYPOOL_EVERY_DATABASE(conformance_transactions);

TEST_P(conformance_transactions, commit_and_roll_back) {
  auto handle = db();
  {
    auto tx = handle.begin();
    EXPECT_EQ(tx.execute("INSERT INTO t VALUES ($1)", 1), 1u);
    EXPECT_EQ(tx.query_value<int>("SELECT count(*) FROM t"), 1);
    EXPECT_EQ(count(), 0) << "nobody else sees it";
    tx.commit();
    EXPECT_EQ(count(), 1);
    EXPECT_EQ(caught([&] { tx.query("SELECT 1"); }).portable_code(), errc::invalid_argument) << "it is over";
  }
  {
    auto tx = handle.begin();
    tx.execute("INSERT INTO t VALUES (2)");
    tx.rollback();
  }
  {
    handle.begin().execute("INSERT INTO t VALUES (3)");
  }  // forgotten
  EXPECT_EQ(count(), 1);
  handle.transact([](transaction& tx) { tx.execute("INSERT INTO t VALUES (4)"); });
  EXPECT_THROW(handle.transact([](transaction& tx) {
    tx.execute("INSERT INTO t VALUES (5)");
    throw std::runtime_error("changed my mind");
  }),
               std::runtime_error);
  EXPECT_EQ(handle.query_column<int>("SELECT a FROM t ORDER BY a"), (std::vector<int>{1, 4}));
}

TEST_P(conformance_transactions, savepoints) {
  auto handle = db();
  auto tx = handle.begin();
  tx.execute("INSERT INTO t VALUES (1)");
  {
    auto kept = tx.savepoint();
    tx.execute("INSERT INTO t VALUES (2)");
    {
      auto undone = tx.savepoint();
      tx.execute("INSERT INTO t VALUES (3)");
      EXPECT_EQ(tx.depth(), 2u);
      undone.rollback();
    }
    kept.commit();
  }
  {
    const auto forgotten = tx.savepoint();
    tx.execute("INSERT INTO t VALUES (4)");
  }
  tx.execute("INSERT INTO t VALUES (5)");
  tx.commit();
  EXPECT_EQ(handle.query_column<int>("SELECT a FROM t ORDER BY a"), (std::vector<int>{1, 2, 5}));
}

TEST_P(conformance_transactions, a_savepoint_saves_from_an_error) {
  auto handle = db();
  auto tx = handle.begin();
  tx.execute("INSERT INTO t VALUES (1)");
  {
    auto risky = tx.savepoint();
    EXPECT_EQ(caught([&] { tx.execute("INSERT INTO t VALUES (1)"); }).portable_code(), errc::unique_violation);
    risky.rollback();
  }
  tx.execute("INSERT INTO t VALUES (2)");
  tx.commit();
  EXPECT_EQ(count(), 2);
}

TEST_P(conformance_transactions, errors_in_them) {
  auto handle = db();
  {
    auto tx = handle.begin();
    tx.execute("INSERT INTO t VALUES (1)");
    EXPECT_EQ(caught([&] { tx.query("SELECT * FROM missing"); }).portable_code(), errc::undefined_object);
    if (GetParam().errors_end_transactions) {
      EXPECT_EQ(caught([&] { tx.query("SELECT 1"); }).portable_code(), errc::transaction_aborted);
      EXPECT_EQ(caught([&] { tx.commit(); }).portable_code(), errc::transaction_aborted);
    } else {
      EXPECT_EQ(tx.query_value<int>("SELECT count(*) FROM t"), 1);
      tx.rollback();
    }
  }
  EXPECT_EQ(count(), 0);
}

TEST_P(conformance_transactions, read_only_ones) {
  if (!GetParam().read_only_transactions) GTEST_SKIP() << "it has none";
  auto handle = db();
  auto tx = handle.begin({isolation::server_default, true});
  EXPECT_EQ(tx.query_value<int>("SELECT count(*) FROM t"), 0);
  const auto refused = caught([&] { tx.execute("INSERT INTO t VALUES (1)"); });
  EXPECT_EQ(refused.portable_code(), errc::read_only) << refused.what();
  EXPECT_FALSE(refused.poisons_session());
  tx.rollback();
  handle.execute("INSERT INTO t VALUES (1)");
  EXPECT_EQ(count(), 1) << "it was for that transaction only";
}

TEST_P(conformance_transactions, isolation_levels) {
  auto handle = db();
  for (const auto level : {isolation::server_default, isolation::read_uncommitted, isolation::read_committed,
                           isolation::repeatable_read, isolation::serializable}) {
    auto tx = handle.begin({level, false});
    tx.execute("DELETE FROM t");
    tx.execute("INSERT INTO t VALUES (1)");
    tx.commit();
    EXPECT_EQ(count(), 1);
  }
  auto tx = handle.begin({isolation::repeatable_read, true});
  EXPECT_EQ(tx.query_value<int>("SELECT count(*) FROM t"), 1);
  handle.execute("INSERT INTO t VALUES (2)");
  EXPECT_EQ(tx.query_value<int>("SELECT count(*) FROM t"), 1) << "it sees what it has seen";
  tx.commit();
  EXPECT_EQ(count(), 2);
}

class conformance_streams : public conformance {};
POLYPOOL_EVERY_DATABASE(conformance_streams);

TEST_P(conformance_streams, give_all_rows_in_their_order) {
  auto handle = db();
  int expected = 0;
  for (const auto row : handle.stream("SELECT n FROM " + GetParam().series(20000) + " ORDER BY n")) {
    ASSERT_EQ(row.get<int>("n"), ++expected);
  }
  EXPECT_EQ(expected, 20000);
  EXPECT_EQ(mgr().get("db").statistics().pool.in_use, 0u) << "its session is back";
  auto none = handle.stream("SELECT n FROM " + GetParam().series(5) + " WHERE n > $1", 5);
  EXPECT_EQ(none.columns().size(), 1u);
  EXPECT_EQ(none.next(), std::nullopt);
  EXPECT_EQ(none.next(), std::nullopt);
}

TEST_P(conformance_streams, may_be_given_up_early) {
  auto handle = db();
  const auto id = session_id();
  const std::string text = "SELECT n, '" + std::string(200, 'x') + "' AS padding FROM " + GetParam().series(200000);
  for (int i = 0; i < 3; ++i) {
    {
      auto rows = handle.stream(text);
      EXPECT_TRUE(rows.next());
      if (i == 0) rows.close();
    }
    EXPECT_EQ(handle.query_value<int>("SELECT count(*) FROM " + GetParam().series(3)), 3);
  }
  EXPECT_EQ(session_id(), id) << "it is the same session";
}

TEST_P(conformance_streams, in_transactions) {
  auto handle = db();
  handle.execute("CREATE TABLE t (a int PRIMARY KEY)");
  auto tx = handle.begin();
  tx.execute("INSERT INTO t VALUES (1)");
  {
    auto rows = tx.stream_with("SELECT n FROM " + GetParam().series(100000), {});
    EXPECT_TRUE(rows.next());
  }  // given up
  tx.execute("INSERT INTO t VALUES (2)");
  tx.commit();
  EXPECT_EQ(handle.query_value<int>("SELECT count(*) FROM t"), 2);
}

TEST_P(conformance_streams, of_statements_that_change_something) {
  auto handle = db();
  handle.execute("CREATE TABLE t (a int PRIMARY KEY)");
  auto rows = handle.stream("INSERT INTO t VALUES ($1), ($2)", 1, 2);
  EXPECT_EQ(rows.columns().size(), 0u);
  EXPECT_EQ(rows.next(), std::nullopt);
  EXPECT_EQ(rows.affected_rows(), 2u);
  EXPECT_EQ(handle.query_value<int>("SELECT count(*) FROM t"), 2);
}

}  // namespace
}  // namespace polypool::test
