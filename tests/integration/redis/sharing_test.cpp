// SPDX-License-Identifier: Apache-2.0
// Many callers on few sessions: replies never shift, whoever gives up, is stopped or dropped.
#include "stack.hpp"

#include <polypool/asio.hpp>

#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <random>
#include <thread>

namespace polypool::test {
namespace {

/// Event loops on threads of their own.
class loops {
 public:
  explicit loops(int count) {
    for (int i = 0; i < count; ++i) {
      contexts_.push_back(std::make_unique<boost::asio::io_context>());
      guards_.emplace_back(contexts_.back()->get_executor());
    }
    for (auto& context : contexts_) threads_.emplace_back([&context] { context->run(); });
  }
  ~loops() { join(); }
  void join() {
    guards_.clear();
    threads_.clear();
  }
  boost::asio::io_context& operator[](std::size_t index) { return *contexts_[index]; }

 private:
  std::vector<std::unique_ptr<boost::asio::io_context>> contexts_;
  std::vector<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> guards_;
  std::vector<std::jthread> threads_;
};

/// What callers saw.
struct tally {
  std::atomic<int> right = 0;
  std::atomic<int> wrong = 0;
  std::atomic<int> late = 0;
  std::atomic<int> failed = 0;
  int done() const { return right + wrong + late + failed; }
  void count(const std::string& got, const std::string& wanted) { ++(got == wanted ? right : wrong); }
  void count(const error& problem) {
    const auto code = problem.portable_code();
    const bool given_up = code == errc::deadline_exceeded || code == errc::cancelled || code == errc::pool_timeout;
    ++(given_up ? late : failed);
    if (!given_up) ADD_FAILURE() << problem.what();
  }
};

// Asks for its own text again and again; each answer has to be its own.
task<void> echo(redis_database db, std::string name, int calls, unsigned seed, bool impatient, tally& seen) {
  std::minstd_rand random(seed);
  for (int i = 0; i < calls; ++i) {
    const std::string mine = name + ":" + std::to_string(i) + std::string(random() % 200, 'x');
    std::optional<error> failure;
    try {
      task<redis_reply> asking = db.async_command("ECHO", mine);
      if (impatient && random() % 3 == 0) {
        asking = with_timeout(std::chrono::microseconds(random() % 3000), std::move(asking));
      }
      const redis_reply answer = co_await std::move(asking);
      seen.count(answer.as<std::string>(), mine);
    } catch (const error& problem) {
      failure = problem;
    }
    if (failure) seen.count(*failure);
  }
}

void echo_blocking(redis_database db, const std::string& name, int calls, tally& seen) {
  for (int i = 0; i < calls; ++i) {
    const std::string mine = name + ":" + std::to_string(i);
    try {
      seen.count(db.command("ECHO", mine).as<std::string>(), mine);
    } catch (const error& problem) {
      seen.count(problem);
    }
  }
}

class redis_sharing_test : public redis_handle_test {
 protected:
  redis_database with_sessions(std::uint32_t count, std::uint16_t port = 0) {
    auto where = playground_->endpoint();
    if (port != 0) where.port = port;
    auto one = redis_connection("cache", where);
    one.overrides.max_open_conns = count;
    one.overrides.max_idle_conns = count;
    make({one});
    return db();
  }
};

// Three threads and a hundred tasks on two event loops.
TEST_F(redis_sharing_test, threads_and_tasks_at_once) {
  for (const std::uint32_t sessions_allowed : {1U, 3U}) {
    auto cache = with_sessions(sessions_allowed);
    tally seen;
    loops two(2);
    for (int i = 0; i < 100; ++i) {
      spawn(two[static_cast<std::size_t>(i % 2)].get_executor(),
            echo(cache, "task" + std::to_string(i), 30, static_cast<unsigned>(i), false, seen), boost::asio::detached);
    }
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&, i] { echo_blocking(cache, "thread" + std::to_string(i), 200, seen); });
      }
      EXPECT_TRUE(wait_until([&] {
        EXPECT_LE(sessions(), static_cast<int>(sessions_allowed));
        return seen.done() == 3600;
      }));
    }
    two.join();
    EXPECT_EQ(seen.right, 3600);
    const auto numbers = manager_->get_redis("cache").statistics();
    EXPECT_EQ(numbers.errors, 0u);
    EXPECT_EQ(numbers.pool.in_use, 0u) << "what is shared goes back when nobody uses it";
    EXPECT_LE(numbers.pool.open, sessions_allowed);
  }
}

