// SPDX-License-Identifier: Apache-2.0
// The handle when servers come and go, and subscriptions.
#include "stack.hpp"
#include "support/tcp_gate.hpp"

#include <polypool/asio.hpp>

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <exception>
#include <thread>

namespace polypool::test {
namespace {

call within(duration limit) {
  call out;
  out.timeout(limit);
  return out;
}

class redis_recovery : public ::testing::Test, public redis_stack {
 protected:
  void SetUp() override {
    if (const auto reason = private_redis::why_not(); !reason.empty()) GTEST_SKIP() << reason;
    server_ = std::make_unique<private_redis>();
  }
  redis_database make_db(std::uint16_t port = 0, std::uint32_t sessions = 4) {
    auto where = server_->address().to_endpoint("mine");
    if (port != 0) where.port = port;
    auto one = redis_connection("cache", where);
    one.overrides.max_open_conns = sessions;
    one.overrides.retry_attempts = 100;
    make({one});
    return manager_->redis("cache");
  }
  std::unique_ptr<private_redis> server_;
};

// Idle sessions are dead after a restart: nobody notices.
TEST_F(redis_recovery, a_restart_between_calls) {
  auto cache = make_db();
  cache.set("a", 1);
  {
    std::vector<lease> several;
    for (int i = 0; i < 4; ++i) several.push_back(cache.lease());
  }
  server_->restart();
  EXPECT_EQ(cache.get("a"), std::nullopt);
  EXPECT_EQ(cache.incr("a"), 1);
  EXPECT_EQ(manager_->get_redis("cache").statistics().errors, 0u);
}

// A call that finds its session dead goes on to another one with the places that it has: it would wait for itself.
TEST_F(redis_recovery, a_dead_session_costs_no_second_place) {
  settings_.max_concurrent_total = 1;
  settings_.defaults.max_concurrent = 1;
  settings_.defaults.query_timeout = 5s;
  auto cache = make_db();
  redis_admin admin(server_->address());
  // A session that was idle for a moment is looked at before anything is sent.
  const auto all_sessions_die = [&] {
    const auto begun = std::chrono::steady_clock::now();
    admin({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
    return wait_until(
        [&] { return admin.count_sessions("mine") == 0 && std::chrono::steady_clock::now() - begun > 50ms; });
  };
  for (int i = 0; i < 3; ++i) {
    run(cache.async_set("a", i));
    ASSERT_TRUE(all_sessions_die());
    EXPECT_EQ(run(cache.async_get("a")), std::to_string(i)) << "in a task";
    ASSERT_TRUE(all_sessions_die());
    EXPECT_EQ(cache.get("a"), std::to_string(i)) << "on a thread";
  }
  const auto numbers = manager_->get_redis("cache").statistics();
  EXPECT_EQ(numbers.errors, 0U);
  EXPECT_EQ(numbers.places.at_work, 0U);
  EXPECT_EQ(numbers.places.timed_out, 0U);
}

// An optimistic transaction keeps its place until it ends, as one of SQL does; its commands need none.
TEST_F(redis_recovery, one_that_watches_keeps_its_place) {
  settings_.defaults.max_concurrent = 1;
  auto cache = make_db();
  auto hurried = cache.with(call().timeout(50ms));
  auto tx = cache.watch("a");
  EXPECT_EQ(tx.get("a"), std::nullopt);
  EXPECT_EQ(caught([&] { hurried.get("a"); }).portable_code(), errc::pool_timeout);
  tx.add(redis_calls::set("a", "1"));
  EXPECT_TRUE(tx.commit());
  EXPECT_EQ(hurried.with(call()).get("a"), "1");
  {
    auto given_up = cache.watch("a");
    given_up.discard();
    EXPECT_EQ(cache.get("a"), "1");
    auto dropped = cache.watch("a");
  }
  EXPECT_EQ(cache.get("a"), "1");
  EXPECT_EQ(manager_->get_redis("cache").statistics().places.at_work, 0U);
}

TEST_F(redis_recovery, a_restart_under_load) {
  auto cache = make_db();
  std::atomic<bool> stop = false;
  std::atomic<int> right = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; !stop; ++n) {
        const std::string mine = std::to_string(i) + ":" + std::to_string(n);
        try {
          EXPECT_EQ(cache.command("ECHO", mine).text(), mine);
          ++right;
        } catch (const error& problem) {
          const auto code = problem.portable_code();
          EXPECT_TRUE(code == errc::connection_lost || code == errc::connect_failed || code == errc::pool_timeout)
              << problem.what();
        }
      }
    });
  }
  EXPECT_TRUE(wait_until([&] { return right > 100; }));
  server_->kill();
  server_->start();
  const int before = right;
  EXPECT_TRUE(wait_until([&] { return right > before + 100; }));
  stop = true;
}

