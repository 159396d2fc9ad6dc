// SPDX-License-Identifier: Apache-2.0
// Many threads and tasks at once, over few sessions.
#include "fixture.hpp"

#include <polypool/asio.hpp>

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <thread>
#include <vector>

namespace polypool::test {
namespace {

using conformance_many = conformance;
POLYPOOL_EVERY_DATABASE(conformance_many);

constexpr int threads = 3;
constexpr int tasks = 100;

task<void> work(sql_database db, int number, std::atomic<int>& done) {
  task<std::uint64_t> inserting = db.async_execute("INSERT INTO t VALUES ($1, $2)", number, std::to_string(number));
  EXPECT_EQ(co_await std::move(inserting), 1u);
  task<std::string> asking = db.async_query_value<std::string>("SELECT b FROM t WHERE a = $1", number);
  EXPECT_EQ(co_await std::move(asking), std::to_string(number));
  task<transaction> beginning = db.async_begin();
  transaction tx = co_await std::move(beginning);
  task<std::uint64_t> changing = tx.async_execute("UPDATE t SET b = $2 WHERE a = $1", number, "changed");
  EXPECT_EQ(co_await std::move(changing), 1u);
  task<void> ending = number % 2 == 0 ? tx.async_commit() : tx.async_rollback();
  co_await std::move(ending);
  ++done;
}

TEST_P(conformance_many, tasks_and_threads_share_a_connection) {
  auto handle = db(3);
  handle.execute("CREATE TABLE t (a int PRIMARY KEY, b varchar(20))");
  std::atomic<int> done = 0;
  std::atomic<int> blocking_done = 0;
  {
    boost::asio::io_context context;
    for (int i = 0; i < tasks; ++i) spawn(context.get_executor(), work(handle, i, done), boost::asio::detached);
    std::vector<std::jthread> running;
    for (int i = 0; i < threads; ++i) running.emplace_back([&context] { context.run(); });
    for (int i = 0; i < threads; ++i) {
      running.emplace_back([&, i] {
        for (int k = 0; k < 10; ++k) {
          handle.transact([&](transaction& tx) {
            tx.execute("INSERT INTO t VALUES ($1, 'thread')", 1000 + 10 * i + k);
            ++blocking_done;
          });
        }
      });
    }
  }
  EXPECT_EQ(done, tasks);
  EXPECT_EQ(blocking_done, 10 * threads);
  EXPECT_EQ(handle.query_value<int>("SELECT count(*) FROM t"), tasks + 10 * threads);
  EXPECT_EQ(handle.query_value<int>("SELECT count(*) FROM t WHERE b = 'changed'"), tasks / 2);
  EXPECT_LE(mgr().get("db").statistics().pool.opened, 3u);
}

// Calls that run into their deadline among calls that do not.
TEST_P(conformance_many, deadlines_among_them) {
  auto handle = db(3);
  std::atomic<int> late = 0;
  std::atomic<int> fine = 0;
  {
    std::vector<std::jthread> running;
    for (int i = 0; i < threads; ++i) {
      running.emplace_back([&, i] {
        for (int k = 0; k < 4; ++k) {
          if (k % 2 == i % 2) {
            try {
              auto slow = handle.with(call{}.timeout(20ms));
              slow.query(GetParam().slow);
            } catch (const error& problem) {
              // Opening a session may take longer than that, too, and drivers that block say so in their own words.
              const auto code = problem.portable_code();
              EXPECT_TRUE(code == errc::deadline_exceeded || code == errc::pool_timeout || code == errc::connect_failed)
                  << problem.what();
              ++late;
            }
          } else {
            EXPECT_EQ(handle.query("SELECT 7").front().get<int>(0), 7);
            ++fine;
          }
        }
      });
    }
  }
  EXPECT_EQ(late, 2 * threads);
  EXPECT_EQ(fine, 2 * threads);
  EXPECT_TRUE(wait_until([&] { return mgr().get("db").statistics().pool.in_use == 0; }));
}

}  // namespace
}  // namespace polypool::test