// Threads share only as long as there are no sessions for each of them; also when those that are there lay idle.
TEST_F(redis_sharing_test, threads_get_a_session_each) {
  auto cache = with_sessions(6);
  const auto open_now = [&] { return manager_->get_redis("cache").statistics().pool.open; };
  for (int round = 0; round < 2; ++round) {
    std::atomic<bool> stop = false;
    tally seen;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        while (!stop) echo_blocking(cache, "thread" + std::to_string(i), 20, seen);
      });
    }
    EXPECT_TRUE(wait_until([&] { return open_now() >= 4; })) << open_now();
    stop = true;
    threads.clear();
    EXPECT_EQ(seen.right, seen.done());
    EXPECT_LE(open_now(), 6U);
    manager_->get_redis("cache").reconnect();
  }
}

// Random deadlines: whoever gets an answer gets his own.
TEST_F(redis_sharing_test, deadlines_never_shift_replies) {
  auto cache = with_sessions(3);
  tally seen;
  loops two(2);
  for (int i = 0; i < 60; ++i) {
    spawn(two[static_cast<std::size_t>(i % 2)].get_executor(),
          echo(cache, "task" + std::to_string(i), 40, static_cast<unsigned>(i + 1), true, seen), boost::asio::detached);
  }
  std::jthread thread([&] { echo_blocking(cache, "thread", 300, seen); });
  EXPECT_TRUE(wait_until([&] { return seen.done() == 60 * 40 + 300; }));
  thread.join();
  two.join();
  EXPECT_EQ(seen.wrong, 0);
  EXPECT_EQ(seen.failed, 0);
  EXPECT_GT(seen.right, 300);
  EXPECT_EQ(cache.command("ECHO", "still").text(), "still");
  EXPECT_TRUE(wait_until([&] { return manager_->get_redis("cache").statistics().pool.in_use == 0; }));
  EXPECT_LE(sessions(), 3);
}

// A session used directly, with callers who leave all the time.
TEST_F(redis_sharing_test, one_session_and_callers_who_leave) {
  auto cache = with_sessions(1);
  const auto leased = cache.lease();
  auto& raw = leased.key_value();
  tally seen;
  const auto ask = [&raw, &seen](std::string name, unsigned seed) -> task<void> {
    std::minstd_rand random(seed);
    for (int i = 0; i < 50; ++i) {
      const std::string mine = name + std::to_string(i);
      const redis_command what("ECHO", mine);
      std::optional<error> failure;
      try {
        task<redis_reply> asking = raw.execute(what);
        if (random() % 2 == 0) asking = with_timeout(std::chrono::microseconds(random() % 1000), std::move(asking));
        const redis_reply answer = co_await std::move(asking);
        seen.count(answer.as<std::string>(), mine);
      } catch (const error& problem) {
        failure = problem;
      }
      if (failure) seen.count(*failure);
    }
  };
  loops two(2);
  for (int i = 0; i < 40; ++i) {
    spawn(two[static_cast<std::size_t>(i % 2)].get_executor(),
          ask("t" + std::to_string(i) + ":", static_cast<unsigned>(i + 1)), boost::asio::detached);
  }
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&, i] { run(ask("b" + std::to_string(i) + ":", static_cast<unsigned>(i + 100))); });
    }
  }
  EXPECT_TRUE(wait_until([&] { return seen.done() == 43 * 50; }));
  two.join();
  EXPECT_EQ(seen.wrong, 0);
  EXPECT_EQ(seen.failed, 0);
  EXPECT_GT(seen.right, 1);
  const redis_command ping("PING");
  EXPECT_EQ(run(raw.execute(ping)).text(), "PONG");
  EXPECT_EQ(raw.outstanding(), 0u);
  EXPECT_EQ(raw.abandoned(), 0u);
}

// A stop token ends a call at once.
TEST_F(redis_sharing_test, stopped_callers) {
  auto cache = with_sessions(2);
  std::stop_source stop;
  environment env;
  env.stop = stop.get_token();
  std::jthread stopper([&] {
    EXPECT_TRUE(
        wait_until([&] { return admin()({"INFO", "clients"}).find("blocked_clients:0") == std::string::npos; }));
    stop.request_stop();
  });
  EXPECT_EQ(caught([&] { run(cache.async_blpop({key("l")}, 0s), env); }).portable_code(), errc::cancelled);
  EXPECT_EQ(caught([&] { run(cache.async_get(key("a")), env); }).portable_code(), errc::cancelled);
  EXPECT_EQ(cache.ping(), "PONG");
}