// A full server: the pool waits, and says why.
TEST_F(redis_recovery, a_full_server) {
  server_ = std::make_unique<private_redis>(redis_lines{{"maxclients", "1"}});
  auto cache = make_db();
  std::unique_ptr<redis_admin> blocker;
  EXPECT_TRUE(wait_until([&] {  // whoever looked whether the server is there may not be gone yet
    try {
      blocker = std::make_unique<redis_admin>(server_->address());
      return (*blocker)({"PING"}) == "PONG";
    } catch (const std::runtime_error&) {
      return false;
    }
  }));
  const auto refused = caught([&] { cache.with(within(1s)).ping(); });
  EXPECT_THAT(refused.what(), HasSubstr("max number of clients"));
  EXPECT_LT(manager_->get_redis("cache").statistics().pool.connect_failures, 300u) << "it backs off";
  blocker.reset();
  EXPECT_TRUE(wait_until([&] {
    try {
      return cache.ping() == "PONG";
    } catch (const error&) {
      return false;
    }
  }));
}

// Whoever waits for a session is told where it was to be opened, and how far that came.
TEST_F(redis_recovery, a_server_that_hangs_is_named) {
  tcp_gate gate("127.0.0.1", server_->address().port);
  gate.blackhole();
  for (const auto mode : {tls_mode::disable, tls_mode::require}) {
    auto where = server_->address().to_endpoint("mine");
    where.port = gate.port();
    where.tls = mode;
    auto one = redis_connection("cache", where);
    one.overrides.retry_attempts = 1;
    one.overrides.connect_timeout = 100ms;
    make({one});
    const auto problem = caught([&] { manager_->redis("cache").with(within(5s)).ping(); });
    EXPECT_EQ(problem.portable_code(), errc::connect_failed) << problem.what();
    EXPECT_THAT(problem.what(), HasSubstr("cannot connect to Redis at 127.0.0.1:" + std::to_string(gate.port())));
    EXPECT_THAT(problem.what(), HasSubstr("100ms"));
    if (mode == tls_mode::require) {
      EXPECT_THAT(problem.hint(), HasSubstr("does the server speak TLS at this port?"));
    }
  }
}

// A call that gives up on a hung server leaves its session; the next one gets another.
TEST_F(redis_recovery, a_hung_session_is_left_behind) {
  tcp_gate gate("127.0.0.1", server_->address().port);
  auto cache = make_db(gate.port());
  EXPECT_EQ(cache.ping(), "PONG");
  gate.stall();
  EXPECT_EQ(caught([&] { cache.with(within(50ms)).ping(); }).portable_code(), errc::deadline_exceeded);
  gate.cut(tcp_gate::ending::rst);
  gate.pass();
  EXPECT_EQ(cache.ping(), "PONG");
}

