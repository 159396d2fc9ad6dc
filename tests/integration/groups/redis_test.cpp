// SPDX-License-Identifier: Apache-2.0
// Redis load balancing: round robin over instances, one of which dies and comes back.
#include "support/redis_server.hpp"

#include <polypool/polypool.hpp>

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <thread>

namespace polypool::test {
namespace {

using namespace std::chrono_literals;

class RedisGroup : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = private_redis::why_not(); !why.empty()) GTEST_SKIP() << why;
    for (auto& each : servers_) each.emplace();
  }
  void start(config::balance_strategy strategy = config::balance_strategy::round_robin) {
    config::settings all;
    all.defaults.retry_attempts = 1;
    all.defaults.connect_timeout = 5s;
    all.defaults.circuit_breaker = false;
    config::group sessions;
    sessions.name = "sessions";
    sessions.type = config::group_type::balance;
    sessions.strategy = strategy;
    sessions.role_check_interval = 100ms;
    sessions.unreachable_after = 1;
    sessions.slow_start = 0s;
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      const auto name = "redis-" + std::to_string(i + 1);
      all.connections.push_back(config::connection_from_url(name, servers_[i]->address().url()));
      redis_admin(servers_[i]->address()).words({"SET", "who", name});
      sessions.members.push_back({name});
    }
    all.groups.push_back(sessions);
    manager_.emplace(std::move(all));
    manager_->connect();
  }
  std::map<std::string, int> shares(int calls) {
    std::map<std::string, int> out;
    auto redis = manager_->redis();
    for (int i = 0; i < calls; ++i) ++out[redis.get("who").value_or("nobody")];
    return out;
  }
  std::array<std::optional<private_redis>, 3> servers_;
  std::optional<manager> manager_;
};

TEST_F(RedisGroup, TakesTurnsOverItsInstances) {
  start();
  EXPECT_EQ(manager_->active_redis(), "sessions");
  EXPECT_EQ(shares(300), (std::map<std::string, int>{{"redis-1", 100}, {"redis-2", 100}, {"redis-3", 100}}));
}

TEST_F(RedisGroup, GoesOnWithoutADeadInstanceAndTakesItBack) {
  start();
  shares(30);
  servers_[1]->kill();
  int failures = 0;
  for (int i = 0; i < 100; ++i) {
    try {
      manager_->redis("sessions").get("who");
    } catch (const error&) {
      ++failures;
    }
  }
  EXPECT_LE(failures, 10) << "few calls notice, and then it is left out";
  const auto down = [&] { return manager_->group("sessions").status().members[1].reachable == false; };
  ASSERT_TRUE(wait_until(down));
  const auto without = shares(90);
  EXPECT_FALSE(without.contains("redis-2"));
  EXPECT_EQ(manager_->get_redis("sessions").health_check().detail,
            "Connection 'sessions' is degraded: it works without redis-2");
  servers_[1]->start();
  redis_admin(servers_[1]->address()).words({"SET", "who", "redis-2"});
  ASSERT_TRUE(wait_until([&] { return !down(); }));
  EXPECT_EQ(shares(90)["redis-2"], 30);
}

TEST_F(RedisGroup, TheLeastBusyOneGetsTheCalls) {
  start(config::balance_strategy::least_in_use);
  std::jthread blocked([&] {
    try {
      manager_->redis("redis-1").command("BLPOP", "nothing", "0");
    } catch (const error&) {
    }
  });
  ASSERT_TRUE(wait_until([&] { return manager_->get_redis("redis-1").statistics().pool.in_use > 0; }));
  const auto got = shares(100);
  EXPECT_FALSE(got.contains("redis-1"));
  redis_admin(servers_[0]->address()).words({"RPUSH", "nothing", "x"});
}

}  // namespace
}  // namespace polypool::test
