// SPDX-License-Identifier: Apache-2.0
// A server that stops, crashes, freezes, is full, changes its role.
#include "fixture.hpp"
#include "support/tcp_gate.hpp"

#include <optional>
#include <vector>

namespace polypool::test {
namespace {

class mysql_private : public ::testing::TestWithParam<way> {
 protected:
  mysql_private() : go_(GetParam()) {}
  void SetUp() override {
    if (const auto reason = private_mysql::why_not(); !reason.empty()) GTEST_SKIP() << reason;
  }
  endpoint start(const std::string& settings = {}) {
    server_.emplace(settings);
    return server_->address().to_endpoint();
  }
  runner go_;
  std::optional<private_mysql> server_;
};
POLYPOOL_BOTH_WAYS(mysql_private);

TEST_P(mysql_private, stops_crashes_and_comes_back) {
  const auto where = start();
  client db(go_, where);
  server_->stop_fast();
  const auto stopped = db.failure("SELECT 1");
  EXPECT_EQ(stopped.portable_code(), errc::connection_lost) << stopped.what();
  EXPECT_EQ(failure_of(go_, mysql::make_driver()->connect(where)).portable_code(), errc::connect_failed);
  server_->start();
  client again(go_, where);
  EXPECT_EQ(again.text("SELECT 1"), "1");
  server_->kill();
  EXPECT_EQ(again.failure("SELECT 1").portable_code(), errc::connection_lost);
  server_->start();
  client third(go_, where);
  EXPECT_EQ(third.text("SELECT 1"), "1");
}

TEST_P(mysql_private, a_frozen_server_costs_the_session_and_no_more) {
  auto where = start();
  client db(go_, where);
  EXPECT_EQ(db.text("SELECT 1"), "1");
  server_->suspend();
  EXPECT_EQ(failure_of(go_, with_timeout(50ms, db.executing("SELECT 1"))).portable_code(), errc::deadline_exceeded);
  const auto problem = failure_of(go_, with_timeout(200ms, db->reset()));
  EXPECT_EQ(problem.portable_code(), errc::connection_lost) << problem.what();
  EXPECT_TRUE(db->broken());
  where.connect_timeout = 100ms;
  const auto hung = failure_of(go_, mysql::make_driver()->connect(where));
  EXPECT_EQ(hung.portable_code(), errc::connect_failed);
  EXPECT_NE(hung.cause().find("hung"), std::string::npos) << hung.what();
  server_->resume();
  where.connect_timeout = 10s;
  client again(go_, where);
  EXPECT_EQ(again.text("SELECT 1"), "1");
}

TEST_P(mysql_private, unix_socket) {
  auto where = start();
  mysql_admin(server_->address()).execute("CREATE USER polypool@localhost IDENTIFIED BY 'polypool-test'");
  where.host = server_->folder() + "/s";
  where.tls = tls_mode::require;  // means nothing there
  where.database = "";
  client db(go_, where);
  EXPECT_EQ(db.text("SELECT USER()"), "polypool@localhost");
  const auto id = db.id();
  failure_of(go_, with_timeout(30ms, db.executing("SELECT SLEEP(60)")));
  db.reset();
  EXPECT_EQ(db.id(), id);
  where.host = "/nowhere/s";
  const auto problem = failure_of(go_, mysql::make_driver()->connect(where));
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_NE(problem.cause().find("/nowhere/s"), std::string::npos) << problem.what();
}

TEST_P(mysql_private, without_tls) {
  auto where = start("ssl = 0\nskip-ssl");
  for (const auto mode : {tls_mode::allow, tls_mode::prefer}) {
    where.tls = mode;
    client db(go_, where);
    EXPECT_EQ(db.query("SHOW STATUS LIKE 'Ssl_cipher'").front().get<std::string>(1), "");
  }
  where.tls = tls_mode::require;
  const auto problem = failure_of(go_, mysql::make_driver()->connect(where));
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_EQ(problem.disposition(), disposition::permanent);
  EXPECT_NE(problem.hint().find("sslmode"), std::string::npos) << problem.what();
}

TEST_P(mysql_private, that_wants_tls) {
  auto where = start("require-secure-transport = ON");
  where.tls = tls_mode::disable;
  const auto problem = failure_of(go_, mysql::make_driver()->connect(where));
  EXPECT_EQ(problem.disposition(), disposition::permanent) << problem.what();
  EXPECT_NE(problem.hint().find("sslmode"), std::string::npos) << problem.what();
  where.tls = tls_mode::allow;
  client db(go_, where);
  EXPECT_NE(db.query("SHOW STATUS LIKE 'Ssl_cipher'").front().get<std::string>(1), "");
}

TEST_P(mysql_private, that_is_full) {
  const auto where = start("max-connections = 10");
  std::vector<std::unique_ptr<client>> all;
  const auto problem = [&] {
    try {
      // One more than the limit gets in who may administrate.
      while (all.size() < 20) all.push_back(std::make_unique<client>(go_, where));
    } catch (const error& full) {
      return full;
    }
    return error(errc::internal_error, "nothing was thrown");
  }();
  EXPECT_EQ(problem.portable_code(), errc::too_many_connections) << problem.what();
  EXPECT_EQ(problem.native_code(), 1040);
  EXPECT_EQ(problem.disposition(), disposition::retryable);
  EXPECT_NE(problem.hint().find("max_connections"), std::string::npos) << problem.what();
  // There is no room to cancel, either: that costs the session.
  failure_of(go_, with_timeout(30ms, all.front()->executing("SELECT SLEEP(1)")));
  EXPECT_EQ(failure_of(go_, (*all.front())->reset()).portable_code(), errc::connection_lost);
  all.clear();
  EXPECT_TRUE(wait_until([&] {
    try {
      client db(go_, where);
      return true;
    } catch (const error&) {
      return false;
    }
  }));
}

TEST_P(mysql_private, that_keeps_no_more_prepared_statements) {
  const auto where = start();
  mysql_admin admin(server_->address());
  client db(go_, where);
  for (int i = 0; i < 5; ++i) db.query("SELECT " + std::to_string(i));
  admin.execute("SET GLOBAL max_prepared_stmt_count = 5");
  EXPECT_EQ(db.text("SELECT 'one more'"), "one more") << "older ones made room";
  admin.execute("SET GLOBAL max_prepared_stmt_count = 0");
  const auto problem = db.failure("SELECT 'and another'");
  EXPECT_EQ(problem.native_code(), 1461);
  EXPECT_NE(problem.hint().find("statement_cache"), std::string::npos) << problem.what();
  admin.execute("SET GLOBAL max_prepared_stmt_count = 1000");
  EXPECT_EQ(db.text("SELECT 'and another'"), "and another");
}

TEST_P(mysql_private, read_only) {
  const auto where = start();
  mysql_admin admin(server_->address());
  admin.execute("CREATE USER weak@'127.0.0.1' IDENTIFIED BY 'polypool-test'");
  admin.execute("GRANT ALL ON polypool.* TO weak@'127.0.0.1'");
  auto weak = where;
  weak.user = "weak";
  client db(go_, weak);
  EXPECT_EQ(go_(db->describe()).role, server_info::role_type::primary);
  db.query("CREATE TABLE t (x int)");
  admin.execute("SET GLOBAL read_only = 1");
  EXPECT_EQ(go_(db->describe()).role, server_info::role_type::read_only);
  const auto problem = db.failure("INSERT INTO t VALUES (1)");
  EXPECT_EQ(problem.portable_code(), errc::read_only) << problem.what();
  EXPECT_EQ(problem.native_code(), 1290);
  EXPECT_EQ(problem.disposition(), disposition::retryable_elsewhere);
  EXPECT_TRUE(problem.poisons_session());
  EXPECT_TRUE(db->broken()) << "the pool opens another one, perhaps with the new primary";
}

TEST_P(mysql_private, a_replica) {
  const auto where = start(
      "server-id = 1\nlog-bin = "
      "bin");
  private_mysql replica("server-id = 2\nread-only = 1");
  mysql_admin source_admin(server_->address());
  mysql_admin replica_admin(replica.address());
  source_admin.execute("GRANT REPLICATION SLAVE ON *.* TO repl@'127.0.0.1' IDENTIFIED BY 'repl'");
  replica_admin.execute("SET GLOBAL gtid_slave_pos = '" + source_admin.value("SELECT @@gtid_current_pos") + "'");
  replica_admin.execute(
      "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=" + std::to_string(server_->address().port) +
      ", MASTER_USER='repl', MASTER_PASSWORD='repl', MASTER_USE_GTID=slave_pos");
  replica_admin.execute("START SLAVE");
  client primary(go_, where);
  client db(go_, replica.address().to_endpoint());
  EXPECT_EQ(go_(primary->describe()).role, server_info::role_type::primary);
  EXPECT_EQ(go_(db->describe()).role, server_info::role_type::replica);
  // Who may not ask for its state can see that it runs.
  replica_admin.execute("CREATE USER weak@'127.0.0.1' IDENTIFIED BY 'polypool-test'");
  auto weak = replica.address().to_endpoint();
  weak.user = "weak";
  weak.database = "";
  client guest(go_, weak);
  EXPECT_TRUE(wait_until([&] { return go_(guest->describe()).role == server_info::role_type::replica; }));
  // Promoted.
  replica_admin.execute("STOP SLAVE");
  replica_admin.execute("RESET SLAVE ALL");
  replica_admin.execute("SET GLOBAL read_only = 0");
  EXPECT_EQ(go_(db->describe()).role, server_info::role_type::primary);
}

// What answers at the session's address need not be the server that it talks to, and there the number of the session is
// somebody else's.
TEST_P(mysql_private, a_cancel_asks_the_same_server_or_nobody) {
  start();
  private_mysql other;
  std::optional<tcp_gate> gate;
  gate.emplace(server_->address().host, server_->address().port);
  auto where = server_->address().to_endpoint();
  where.port = gate->port();
  client db(go_, where);
  failure_of(go_, with_timeout(30ms, db.executing("SELECT SLEEP(1)")));
  gate->redirect(other.address().host, other.address().port);  // new connections only
  const auto problem = failure_of(go_, db->reset());
  EXPECT_EQ(problem.portable_code(), errc::connection_lost) << problem.what();
  EXPECT_TRUE(db->broken());
}

}  // namespace
}  // namespace polypool::test