TEST_F(redis_recovery, messages_of_channels_and_patterns) {
  auto cache = make_db();
  auto news = cache.subscribe({"news", "sport"}, {"log.*"});
  news.start();
  EXPECT_EQ(cache.publish("news", "one"), 1);
  EXPECT_EQ(cache.publish("log.error", "two"), 1);
  EXPECT_EQ(cache.publish("other", "none"), 0);
  auto first = news.receive();
  EXPECT_EQ(first.channel, "news");
  EXPECT_EQ(first.pattern, "");
  EXPECT_EQ(first.payload, "one");
  auto second = news.receive();
  EXPECT_EQ(second.channel, "log.error");
  EXPECT_EQ(second.pattern, "log.*");
  EXPECT_EQ(second.payload, "two");
  EXPECT_EQ(news.receive_for(20ms), std::nullopt);
  news.subscribe({"other"});
  news.unsubscribe({"news"});
  EXPECT_TRUE(wait_until([&] { return cache.publish("news", "x") == 0 && cache.publish("other", "y") == 1; }));
  EXPECT_EQ(news.receive().payload, "y");
  for (int i = 0; i < 1000; ++i) cache.publish("sport", std::to_string(i));
  for (int i = 0; i < 1000;) {
    const auto message = news.receive();
    if (message.channel != "sport") continue;
    EXPECT_EQ(message.payload, std::to_string(i));
    ++i;
  }
  EXPECT_EQ(cache.ping(), "PONG") << "others go on meanwhile";
  EXPECT_EQ(news.interruptions(), 0u);
  news.stop();
  EXPECT_TRUE(wait_until([&] { return cache.publish("sport", "x") == 0; }));
  EXPECT_EQ(manager_->get_redis("cache").statistics().pool.leaks, 0u);
}

// Who receives is one thread, who changes the channels another.
TEST_F(redis_recovery, channels_are_added_while_somebody_receives) {
  auto cache = make_db();
  auto news = cache.subscribe({"a"});
  std::vector<std::string> got;
  std::jthread receiver([&] {
    while (got.size() < 2) got.push_back(news.receive().payload);
  });
  EXPECT_TRUE(wait_until([&] { return cache.publish("a", "first") == 1; }));
  news.psubscribe({"b*"});
  EXPECT_TRUE(wait_until([&] { return cache.publish("bb", "second") == 1; }));
  receiver.join();
  EXPECT_EQ(got, (std::vector<std::string>{"first", "second"}));
}

TEST_F(redis_recovery, subscribes_again_after_a_restart) {
  auto cache = make_db();
  auto news = cache.subscribe({"news"}, {"p*"});
  news.start();
  std::vector<std::string> got;
  std::jthread receiver([&] {
    for (bool more = true; more;) {
      const auto message = news.receive();
      got.push_back(message.payload);
      more = message.payload != "last";
    }
  });
  cache.publish("news", "before");
  server_->kill();
  server_->start();
  EXPECT_TRUE(wait_until([&] {
    try {
      return cache.publish("pop", "last") == 1;
    } catch (const error&) {
      return false;
    }
  }));
  receiver.join();
  EXPECT_EQ(got.back(), "last");
  EXPECT_GE(news.interruptions(), 1u);  // more, when the next session was dying, too
}

TEST_F(redis_recovery, messages_on_an_event_loop) {
  auto cache = make_db();
  auto news = cache.subscribe({"news"});
  boost::asio::io_context loop;
  std::exception_ptr failure;
  redis_message got;
  const auto keep = [&](std::exception_ptr why, redis_message message) {
    failure = std::move(why);
    got = std::move(message);
  };
  spawn(loop.get_executor(), news.async_receive(), keep);
  std::jthread publisher([&] { EXPECT_TRUE(wait_until([&] { return cache.publish("news", "hello") == 1; })); });
  loop.run();
  EXPECT_FALSE(failure);
  EXPECT_EQ(got.payload, "hello");
  const auto late = caught([&] {
    spawn(loop.get_executor(), with_timeout(20ms, news.async_receive()), keep);
    loop.restart();
    loop.run();
    if (failure) std::rethrow_exception(failure);
  });
  EXPECT_EQ(late.portable_code(), errc::deadline_exceeded);
  EXPECT_EQ(late.connection(), "cache");
}

TEST_F(redis_recovery, a_subscription_ends_with_its_connection) {
  auto cache = make_db();
  auto news = cache.subscribe({"news"});
  news.start();
  std::jthread receiver([&] { EXPECT_EQ(caught([&] { news.receive(); }).portable_code(), errc::connection_closed); });
  manager_->get_redis("cache").close(10ms);
  receiver.join();
}

}  // namespace
}  // namespace polypool::test
