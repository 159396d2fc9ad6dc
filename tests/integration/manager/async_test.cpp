// SPDX-License-Identifier: Apache-2.0
// Tasks on an event loop, alone and together with threads.
#include "support/whole_stack.hpp"

#include <polypool/asio.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <thread>

namespace polypool::test {
namespace {

using manager_async = manager_test;

task<int> visit(sql_database db, int number) {
  task<transaction> beginning = db.async_begin();
  transaction tx = co_await std::move(beginning);
  task<std::uint64_t> inserting = tx.async_execute("INSERT INTO visits VALUES ($1)", number);
  co_await std::move(inserting);
  task<void> committing = tx.async_commit();
  co_await std::move(committing);
  task<int> asking = db.async_query_value<int>("SELECT x FROM visits WHERE x = $1", number);
  co_return co_await std::move(asking);
}

task<std::int64_t> add_up(sql_database db) {
  task<row_stream> opening = db.async_stream("SELECT generate_series(1, 20000)");
  row_stream rows = co_await std::move(opening);
  std::int64_t sum = 0;
  for (;;) {
    task<std::optional<row>> fetching = rows.async_next();
    const std::optional<row> found = co_await std::move(fetching);
    if (!found) break;
    sum += found->get<int>(0);
  }
  co_return sum;
}

TEST_F(manager_async, every_call_from_one_event_loop) {
  auto& mgr = make({postgres(), sqlite()});
  boost::asio::io_context loop;
  const auto now = [&]<class T>(task<T> work) {
    auto future = spawn(loop.get_executor(), std::move(work), boost::asio::use_future);
    loop.restart();
    loop.run();
    return future.get();
  };
  EXPECT_EQ(now(mgr.async_connect()).connected.size(), 2u);
  for (const std::string name : {"pg", "lite"}) {
    auto db = mgr.sql(name);
    now(db.async_execute_script("CREATE TABLE visits (x int)"));
    EXPECT_EQ(now(visit(db, 7)), 7);
    EXPECT_EQ(error_of([&] { now(db.async_query("SELECT * FROM no_such_table")); }).portable_code(),
              errc::undefined_object);
    EXPECT_EQ(error_of([&] { now(db.async_query("SELECT $1")); }).portable_code(), errc::parameter_count);
    EXPECT_EQ(now(db.async_query_value<int>("SELECT count(*) FROM visits")), 1);
  }
  EXPECT_EQ(now(add_up(mgr.sql("pg"))), 200'010'000);
  EXPECT_EQ(now(mgr.async_health_check()).count(health_status::healthy), 2u);
  EXPECT_TRUE(sessions_become(1));
  const stopwatch watch;
  EXPECT_EQ(
      error_of([&] { now(with_timeout(100ms, mgr.sql("pg").async_query("SELECT pg_sleep(60)"))); }).portable_code(),
      errc::deadline_exceeded);
  EXPECT_LT(watch.elapsed(), 10s);
  EXPECT_TRUE(wait_until([&] { return running() == 0; }));
  now(mgr.async_remove("lite"));
  now(mgr.async_close(1s, 2s));
  EXPECT_TRUE(sessions_become(0));
}

TEST_F(manager_async, two_hundred_tasks_and_four_threads_at_once) {
  settings_.defaults.max_open_conns = 6;
  settings_.defaults.max_idle_conns = 6;
  auto& mgr = make({postgres()});
  auto db = mgr.sql("pg");
  db.execute("CREATE TABLE visits (x int PRIMARY KEY)");
  boost::asio::io_context loop;
  std::atomic<int> done = 0;
  for (int i = 0; i < 200; ++i) {
    spawn(loop.get_executor(), visit(db, i), [&done, i](std::exception_ptr failure, int got) {
      EXPECT_FALSE(failure);
      EXPECT_EQ(got, i);
      ++done;
    });
  }
  {
    std::vector<std::jthread> threads;
    threads.emplace_back([&] { loop.run(); });
    threads.emplace_back([&] { loop.run(); });
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 50; ++i) {
          const int number = 1000 + t * 100 + i;
          db.transact([&](transaction& tx) { tx.execute("INSERT INTO visits VALUES ($1)", number); });
          EXPECT_EQ(db.query_value<int>("SELECT x FROM visits WHERE x = $1", number), number);
        }
      });
    }
    EXPECT_TRUE(wait_until([&] {
      EXPECT_LE(sessions(), 6);
      return done == 200;
    }));
  }
  EXPECT_EQ(db.query_value<int>("SELECT count(*) FROM visits"), 400);
  const auto numbers = mgr.get("pg").statistics();
  EXPECT_EQ(numbers.errors, 0u);
  EXPECT_EQ(numbers.pool.in_use, 0u);
  // One may be on its way still, which the pool counts before the server does.
  EXPECT_TRUE(
      wait_until([&] { return static_cast<std::uint32_t>(sessions()) == mgr.get("pg").statistics().pool.open; }));
}

TEST_F(manager_async, dropped_in_the_middle) {
  settings_.defaults.max_open_conns = 2;
  auto& mgr = make({postgres()});
  auto db = mgr.sql("pg");
  {
    boost::asio::io_context loop;
    for (int i = 0; i < 5; ++i) {  // two at work, three waiting
      spawn(loop.get_executor(), db.async_query("SELECT pg_sleep(60)"), [](std::exception_ptr, const result&) {});
    }
    EXPECT_TRUE(wait_until([&] {
      loop.poll();
      return running() == 2;
    }));
  }
  EXPECT_TRUE(wait_until([&] { return running() == 0; })) << "a dropped task's statement runs on";
  EXPECT_EQ(db.query_value<int>("SELECT 1"), 1);
  EXPECT_EQ(mgr.get("pg").statistics().pool.waiting, 0u);
  EXPECT_LE(sessions(), 2);
}

}  // namespace
}  // namespace polypool::test
