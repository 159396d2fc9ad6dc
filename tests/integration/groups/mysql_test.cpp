// SPDX-License-Identifier: Apache-2.0
// A group over MySQL or MariaDB with replication by GTID: a switch-over that leaves the old sessions alive.
#include "support/mysql_server.hpp"

#include <polypool/polypool.hpp>

#include <gtest/gtest.h>

namespace polypool::test {
namespace {

using namespace std::chrono_literals;
using role_type = server_info::role_type;

class MysqlGroup : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = private_mysql::why_not(); !why.empty()) GTEST_SKIP() << why;
    a_.emplace("server-id = 1\nlog-bin = bin\nlog-slave-updates = 1");
    b_.emplace("server-id = 2\nlog-bin = bin\nlog-slave-updates = 1\nread-only = 1");
    mysql_admin source(a_->address());
    mysql_admin replica(b_->address());
    source.execute("GRANT REPLICATION SLAVE ON *.* TO repl@'127.0.0.1' IDENTIFIED BY 'repl'");
    replica.execute("RESET MASTER");
    replica.execute("SET GLOBAL gtid_slave_pos = '" + source.value("SELECT @@gtid_current_pos") + "'");
    replica.execute("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=" + std::to_string(a_->address().port) +
                    ", MASTER_USER='repl', MASTER_PASSWORD='repl', MASTER_USE_GTID=slave_pos");
    replica.execute("START SLAVE");
    // Who may pass over read_only tests nothing.
    source.execute("CREATE USER app@'127.0.0.1' IDENTIFIED BY 'app'");
    source.execute("GRANT SELECT, INSERT, CREATE, REPLICATION CLIENT, SLAVE MONITOR ON *.* TO app@'127.0.0.1'");
    source.execute("CREATE TABLE polypool.notes (id BIGINT PRIMARY KEY)");
    ASSERT_TRUE(wait_until([&] {
      return replica.value("SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'notes'") == "1";
    }));
    config::settings all;
    all.defaults.retry_attempts = 1;
    all.defaults.connect_timeout = 5s;
    all.defaults.circuit_breaker = false;
    for (const auto& [name, server] : {std::pair{"a", &*a_}, {"b", &*b_}}) {
      auto where = server->address();
      where.user = where.password = "app";
      all.connections.push_back(config::connection_from_url(name, where.url()));
    }
    config::group orders;
    orders.name = "orders";
    orders.primary = "a";
    orders.replicas.push_back({"b"});
    orders.max_lag = 60s;
    orders.role_check_interval = 200ms;
    all.groups.push_back(orders);
    manager_.emplace(std::move(all));
    manager_->connect();
  }
  group_status status() { return manager_->group("orders").status(); }
  std::string id_of(sql_database db) { return db.query_value<std::string>("SELECT CAST(@@server_id AS CHAR)"); }

  std::optional<private_mysql> a_, b_;
  std::optional<manager> manager_;
};

TEST_F(MysqlGroup, ReadsSeeTheirWritesAlthoughTheReplicaIsBehind) {
  ASSERT_TRUE(wait_until([&] { return status().members[1].readable; })) << status().members[1].problem;
  EXPECT_FALSE(status().members[0].position.empty());
  const consistency mine;
  auto write = manager_->sql("orders").with(call().reading_after(mine));
  auto read = manager_->sql("orders").with(call().on(role::replica).reading_after(mine));
  EXPECT_EQ(id_of(manager_->sql("orders").with(call().on(role::replica))), "2");
  mysql_admin replica(b_->address());
  replica.execute("LOCK TABLES polypool.notes READ");  // holds up what it gets
  for (int id = 1; id <= 10; ++id) {
    write.execute("INSERT INTO notes VALUES ($1)", id);
    EXPECT_EQ(read.query_value<std::int64_t>("SELECT COUNT(*) FROM notes"), id);
  }
  replica.execute("UNLOCK TABLES");
  EXPECT_TRUE(wait_until([&] { return id_of(read) == "2"; })) << status().members[1].position;
  EXPECT_EQ(read.query_value<std::int64_t>("SELECT COUNT(*) FROM notes"), 10);
}

TEST_F(MysqlGroup, FollowsASwitchOverWhoseOldSessionsLive) {
  auto db = manager_->sql("orders");
  db.execute("INSERT INTO notes VALUES (1)");
  mysql_admin(a_->address()).execute("SET GLOBAL read_only = 1");
  try {
    for (int id = 100; id < 10000; ++id) db.execute("INSERT INTO notes VALUES ($1)", id);
    FAIL() << "written to a server that is read-only";
  } catch (const error& e) {
    EXPECT_TRUE(e.portable_code() == errc::read_only || e.portable_code() == errc::no_primary) << e.what();
  }
  ASSERT_TRUE(wait_until([&] { return status().primary.empty(); }));
  EXPECT_EQ(status().members[0].observed, role_type::read_only);
  mysql_admin replica(b_->address());
  replica.execute("STOP SLAVE");
  replica.execute("RESET SLAVE ALL");
  replica.execute("SET GLOBAL read_only = 0");
  ASSERT_TRUE(wait_until([&] { return status().primary == "b"; }));
  db.execute("INSERT INTO notes VALUES (2)");
  EXPECT_EQ(id_of(db), "2");
  EXPECT_GT(manager_->get("a").statistics().pool.closed_for(close_cause::generation) +
                manager_->get("a").statistics().pool.closed_for(close_cause::broken),
            0U);
}

}  // namespace
}  // namespace polypool::test
