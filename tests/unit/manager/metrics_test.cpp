// SPDX-License-Identifier: Apache-2.0
// What happens to connections, and what the metrics say of it.
#include "support/fake_manager.hpp"

#include <polypool/metrics.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace polypool {
namespace {

using namespace std::chrono_literals;
using testing::error_of;
using testing::fake_world;

class metrics_of_a_manager : public ::testing::Test {
 protected:
  void start(config::settings base = {}) {
    base.defaults.health_check_interval = 0s;
    world_.emplace(std::initializer_list<const char*>{"a", "b"}, std::move(base));
  }
  testing::fake_server& server(const std::string& name) { return *world_->servers.at(name); }
  manager& mgr() { return *world_->mgr; }
  bool query(const std::string& name) {
    try {
      auto db = mgr().sql(name);
      world_->run(db.async_query("SELECT 1"));
      return true;
    } catch (const error&) {
      return false;
    }
  }
  // The number of a series; fails the test when there is none.
  double value(const std::string& series) {
    const auto text = metrics_text(mgr());
    const auto at = text.find("\n" + series + " ");
    if (at == std::string::npos) {
      ADD_FAILURE() << "there is no " << series;
      return -1;
    }
    return std::stod(text.substr(at + series.size() + 2));
  }
  std::optional<fake_world> world_;
};

const std::string of_a = R"({name="a",type="postgres")";

TEST_F(metrics_of_a_manager, breakers_retries_and_what_they_refuse) {
  config::settings base;
  base.defaults.retry_attempts = 2;
  start(std::move(base));
  const std::string breaker = R"({database_type="postgres",project_id="a"})";
  server("a").fail_statements(error(errc::deadlock, "deadlock detected"), 1);
  EXPECT_TRUE(query("a"));
  EXPECT_EQ(value("dbmanager_retries_total" + of_a + R"(,result="made"})"), 1);
  EXPECT_EQ(value("circuit_breaker_state" + breaker), 0);
  server("a").fail_statements(error(errc::connection_lost, "the server broke off").with_poisoned_session());
  for (int i = 0; i < 40; ++i) query("a");
  EXPECT_EQ(value("circuit_breaker_state" + breaker), 2);
  EXPECT_EQ(value("circuit_breaker_open_total" + breaker), 1);
  EXPECT_GT(value("dbmanager_circuit_refused_total" + of_a + "}"), 0);
}

TEST_F(metrics_of_a_manager, probes_and_reconnects_with_their_failures) {
  start();
  world_->run(mgr().async_connect());
  const auto checks = [&](const char* result) {
    return value("dbmanager_health_checks_total" + of_a + ",result=\"" + result + "\"}");
  };
  world_->run(mgr().get("a").async_health_check());
  const auto good = checks("success");
  EXPECT_GE(good, 1);
  EXPECT_EQ(checks("failure"), 0);
  server("a").fail_probes(error(errc::connection_lost, "gone"));
  world_->run(mgr().get("a").async_health_check());
  EXPECT_EQ(checks("success"), good);
  EXPECT_EQ(checks("failure"), 1);
  server("a").heal();
  world_->run(mgr().get("a").async_reconnect());
  server("a").fail_connects(error(errc::authentication_failed, "wrong password"));
  error_of([&] { world_->run(mgr().get("a").async_reconnect()); });
  EXPECT_EQ(value("dbmanager_reconnect_attempts_total" + of_a + R"(,result="success"})"), 1);
  EXPECT_EQ(value("dbmanager_reconnect_attempts_total" + of_a + R"(,result="failure"})"), 1);
}

TEST_F(metrics_of_a_manager, bulkheads_where_there_is_a_limit) {
  config::settings base;
  base.defaults.max_concurrent = 2;
  base.defaults.max_waiting = 3;
  base.defaults.query_timeout = 5s;
  base.max_concurrent_total = 10;
  start(std::move(base));
  EXPECT_EQ(value("dbmanager_bulkhead_limit" + of_a + "}"), 2) << "also before its first call";
  server("a").statements_take(4s);
  for (int i = 0; i < 6; ++i) {
    world_->loop.spawn([](sql_database db) -> task<void> {
      try {
        co_await db.async_query("SELECT 1");
      } catch (const error&) {
        co_return;
      }
    }(mgr().sql("a")));
  }
  world_->loop.run_ready();
  EXPECT_EQ(value("dbmanager_bulkhead_calls" + of_a + R"(,state="at_work"})"), 2);
  EXPECT_EQ(value("dbmanager_bulkhead_calls" + of_a + R"(,state="waiting"})"), 3);
  EXPECT_EQ(value("dbmanager_bulkhead_refused_total" + of_a + "}"), 1);
  EXPECT_EQ(value("polypool_bulkhead_limit"), 10);
  EXPECT_EQ(value(R"(polypool_bulkhead_calls{state="at_work"})"), 2);
  world_->loop.advance(30s);
  EXPECT_EQ(value("dbmanager_bulkhead_timed_out_total" + of_a + "}"), 1) << "the third in the queue came too late";
  EXPECT_EQ(value(R"(polypool_bulkhead_calls{state="at_work"})"), 0);
}

TEST_F(metrics_of_a_manager, groups_with_their_failovers_and_each_members_calls) {
  config::group pair;
  pair.name = "pair";
  pair.primary = "a";
  pair.two_primaries = config::several_primaries::in_order;
  pair.backups.push_back({"b"});
  config::group both;
  both.name = "both";
  both.type = config::group_type::balance;
  for (const char* each : {"a", "b"}) both.members.push_back({each});
  config::settings base;
  base.groups = {pair, both};
  start(std::move(base));
  world_->run(mgr().async_connect());
  for (int i = 0; i < 10; ++i) query("both");
  const auto calls = [&](const char* member) {
    return value(R"(polypool_group_member_calls_total{group="both",member=")" + std::string(member) + "\"}");
  };
  EXPECT_EQ(calls("a") + calls("b"), 10);
  EXPECT_GE(calls("a"), 4);
  EXPECT_GE(calls("b"), 4);
  EXPECT_EQ(value(R"(polypool_group_primary{group="pair",member="a"})"), 1);
  world_->run(mgr().group("pair").async_fail_over("b"));
  EXPECT_EQ(value(R"(polypool_group_failovers_total{group="pair"})"), 1);
  EXPECT_EQ(value(R"(polypool_group_primary{group="pair",member="b"})"), 1);
  EXPECT_EQ(metrics_text(mgr()).find(R"(project_id="pair")"), std::string::npos)
      << "a breaker that stands before nothing";
}

}  // namespace
}  // namespace polypool
