// SPDX-License-Identifier: Apache-2.0
// The driver below a manager: a server that is full, one that restarts.
#include "fixture.hpp"

#include <polypool/manager.hpp>

#include <atomic>
#include <thread>
#include <vector>

namespace polypool::test {
namespace {

class mysql_manager : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = private_mysql::why_not(); !reason.empty()) GTEST_SKIP() << reason;
  }
  std::unique_ptr<manager> manage(std::uint32_t sessions) {
    config::settings settings;
    settings.drain_timeout = 2s;
    settings.force_timeout = 4s;
    settings.defaults.retry_delay = 5ms;
    settings.defaults.retry_max_delay = 50ms;
    settings.defaults.health_check_interval = 0s;
    auto& connection = settings.connections.emplace_back();
    connection.name = "db";
    connection.type = config::database_type::mysql;
    connection.where = server_->address().to_endpoint();
    connection.overrides.max_open_conns = sessions;
    manager_options options;
    options.drivers.push_back(mysql::make_driver());
    return std::make_unique<manager>(std::move(settings), std::move(options));
  }
  std::optional<private_mysql> server_;
};

TEST_F(mysql_manager, a_full_server_is_shared_among_those_who_are_in) {
  server_.emplace("max-connections = 10");
  const auto mgr = manage(30);
  const auto db = mgr->sql("db");
  std::atomic<int> fine = 0;
  {
    std::vector<std::jthread> running;
    for (int i = 0; i < 20; ++i) {
      running.emplace_back([&] {
        auto handle = db;
        for (int k = 0; k < 5; ++k) {
          handle.query("SELECT SLEEP(0.01)");
          ++fine;
        }
      });
    }
  }
  EXPECT_EQ(fine, 100) << "sessions go from hand to hand, where no more can be had";
  const auto statistics = mgr->get("db").statistics().pool;
  EXPECT_LE(statistics.open, 11u);
  EXPECT_GT(statistics.connect_failures, 0u);
  EXPECT_LT(statistics.connect_failures, 200u) << "it backs off";
}

TEST_F(mysql_manager, a_full_server_says_so) {
  server_.emplace("max-connections = 10");
  runner go(way::blocking);
  std::vector<std::unique_ptr<client>> others;
  try {
    while (others.size() < 20) others.push_back(std::make_unique<client>(go, server_->address().to_endpoint()));
  } catch (const error&) {
  }
  const auto mgr = manage(3);
  call limits;
  limits.timeout(200ms);
  auto hurried = mgr->sql("db").with(limits);
  try {
    hurried.query("SELECT 1");
    ADD_FAILURE() << "nothing was thrown";
  } catch (const error& problem) {
    EXPECT_TRUE(problem.portable_code() == errc::too_many_connections || problem.portable_code() == errc::pool_timeout)
        << problem.what();
    EXPECT_NE(std::string(problem.what()).find("Too many connections"), std::string::npos) << problem.what();
  }
  others.clear();
  EXPECT_TRUE(wait_until([&] {
    try {
      return mgr->sql("db").query_value<int>("SELECT 1") == 1;
    } catch (const error&) {
      return false;
    }
  }));
}

TEST_F(mysql_manager, a_server_that_restarts) {
  server_.emplace();
  const auto mgr = manage(3);
  auto db = mgr->sql("db");
  db.execute("CREATE TABLE t (x int)");
  server_->restart();
  EXPECT_TRUE(wait_until([&] {
    try {
      return db.execute("INSERT INTO t VALUES (1)") == 1;
    } catch (const error& problem) {
      EXPECT_TRUE(problem.portable_code() == errc::connection_lost || problem.portable_code() == errc::connect_failed)
          << problem.what();
      return false;
    }
  }));
  EXPECT_GE(db.query_value<int>("SELECT count(*) FROM t"), 1);
}

}  // namespace
}  // namespace polypool::test
