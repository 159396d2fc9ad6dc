// SPDX-License-Identifier: Apache-2.0
// Many callers on one connection at once: threads and tasks together.
#pragma once

#include <polypool/asio.hpp>
#include <polypool/manager.hpp>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace polypool::test {

inline task<void> count_up(sql_database db, int rounds, std::atomic<int>& done) {
  for (int i = 0; i < rounds; ++i) {
    task<transaction> beginning = db.async_begin();
    transaction tx = co_await std::move(beginning);
    task<std::uint64_t> adding = tx.async_execute("UPDATE counter SET x = x + $1", 1);
    co_await std::move(adding);
    task<void> committing = tx.async_commit();
    co_await std::move(committing);
    ++done;
  }
}

/// Three threads that block and a hundred tasks on one event loop count in one table, each in transactions of its own:
/// not one step may be lost.
inline void three_threads_and_a_hundred_tasks(const sql_database& db) {
  constexpr int thread_rounds = 20;
  constexpr int tasks = 100;
  std::atomic<int> done = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&db, &done] {
        sql_database mine = db;
        for (int round = 0; round < thread_rounds; ++round) {
          auto tx = mine.begin();
          tx.execute("UPDATE counter SET x = x + $1", 1);
          tx.commit();
          ++done;
        }
      });
    }
    boost::asio::io_context loop;
    for (int i = 0; i < tasks; ++i) {
      spawn(loop.get_executor(), count_up(db, 1, done), [](std::exception_ptr problem) {
        if (problem) std::rethrow_exception(problem);
      });
    }
    EXPECT_NO_THROW(loop.run());
  }
  EXPECT_EQ(done, 3 * thread_rounds + tasks);
  sql_database asking = db;
  EXPECT_EQ(asking.query_value<int>("SELECT x FROM counter"), 3 * thread_rounds + tasks);
}

}  // namespace polypool::test