// An event loop that goes away takes its tasks with it, and nobody else.
TEST_F(redis_sharing_test, dropped_in_the_middle) {
  auto cache = with_sessions(2);
  tally seen;
  for (int round = 0; round < 20; ++round) {
    tally lost;
    std::atomic<bool> over = false;
    {
      boost::asio::io_context loop;
      for (int i = 0; i < 20; ++i) {
        spawn(loop.get_executor(), echo(cache, "lost" + std::to_string(i), 1000, 1, false, lost),
              boost::asio::detached);
      }
      std::jthread thread([&] {
        echo_blocking(cache, "kept", 5, seen);
        over = true;
      });
      while (!over) loop.poll();
      for (int turns = 0; turns < round; ++turns) loop.poll_one();
    }
    EXPECT_EQ(lost.wrong, 0);
  }
  EXPECT_EQ(seen.right, 100);
  EXPECT_EQ(seen.done(), 100);
  EXPECT_EQ(cache.ping(), "PONG");
  EXPECT_TRUE(wait_until([&] { return manager_->get_redis("cache").statistics().pool.in_use == 0; }));
}

// A loop's own thread calls something that blocks, while tasks of that loop wait: their duty to read must not be what
// the thread waits for.
TEST_F(redis_sharing_test, a_loop_that_stands_still_holds_up_nobody_else) {
  auto cache = with_sessions(4);
  boost::asio::io_context loop;
  tally seen;
  for (int i = 0; i < 10; ++i) {
    spawn(loop.get_executor(), echo(cache, "t" + std::to_string(i), 3, 1, false, seen), boost::asio::detached);
  }
  for (int round = 0; round < 10; ++round) {
    loop.poll_one();
    EXPECT_EQ(cache.command("ECHO", "now").text(), "now");
  }
  loop.run();
  EXPECT_EQ(seen.right, 30);
}

// Whoever needs a session alone gets one although the shared ones are never at rest.
TEST_F(redis_sharing_test, exclusive_callers_are_not_starved) {
  auto cache = with_sessions(1);
  tally seen;
  std::atomic<bool> stop = false;
  const auto busy = [&]() -> task<void> {
    while (!stop) {
      task<redis_reply> asking = cache.async_command("ECHO", "x");
      const redis_reply answer = co_await std::move(asking);
      seen.count(answer.as<std::string>(), "x");
    }
  };
  loops one(1);
  for (int i = 0; i < 20; ++i) spawn(one[0].get_executor(), busy(), boost::asio::detached);
  EXPECT_TRUE(wait_until([&] { return seen.right > 100; }));
  for (int i = 0; i < 10; ++i) {
    const auto leased = cache.lease();
    const redis_command select("SELECT", 1);
    EXPECT_EQ(run(leased.key_value().execute(select)).text(), "OK");
  }
  const int before = seen.right;
  EXPECT_TRUE(wait_until([&] { return seen.right > before + 100; })) << "and the others go on";
  stop = true;
  one.join();
  EXPECT_EQ(seen.wrong, 0);
  EXPECT_LE(sessions(), 1);
}

// A reconnect replaces shared sessions, also while they are busy.
TEST_F(redis_sharing_test, reconnecting_under_load) {
  auto cache = with_sessions(4);
  tally seen;
  loops one(1);
  for (int i = 0; i < 20; ++i) {
    spawn(one[0].get_executor(), echo(cache, "t" + std::to_string(i), 200, 1, false, seen), boost::asio::detached);
  }
  auto connection = manager_->get_redis("cache");
  for (int i = 0; i < 5; ++i) connection.reconnect();
  EXPECT_TRUE(wait_until([&] { return seen.done() == 4000; }));
  EXPECT_EQ(seen.right, 4000);
  EXPECT_GE(connection.statistics().pool.closed_for(close_cause::generation), 1u);
}

TEST_F(redis_sharing_test, closing_under_load) {
  auto cache = with_sessions(4);
  std::atomic<int> refused = 0;
  std::atomic<int> right = 0;
  const auto busy = [&]() -> task<void> {
    for (bool open = true; open;) {
      try {
        task<redis_reply> asking = cache.async_command("ECHO", "x");
        const redis_reply answer = co_await std::move(asking);
        if (answer.text() == "x") ++right;
      } catch (const error& problem) {
        EXPECT_EQ(problem.portable_code(), errc::connection_closed) << problem.what();
        open = false;
      }
    }
    ++refused;
  };
  loops one(1);
  for (int i = 0; i < 20; ++i) spawn(one[0].get_executor(), busy(), boost::asio::detached);
  EXPECT_TRUE(wait_until([&] { return right > 100; }));
  manager_->get_redis("cache").close();
  EXPECT_TRUE(wait_until([&] { return refused == 20; }));
  one.join();
  EXPECT_TRUE(playground_->sessions_become(0));
  manager_->get_redis("cache").connect();
  EXPECT_EQ(cache.ping(), "PONG");
}

}  // namespace
}  // namespace polypool::test
