// SPDX-License-Identifier: Apache-2.0
// What has bitten users of other pools, on real servers. docs/reliability.md says which test stands for what.
#include "support/whole_stack.hpp"

#include <polypool/asio.hpp>
#include <polypool/waits.hpp>

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

namespace polypool::test {
namespace {

/// A manager with one connection, `bank`, to a server that the test may kill.
class anchors : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = private_postgres::why_not(); !reason.empty()) GTEST_SKIP() << reason;
    server_ = std::make_unique<private_postgres>();
    auto& all = settings_.defaults;
    all.max_open_conns = all.max_idle_conns = 4;
    all.retry_delay = 10ms;
    all.retry_max_delay = 50ms;
    all.health_check_interval = 100ms;
    all.probe_after = 1ns;
    all.circuit_reset = all.circuit_reset_max = 100ms;
  }
  manager& make() {
    settings_.connections.push_back(postgres_connection("bank", server_->address().to_endpoint("polypool_anchors")));
    manager_ = std::make_unique<manager>(settings_);
    manager_->connect();
    return *manager_;
  }
  pool_statistics pool() const { return manager_->get("bank").statistics().pool; }
  int server_sessions() { return postgres_admin(server_->address()).count_sessions("polypool_anchors"); }

  std::unique_ptr<private_postgres> server_;
  config::settings settings_;
  std::unique_ptr<manager> manager_;
};

TEST_F(anchors, a_pool_that_an_outage_drained_to_zero_refills_by_itself) {
  settings_.defaults.min_open_conns = 3;
  make();
  EXPECT_TRUE(wait_until([&] { return pool().open >= 3; }));
  server_->kill();
  EXPECT_TRUE(wait_until([&] { return pool().open == pool().opening && pool().idle == 0; })) << pool().open;
  EXPECT_TRUE(wait_until([&] { return manager_->get("bank").health() == health_status::unhealthy; }));
  server_->start();
  // Nobody asks it for anything.
  EXPECT_TRUE(wait_until([&] { return pool().idle >= 3; })) << pool().idle << " sessions after the outage";
  EXPECT_TRUE(wait_until([&] { return manager_->get("bank").health() == health_status::healthy; }));
}

// A pool for each of many tenants, all on one server that has room for few sessions: whoever calls is served as soon as
// others' idle sessions are gone, and what is closed leaves nothing behind.
TEST_F(anchors, pools_of_many_tenants_share_a_server_that_is_full_and_closed_ones_leave_nothing) {
  constexpr int tenants = 40;
  postgres_admin(server_->address()).execute("ALTER SYSTEM SET max_connections = 20");
  server_->restart();
  postgres_admin admin(server_->address());
  auto& all = settings_.defaults;
  all.lazy_connect = true;
  all.circuit_breaker = false;  // what is tested is the pools
  all.conn_max_idle_time = 50ms;
  all.health_check_interval = 0s;
  all.retry_attempts = 1000;
  settings_.max_concurrent_total = 8;
  const auto name_of = [](int i) { return "tenant_" + std::to_string(i); };
  for (int i = 0; i < tenants; ++i) {
    settings_.connections.push_back(
        postgres_connection(name_of(i), server_->address().to_endpoint("polypool_anchors")));
  }
  manager_ = std::make_unique<manager>(settings_);
  manager_->connect();
  std::atomic<int> served = 0;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 12; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 0; i < tenants; ++i) {
          try {
            manager_->sql(name_of((i + thread * 7) % tenants)).query("SELECT 1");
            ++served;
          } catch (const error& e) {
            ADD_FAILURE() << e.what();
          }
        }
      });
    }
  }
  EXPECT_EQ(served, 12 * tenants);
  for (int i = 0; i < tenants; ++i) manager_->remove(name_of(i));
  EXPECT_TRUE(wait_until([&] { return admin.count_sessions("polypool_anchors") == 0; }));
}

TEST_F(anchors, the_process_survives_a_restart_of_the_server_and_destructors_never_commit) {
  auto db = make().sql("bank");
  db.execute("CREATE TABLE t (x int)");
  {
    transaction open = db.begin();
    open.execute("INSERT INTO t VALUES (1)");
    transaction failed = db.begin();
    failed.execute("INSERT INTO t VALUES (2)");
    row_stream rows = db.stream("SELECT generate_series(1, 1000000)");
    EXPECT_TRUE(rows.next());
    server_->restart();
    EXPECT_EQ(error_of([&] { failed.execute("INSERT INTO t VALUES (3)"); }).portable_code(), errc::connection_lost);
  }  // all three go: over sessions that are gone
  EXPECT_TRUE(wait_until([&] {
    try {
      return db.query_value<int>("SELECT count(*)::int FROM t") == 0;
    } catch (const error&) {
      return false;
    }
  }));
  {
    transaction open = db.begin();
    open.execute("INSERT INTO t VALUES (4)");
  }
  EXPECT_EQ(db.query_value<int>("SELECT count(*)::int FROM t"), 0);
  EXPECT_LE(pool().open, 4u);
}

TEST_F(anchors, a_storm_of_cancelled_calls_never_pushes_past_the_maximum) {
  auto db = make().sql("bank");
  boost::asio::io_context loop;
  std::atomic<int> running = 0, cancelled = 0, ended = 0, wrong = 0;
  const auto client = [&](int number) -> task<void> {
    std::minstd_rand random(static_cast<unsigned>(number) + 1);
    for (int i = 0; i < 10; ++i) {
      const auto patience = std::chrono::milliseconds(random() % 30);
      try {
        task<result> sleeping = db.async_query("SELECT pg_sleep(0.02)");
        task<result> limited = with_timeout(patience, std::move(sleeping));
        const result done = co_await std::move(limited);
        ++ended;
      } catch (const error& e) {
        const auto code = e.portable_code();
        const bool expected =
            code == errc::deadline_exceeded || code == errc::pool_timeout || code == errc::circuit_open;
        ++(expected ? cancelled : wrong);
      }
    }
    --running;
  };
  for (int i = 0; i < 100; ++i) {
    ++running;
    spawn(loop.get_executor(), client(i), [](std::exception_ptr failure) { EXPECT_FALSE(failure); });
  }
  std::vector<std::jthread> threads;
  for (int i = 0; i < 2; ++i) threads.emplace_back([&] { loop.run(); });
  postgres_admin admin(server_->address());
  EXPECT_TRUE(wait_until(
      [&] {
        EXPECT_LE(pool().open, 4u);
        EXPECT_LE(admin.count_sessions("polypool_anchors"), 4);
        return running == 0;
      },
      60s));
  threads.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(cancelled, 0);
  EXPECT_TRUE(wait_until([&] { return pool().in_use == 0; })) << "a session does not come back";
  EXPECT_TRUE(wait_until([&] {
    try {
      return db.query_value<int>("SELECT 1") == 1;
    } catch (const error&) {
      return false;  // the breaker may have seen too many
    }
  }));
  EXPECT_EQ(admin.value("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND "
                        "application_name = 'polypool_anchors'"),
            "0")
      << "what was cancelled runs on";
}

}  // namespace
}  // namespace polypool::test
