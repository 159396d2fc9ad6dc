// SPDX-License-Identifier: Apache-2.0
// Threads and tasks together on one small pool, with everything that can go wrong.
#include "pool_fixture.hpp"

#include <polypool/asio.hpp>

#include <boost/asio/detached.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <latch>
#include <random>
#include <set>
#include <thread>

namespace polypool {
namespace {

std::unique_ptr<pool> make_pool(pool_options options, const std::shared_ptr<testing::fake_server>& server,
                                std::shared_ptr<background> work) {
  const auto driver = testing::make_fake_driver(server);
  const auto where = std::make_shared<endpoint>();
  const session_opener open = [driver, where] { return driver->connect(*where); };
  return std::make_unique<pool>(std::move(options), open, std::move(work));
}

// Who has which session; no session may be with two.
class holders {
 public:
  void take(const session& one) {
    const std::scoped_lock lock(mutex_);
    EXPECT_TRUE(held_.insert(&one).second);
    most_ = std::max(most_, held_.size());
  }
  void give(const session& one) {
    const std::scoped_lock lock(mutex_);
    EXPECT_EQ(held_.erase(&one), 1U);
  }
  std::size_t most() const { return most_; }

 private:
  std::mutex mutex_;
  std::set<const session*> held_;
  std::size_t most_ = 0;
};

// Stop sources of those who ask now, for somebody who stops them at random.
class stoppers {
 public:
  explicit stoppers(std::size_t count) : all_(count) {}
  std::stop_token renew(std::size_t index) {
    const std::scoped_lock lock(mutex_);
    all_[index] = {};
    return all_[index].get_token();
  }
  void stop(std::size_t index) {
    std::stop_source chosen;
    {
      const std::scoped_lock lock(mutex_);
      chosen = all_[index];
    }
    chosen.request_stop();
  }
  std::size_t size() const { return all_.size(); }

 private:
  std::mutex mutex_;
  std::vector<std::stop_source> all_;
};

void spin(unsigned rounds) {
  for (std::atomic<unsigned> i = 0; i < rounds; ++i) {
  }
}

struct crowd {
  static constexpr std::size_t threads = 8;
  static constexpr std::size_t tasks = 100;
  explicit crowd(pool& shared) : from(shared) {}
  pool& from;
  holders who;
  stoppers stops{threads + tasks};
  std::atomic<unsigned> served{0};
  std::atomic<unsigned> failed{0};
  std::atomic<unsigned> unexpected{0};
  std::latch done{threads + tasks};

