// SPDX-License-Identifier: Apache-2.0
// ODBC the whole way: configuration, manager, pool.
#include "fixture.hpp"
#include "support/shared_work.hpp"

#include <thread>

namespace polypool::test {
namespace {

class odbc_manager : public postgres_test {
 protected:
  void SetUp() override {
    if (const auto reason = why_no_library("psqlodbcw.so"); !reason.empty()) GTEST_SKIP() << reason;
    postgres_test::SetUp();
  }
  static std::unique_ptr<manager> manager_of(const endpoint& where, std::uint32_t sessions) {
    config::settings settings;
    config::connection one;
    one.name = "pg";
    one.type = config::database_type::odbc;
    one.where = where;
    one.overrides.max_open_conns = sessions;
    one.overrides.retry_attempts = 1;
    settings.connections.push_back(std::move(one));
    manager_options options;
    options.drivers.push_back(odbc::make_driver());
    return std::make_unique<manager>(std::move(settings), std::move(options));
  }
};

TEST_F(odbc_manager, three_threads_and_a_hundred_tasks_share_one_connection) {
  const auto mgr = manager_of(over_psqlodbc(playground_->endpoint()), 4);
  mgr->sql("pg").execute_script("CREATE TABLE counter (x int); INSERT INTO counter VALUES (0)");
  three_threads_and_a_hundred_tasks(mgr->sql("pg"));
  EXPECT_LE(playground_->sessions(), 4);
}

TEST_F(odbc_manager, transactions_savepoints_and_streams) {
  const auto mgr = manager_of(over_psqlodbc(playground_->endpoint()), 2);
  auto db = mgr->sql("pg");
  db.execute("CREATE TABLE t (x int)");
  auto tx = db.begin();
  tx.execute("INSERT INTO t VALUES ($1)", 1);
  {
    auto undone = tx.savepoint();
    tx.execute("INSERT INTO t VALUES ($1)", 2);
  }
  try {
    auto failed = tx.savepoint();
    tx.execute("INSERT INTO nowhere VALUES ($1)", 3);
    FAIL() << "there is no such table";
  } catch (const error& problem) {
    EXPECT_EQ(problem.portable_code(), errc::undefined_object);
  }
  {
    auto kept = tx.savepoint();
    tx.execute("INSERT INTO t VALUES ($1)", 4);
    kept.commit();
  }
  tx.commit();
  EXPECT_EQ(db.query_column<int>("SELECT x FROM t ORDER BY x"), (std::vector<int>{1, 4}));
  std::size_t rows = 0;
  for (auto row : db.stream("SELECT g FROM generate_series(1, 5000) g")) rows += row.get<int>(0) > 0 ? 1 : 0;
  EXPECT_EQ(rows, 5000u);
  {
    auto left_early = db.stream("SELECT g FROM generate_series(1, 1000000) g");
  }
  EXPECT_EQ(db.query_value<int>("SELECT 7"), 7);
}

// One session waits for a lock while another one gives it back: neither ODBC's driver manager nor the driver may make
// the second wait for the first.
TEST_F(odbc_manager, sessions_do_not_wait_for_each_other) {
  runner go(way::blocking);
  const auto shared = odbc::make_driver();
  const auto where = over_psqlodbc(playground_->endpoint());
  sql_client holder(go, *shared, where);
  holder.query("SELECT pg_advisory_lock(4712)");
  std::jthread waiting([&] {
    runner mine(way::blocking);
    sql_client waiter(mine, *shared, where);
    waiter.query("SELECT pg_advisory_lock(4712)");
  });
  EXPECT_TRUE(wait_until([&] {
    return playground_->admin().value(
               "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4712 AND "
               "NOT granted") == "1";
  }));
  EXPECT_EQ(holder.text("SELECT pg_advisory_unlock(4712)"), "1");
  waiting.join();
}

// A pool backs off when the server has no room, says so, and goes on as soon as there is.
TEST_F(odbc_manager, a_server_without_room) {
  const std::string role = playground_->name() + "_two";
  playground_->admin().execute("CREATE ROLE " + role + " LOGIN PASSWORD 'two-only' CONNECTION LIMIT 1");
  auto where = over_psqlodbc(playground_->endpoint());
  where.schema.clear();
  where.user = role;
  where.password = "two-only";
  {
    runner go(way::blocking);
    auto other = std::make_unique<odbc_client>(go, where);
    const auto mgr = manager_of(where, 4);
    try {
      mgr->sql("pg").with(call().timeout(300ms)).query("SELECT 1");
      ADD_FAILURE() << "there is no room";
    } catch (const error& problem) {
      EXPECT_NE(std::string(problem.what()).find("too many connections"), std::string::npos) << problem.what();
    }
    other->close();
    EXPECT_TRUE(wait_until([&] {
      try {
        return mgr->sql("pg").with(call().timeout(2s)).query_value<int>("SELECT 7") == 7;
      } catch (const error&) {
        return false;
      }
    }));
  }
  EXPECT_TRUE(playground_->sessions_become(0));
  playground_->admin().execute("DROP ROLE " + role);
}

}  // namespace
}  // namespace polypool::test
