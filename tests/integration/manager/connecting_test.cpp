// SPDX-License-Identifier: Apache-2.0
// Servers that refuse, hang, or do not want us.
#include "support/tcp_gate.hpp"
#include "support/whole_stack.hpp"

#include <optional>

namespace polypool::test {
namespace {

class manager_connecting : public manager_test {
 protected:
  void SetUp() override {
    manager_test::SetUp();
    if (!playground_) return;
    where_ = playground_->endpoint();
    gate_.emplace(where_.host, where_.port);
    where_.host = "127.0.0.1";
    where_.port = gate_->port();
  }
  endpoint where_;
  std::optional<tcp_gate> gate_;
};

TEST_F(manager_connecting, a_wrong_password_is_said_at_once) {
  where_.password = secret("wrong-and-secret");
  settings_.defaults.retry_attempts = 5;
  auto& mgr = make({postgres_connection("pg", where_), sqlite()});
  const auto problem = error_of([&] { mgr.get("pg").connect(); });
  EXPECT_EQ(problem.portable_code(), errc::authentication_failed);
  EXPECT_EQ(problem.disposition(), disposition::permanent);
  EXPECT_EQ(gate_->accepted(), 1) << "it was tried again";
  const auto report = mgr.connect();
  ASSERT_EQ(report.failed.size(), 1u);
  EXPECT_EQ(report.connected, std::vector<std::string>{"lite"});
  EXPECT_EQ(error_of([&] { mgr.sql("pg").query("SELECT 1"); }).portable_code(), errc::authentication_failed);
  EXPECT_THAT(problem.what(), Not(HasSubstr("wrong-and")));
  EXPECT_THAT(report.failed[0].cause.what(), Not(HasSubstr("wrong-and")));
  EXPECT_THAT(mgr.get("pg").health_check().detail, Not(HasSubstr("wrong-and")));
  EXPECT_FALSE(log_->find("pg").empty());
  EXPECT_EQ(log_->find("wrong-and"), "");
  EXPECT_TRUE(sessions_become(0));
  EXPECT_EQ(mgr.sql("lite").query_value<int>("SELECT 1"), 1);
}

TEST_F(manager_connecting, a_server_that_refuses_is_tried_as_often_as_configured) {
  gate_->refuse();
  settings_.defaults.retry_attempts = 3;
  auto& mgr = make({postgres_connection("pg", where_), sqlite()});
  const auto problem = error_of([&] { mgr.get("pg").connect(); });
  EXPECT_EQ(problem.portable_code(), errc::connect_failed) << problem.what();
  EXPECT_EQ(problem.connection(), "pg");
  EXPECT_EQ(gate_->accepted(), 3);
  EXPECT_EQ(mgr.get("pg").statistics().pool.connect_failures, 3u);
  EXPECT_NE(mgr.get("pg").phase(), connection_phase::connected);
  EXPECT_EQ(mgr.sql("lite").query_value<int>("SELECT 1"), 1);
  gate_->pass();
  EXPECT_EQ(mgr.sql("pg").query_value<int>("SELECT 1"), 1);
  EXPECT_TRUE(sessions_become(1));
}

TEST_F(manager_connecting, a_server_that_hangs) {
  gate_->blackhole();
  settings_.defaults.connect_timeout = 200ms;
  settings_.defaults.retry_attempts = 1;
  auto& mgr = make({postgres_connection("pg", where_)});
  const stopwatch watch;
  const auto problem = error_of([&] { mgr.connect(); });
  EXPECT_EQ(problem.portable_code(), errc::connect_failed) << problem.what();
  EXPECT_THAT(problem.what(), HasSubstr("200ms"));
  EXPECT_LT(watch.elapsed(), 5s);
  // A caller's deadline is earlier than the server's answer.
  const auto late = error_of([&] { mgr.sql("pg").with(call().timeout(50ms)).query("SELECT 1"); });
  EXPECT_TRUE(late.portable_code() == errc::pool_timeout || late.portable_code() == errc::connect_failed)
      << late.what();
  gate_->pass();
  EXPECT_TRUE(wait_until([&] {  // an attempt from before may be under way still
    try {
      return mgr.sql("pg").query_value<int>("SELECT 1") == 1;
    } catch (const error& e) {
      EXPECT_EQ(e.portable_code(), errc::connect_failed);
      return false;
    }
  }));
  EXPECT_TRUE(sessions_become(1));
}

TEST_F(manager_connecting, failing_to_open_a_closed_connection_leaves_it_closed) {
  settings_.defaults.min_open_conns = 2;
  settings_.defaults.retry_attempts = 1;
  auto& mgr = make({postgres_connection("pg", where_)});
  auto pg = mgr.get("pg");
  pg.connect();
  EXPECT_TRUE(sessions_become(2));
  pg.close();
  EXPECT_TRUE(sessions_become(0));
  gate_->refuse();
  EXPECT_EQ(error_of([&] { pg.connect(); }).portable_code(), errc::connect_failed);
  EXPECT_EQ(pg.phase(), connection_phase::closed);
  gate_->pass();
  const auto accepted = gate_->accepted();
  EXPECT_EQ(error_of([&] { pg.sql().query("SELECT 1"); }).portable_code(), errc::connection_closed);
  EXPECT_EQ(pg.statistics().pool.open, 0u);
  EXPECT_EQ(gate_->accepted(), accepted);
  pg.connect();
  EXPECT_TRUE(sessions_become(2));
}

TEST_F(manager_connecting, the_health_of_a_dead_server) {
  settings_.defaults.retry_attempts = 1;
  settings_.defaults.probe_after = 1ns;
  auto& mgr = make({postgres_connection("pg", where_), sqlite()});
  mgr.connect();
  EXPECT_EQ(mgr.health_check().count(health_status::healthy), 2u);
  gate_->cut(tcp_gate::ending::rst);
  gate_->refuse();
  auto report = mgr.health_check();
  EXPECT_TRUE(report.healthy) << "pg is not critical";
  EXPECT_EQ(report.count(health_status::unhealthy), 1u);
  EXPECT_THAT(report.databases[0].detail, HasSubstr("unhealthy"));
  EXPECT_EQ(mgr.statistics().degraded, 1u) << "what it counts as after one check";
  EXPECT_EQ(mgr.sql("lite").query_value<int>("SELECT 1"), 1);
  gate_->pass();
  EXPECT_TRUE(wait_until([&] { return mgr.get("pg").health_check().status == health_status::healthy; }));
  EXPECT_TRUE(sessions_become(1));
}

TEST_F(manager_connecting, it_finds_back_by_itself) {
  settings_.defaults.health_check_interval = 20ms;
  settings_.defaults.probe_after = 1ns;
  settings_.defaults.retry_attempts = 1;
  auto& mgr = make({postgres_connection("pg", where_)});
  mgr.connect();
  gate_->cut(tcp_gate::ending::fin);
  gate_->refuse();
  EXPECT_TRUE(wait_until([&] { return mgr.get("pg").health() == health_status::unhealthy; }));
  gate_->pass();
  EXPECT_TRUE(wait_until([&] { return mgr.get("pg").health() == health_status::healthy; }));
  EXPECT_TRUE(wait_until([&] { return mgr.get("pg").statistics().reconnects_succeeded >= 1; }));
  EXPECT_TRUE(sessions_become(1));
}

TEST_F(manager_connecting, a_database_that_is_not_there) {
  where_.database = "no_such_database";
  auto& mgr = make({postgres_connection("pg", where_)});
  const auto problem = error_of([&] { mgr.connect(); });
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_EQ(problem.sqlstate(), "3D000");
  EXPECT_EQ(gate_->accepted(), 1) << "it was tried again";
  EXPECT_TRUE(sessions_become(0));
}

}  // namespace
}  // namespace polypool::test