  task<void> one_visit(unsigned dice) {
    lease mine = co_await from.acquire();
    who.take(mine.session());
    spin(dice % 200);
    if (dice % 37 == 0) static_cast<void>(mine.native<testing::fake_server*>());
    who.give(mine.session());
    if (dice % 41 == 0) {
      mine.discard();
    } else {
      mine.release();
    }
    ++served;
  }
  task<void> visits(std::size_t index, int rounds) {
    std::minstd_rand random(static_cast<unsigned>(index) + 1);
    for (int i = 0; i < rounds; ++i) {
      const auto dice = static_cast<unsigned>(random());
      if (dice % 997 == 0) from.retire_all();
      if (dice % 499 == 0) from.resize(0, 2 + dice % 3, 1 + dice % 4);
      try {
        const duration within = dice % 11 == 0 ? duration(1us * (dice % 200)) : duration(30s);
        task<void> visit = with_timeout(within, one_visit(dice));
        co_await with_stop(stops.renew(index), std::move(visit));
      } catch (const error& e) {
        ++failed;
        if (e.portable_code() != errc::pool_timeout && e.portable_code() != errc::cancelled) ++unexpected;
      }
    }
    done.count_down();
  }
};

TEST(pool_threads, threads_and_tasks_share_a_small_pool) {
  const auto server = std::make_shared<testing::fake_server>();
  pool_options options;
  options.name = "crowded";
  options.max_open = 4;
  options.max_idle = 4;
  options.probe_after = 1ms;
  const auto work = make_thread_background();
  const auto shared = make_pool(options, server, work);
  crowd all(*shared);
  {
    boost::asio::thread_pool other(2);
    for (std::size_t i = 0; i < crowd::tasks; ++i) {
      if (i % 2 == 0) {
        work->spawn(all.visits(crowd::threads + i, 60));
      } else {
        spawn(other.get_executor(), all.visits(crowd::threads + i, 60), boost::asio::detached);
      }
    }
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < crowd::threads; ++i) {
      threads.emplace_back([&all, i] { run(all.visits(i, 500)); });
    }
    const std::jthread stopper([&all](const std::stop_token& enough) {
      std::minstd_rand random(99);
      while (!enough.stop_requested()) {
        all.stops.stop(random() % all.stops.size());
        spin(2000);
      }
    });
    all.done.wait();
    threads.clear();
    other.join();
  }
  EXPECT_EQ(all.unexpected, 0U);
  EXPECT_EQ(all.served + all.failed, crowd::threads * 500 + crowd::tasks * 60);
  EXPECT_GT(all.served, 1000U);
  EXPECT_LE(all.who.most(), 4U);
  EXPECT_LE(server->most_open_sessions(), 4U);
  EXPECT_EQ(shared->statistics().waiting, 0U);
  EXPECT_TRUE(run(with_timeout(10s, shared->close())));
  EXPECT_EQ(server->open_sessions(), 0U);
}

TEST(pool_threads, a_pool_goes_while_threads_and_tasks_use_it) {
  for (int round = 0; round < 20; ++round) {
    const auto server = std::make_shared<testing::fake_server>();
    pool_options options;
    options.max_open = 3;
    const auto work = make_thread_background();
    auto shared = make_pool(options, server, work);
    std::latch started(6);
    std::latch ended(6);
    std::atomic<bool> closing{false};
    std::atomic<int> users{6};
    const auto use = [&](pool& from) -> task<void> {
      lease first = co_await from.acquire();
      first.release();
      started.count_down();
      lease kept;
      try {
        while (!closing) {
          lease mine = co_await from.acquire();
          spin(50);
          if (closing) kept = std::move(mine);  // outlives the pool
        }
      } catch (const error& e) {
        EXPECT_EQ(e.portable_code(), errc::connection_closed);
      }
      --users;  // the pool itself is not touched after this
      kept.release();
      ended.count_down();
    };
    for (int i = 0; i < 3; ++i) work->spawn(use(*shared));
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 3; ++i) threads.emplace_back([&] { run(use(*shared)); });
      started.wait();
      closing = true;
      run(with_timeout(0s, shared->close()));
      while (users > 0) std::this_thread::yield();
      shared.reset();
      ended.wait();
    }
    EXPECT_EQ(server->open_sessions(), 0U);
  }
}

TEST(pool_threads, a_thread_that_never_returns_its_lease_blocks_nobody_else) {
  const auto server = std::make_shared<testing::fake_server>();
  pool_options options;
  options.max_open = 2;
  const auto shared = make_pool(options, server, make_thread_background());
  const lease kept = run(shared->acquire());
  std::vector<std::jthread> threads;
  std::atomic<int> served{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 200; ++n) {
        const lease mine = run(shared->acquire());
        ++served;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(served, 800);
  EXPECT_TRUE(kept);
}

TEST(pool_threads, a_waiting_thread_wakes_when_the_pool_is_closed_by_force) {
  const auto server = std::make_shared<testing::fake_server>();
  pool_options options;
  options.max_open = 1;
  auto shared = make_pool(options, server, make_thread_background());
  const lease kept = run(shared->acquire());
  std::jthread waiting([&shared] {
    try {
      run(shared->acquire());
      ADD_FAILURE() << "there was none to have";
    } catch (const error& e) {
      EXPECT_EQ(e.portable_code(), errc::connection_closed);
    }
  });
  while (shared->statistics().waiting == 0) std::this_thread::yield();
  shared.reset();
  waiting.join();
  EXPECT_TRUE(kept.session().broken());
}

}  // namespace
}  // namespace polypool
