// SPDX-License-Identifier: Apache-2.0
// A PostgreSQL server behind ODBC that stops, crashes, freezes, changes its role.
#include "fixture.hpp"

#include <polypool/manager.hpp>

namespace polypool::test {
namespace {

class odbc_postgres_private : public ::testing::TestWithParam<way> {
 protected:
  odbc_postgres_private() : go_(GetParam()) {}
  void SetUp() override {
    if (const auto reason = why_no_library("psqlodbcw.so"); !reason.empty()) GTEST_SKIP() << reason;
    if (const auto reason = private_postgres::why_not(); !reason.empty()) GTEST_SKIP() << reason;
    server_.emplace();
    where_ = over_psqlodbc(server_->address().to_endpoint("private"));
  }
  runner go_;
  std::shared_ptr<driver> driver_ = odbc::make_driver();
  std::optional<private_postgres> server_;
  endpoint where_;
};
POLYPOOL_BOTH_WAYS(odbc_postgres_private);

TEST_P(odbc_postgres_private, stops_crashes_and_comes_back) {
  odbc_client db(go_, where_);
  server_->stop_fast();
  const auto stopped = db.failure("SELECT 1");
  EXPECT_EQ(stopped.portable_code(), errc::connection_lost) << stopped.what();
  EXPECT_EQ(failure_of(go_, driver_->connect(where_)).portable_code(), errc::connect_failed);
  server_->start();
  odbc_client again(go_, where_);
  EXPECT_EQ(again.text("SELECT 1"), "1");
  server_->kill();
  EXPECT_EQ(again.failure("SELECT 1").portable_code(), errc::connection_lost);
  server_->start();
  odbc_client third(go_, where_);
  EXPECT_EQ(third.text("SELECT 1"), "1");
}

TEST_P(odbc_postgres_private, a_frozen_server_costs_the_session_and_no_more) {
  odbc_client db(go_, where_);
  EXPECT_EQ(db.text("SELECT 1"), "1");
  server_->suspend();
  EXPECT_EQ(failure_of(go_, with_timeout(50ms, db.executing("SELECT 1"))).portable_code(), errc::deadline_exceeded);
  const auto problem = failure_of(go_, with_timeout(200ms, db->reset()));
  EXPECT_EQ(problem.portable_code(), errc::connection_lost) << problem.what();
  EXPECT_TRUE(db->broken());
  where_.connect_timeout = 100ms;
  const auto hung = failure_of(go_, driver_->connect(where_));
  EXPECT_EQ(hung.portable_code(), errc::connect_failed);
  EXPECT_NE(hung.cause().find("hung"), std::string::npos) << hung.what();
  server_->resume();
  where_.connect_timeout = 10s;
  odbc_client again(go_, where_);
  EXPECT_EQ(again.text("SELECT 1"), "1");
}

TEST_P(odbc_postgres_private, unix_socket) {
  where_.host = server_->folder();
  odbc_client db(go_, where_);
  EXPECT_EQ(db.text("SELECT inet_client_addr() IS NULL"), "1");
  failure_of(go_, with_timeout(30ms, db.executing("SELECT pg_sleep(60)")));
  db.reset();
  EXPECT_EQ(db.text("SELECT 1"), "1");
}

TEST_P(odbc_postgres_private, a_standby_and_its_promotion) {
  server_->become_standby();
  {
    odbc_client db(go_, where_);
    EXPECT_EQ(go_(db->describe()).role, server_info::role_type::replica);
    EXPECT_EQ(db.failure("CREATE TABLE never (x int)").portable_code(), errc::read_only);
    EXPECT_TRUE(db->broken());
    odbc_client reader(go_, where_);
    reader.query("SET work_mem = '9MB'");
    reader.reset();
    EXPECT_FALSE(reader->dirty()) << "a reset works on a standby, too";
  }
  server_->promote();
  odbc_client db(go_, where_);
  EXPECT_EQ(go_(db->describe()).role, server_info::role_type::primary);
  db.query("CREATE TABLE now_possible (x int)");
}

// Two servers, of which one streams to the other.
TEST_P(odbc_postgres_private, a_standby_tells_how_far_it_is_behind) {
  private_postgres standby(*server_);
  postgres_admin primary(server_->address());
  primary.execute("CREATE TABLE t (x int)");
  odbc_client db(go_, over_psqlodbc(standby.address().to_endpoint("private")));
  // Before it has applied a transaction it cannot tell the age of the last one.
  postgres_admin there(standby.address());
  EXPECT_TRUE(wait_until([&] { return there.value("SELECT count(*) FROM pg_class WHERE relname = 't'") == "1"; }));
  EXPECT_TRUE(wait_until([&] { return go_(db->describe()).lag == 0s; }));
  const auto level = go_(db->describe());
  EXPECT_EQ(level.role, server_info::role_type::replica);
  EXPECT_FALSE(level.position.empty());
  const auto source = go_(odbc_client(go_, where_)->describe());
  EXPECT_EQ(source.lag, std::nullopt);
  EXPECT_TRUE(position_reached(source.position, level.position));
  standby.pause_replay();
  primary.execute("INSERT INTO t VALUES (1)");
  EXPECT_TRUE(wait_until([&] { return go_(db->describe()).lag > 0s; }));

  config::settings settings;
  settings.defaults.max_replica_lag = 1ms;
  settings.defaults.lazy_connect = true;
  config::connection member;
  member.name = "replica";
  member.type = config::database_type::odbc;
  member.where = over_psqlodbc(standby.address().to_endpoint("private"));
  settings.connections.push_back(std::move(member));
  manager mgr(std::move(settings));
  const auto health = mgr.get("replica").health_check();
  EXPECT_EQ(health.status, health_status::degraded);
  EXPECT_NE(health.detail.find("behind its primary"), std::string::npos) << health.detail;
}

}  // namespace
}  // namespace polypool::test
