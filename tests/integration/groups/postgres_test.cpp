// SPDX-License-Identifier: Apache-2.0
// A group over PostgreSQL with streaming replication: a standby that is promoted, an old primary that comes back.
#include "support/postgres_server.hpp"

#include <polypool/polypool.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <thread>

namespace polypool::test {
namespace {

using namespace std::chrono_literals;
using role_type = server_info::role_type;

class PostgresGroup : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = private_postgres::why_not(); !why.empty()) GTEST_SKIP() << why;
    a_.emplace();
    postgres_admin(a_->address()).execute("CREATE TABLE notes (id bigint PRIMARY KEY, at text)");
    b_.emplace(*a_);
    manager_.emplace(settings());
    manager_->connect();
  }
  void TearDown() override {
    if (manager_) manager_->close(1s, 5s);
  }

  config::settings settings() const {
    config::settings all;
    all.defaults.retry_attempts = 1;
    all.defaults.connect_timeout = 5s;
    all.defaults.max_open_conns = 4;
    all.defaults.circuit_breaker = false;  // what is tested is the group
    all.connections.push_back(config::connection_from_url("a", a_->address().url()));
    all.connections.push_back(config::connection_from_url("b", b_->address().url()));
    config::group orders;
    orders.name = "orders";
    orders.primary = "a";
    orders.replicas.push_back({"b"});
    orders.role_check_interval = 200ms;
    all.groups.push_back(orders);
    all.default_connection = "orders";
    return all;
  }
  group_status status() { return manager_->group("orders").status(); }
  bool primary_becomes(const std::string& name) {
    return wait_until([&] { return status().primary == name; });
  }
  std::string port_of(sql_database db) { return db.query_value<std::string>("SELECT inet_server_port()::text"); }

  std::optional<private_postgres> a_, b_;
  std::optional<manager> manager_;
};

TEST_F(PostgresGroup, KnowsRolesLagAndPositions) {
  ASSERT_TRUE(wait_until([&] {
    const auto now = status();
    return now.members[1].readable && now.members[1].lag == 0s && !now.members[1].position.empty();
  }));
  const auto now = status();
  EXPECT_EQ(now.primary, "a");
  EXPECT_EQ(now.members[0].observed, role_type::primary);
  EXPECT_EQ(now.members[1].observed, role_type::replica);
  EXPECT_FALSE(now.members[0].position.empty());
  const auto db = manager_->sql();
  EXPECT_EQ(port_of(db), std::to_string(a_->address().port));
  EXPECT_EQ(port_of(db.with(call().on(role::replica))), std::to_string(b_->address().port));
}

// The primary dies under load and the standby is promoted: the same handles go on, nothing that was committed is
// written twice or lost but what the dead server took with it, and no write ever reaches a server that is read-only.
TEST_F(PostgresGroup, FollowsAPromotionUnderLoadWithoutARestart) {
  std::atomic<bool> done{false};
  std::atomic<std::int64_t> next{0};
  std::mutex mutex;
  std::set<std::int64_t> after;    // written once the standby was the primary
  std::vector<std::string> wrong;  // errors that must not be
  std::atomic<bool> promoted{false};
  std::vector<std::jthread> workers;
  for (int w = 0; w < 3; ++w) {
    workers.emplace_back([&] {
      auto db = manager_->sql("orders");
      while (!done) {
        const auto id = ++next;
        const bool late = promoted;
        try {
          db.execute("INSERT INTO notes VALUES ($1, $2)", id, late ? "after" : "before");
          const std::scoped_lock lock(mutex);
          if (late) after.insert(id);
        } catch (const error& e) {
          const std::scoped_lock lock(mutex);
          if (e.portable_code() == errc::read_only || e.portable_code() == errc::unique_violation)
            wrong.emplace_back(e.what());
          std::this_thread::yield();
        }
      }
    });
  }
  ASSERT_TRUE(wait_until([&] { return next > 100; }));
  a_->kill();
  b_->promote();
  ASSERT_TRUE(primary_becomes("b"));
  promoted = true;
  ASSERT_TRUE(wait_until([&] {
    const std::scoped_lock lock(mutex);
    return after.size() > 100;
  }));
  done = true;
  workers.clear();
  EXPECT_TRUE(wrong.empty()) << wrong.front();
  EXPECT_EQ(status().failovers, 1U);
  auto direct = postgres_admin(b_->address());
  const auto found = direct.execute("SELECT id FROM notes WHERE at = 'after'");
  std::set<std::int64_t> there;
  for (const auto& row : found) there.insert(std::stoll(row[0]));
  EXPECT_TRUE(std::ranges::includes(there, after));
  EXPECT_EQ(port_of(manager_->sql()), std::to_string(b_->address().port));
}

TEST_F(PostgresGroup, TwoPrimariesGetNoWritesUntilOneIsFenced) {
  auto db = manager_->sql("orders");
  db.execute("INSERT INTO notes VALUES (1, 'one')");
  b_->promote();  // while the old one lives
  ASSERT_TRUE(wait_until([&] { return status().several_primaries; }));
  try {
    db.execute("INSERT INTO notes VALUES (2, 'two')");
    FAIL() << "written to one of two primaries";
  } catch (const error& e) {
    EXPECT_EQ(e.portable_code(), errc::no_primary);
    EXPECT_NE(std::string(e.what()).find("'a' and 'b' say they are the primary"), std::string::npos) << e.what();
  }
  EXPECT_EQ(postgres_admin(a_->address()).value("SELECT count(*) FROM notes WHERE id = 2"), "0");
  EXPECT_EQ(postgres_admin(b_->address()).value("SELECT count(*) FROM notes WHERE id = 2"), "0");
  const auto health = manager_->get("orders").health_check();
  EXPECT_EQ(health.status, health_status::unhealthy);
  a_->stop_fast();  // fenced
  ASSERT_TRUE(primary_becomes("b"));
  db.execute("INSERT INTO notes VALUES (2, 'two')");
  EXPECT_EQ(postgres_admin(b_->address()).value("SELECT at FROM notes WHERE id = 2"), "two");
  a_->become_standby();  // back, as what it is now
  ASSERT_TRUE(wait_until([&] { return status().members[0].observed == role_type::replica; }));
  EXPECT_EQ(status().primary, "b");
  db.execute("INSERT INTO notes VALUES (3, 'three')");
  EXPECT_EQ(postgres_admin(b_->address()).value("SELECT at FROM notes WHERE id = 3"), "three");
}

TEST_F(PostgresGroup, OldSessionsOfADemotedServerAreRetired) {
  auto db = manager_->sql("orders");
  db.execute("INSERT INTO notes VALUES (1, 'one')");
  // Made read-only without a restart, as managed services do: its sessions stay as they are.
  postgres_admin(a_->address()).execute("ALTER SYSTEM SET default_transaction_read_only = on");
  postgres_admin(a_->address()).execute("SELECT pg_reload_conf()");
  b_->promote();
  ASSERT_TRUE(primary_becomes("b"));
  EXPECT_TRUE(wait_until([&] { return manager_->get("a").statistics().pool.closed_for(close_cause::generation) > 0; }));
  db.execute("INSERT INTO notes VALUES (2, 'two')");
  EXPECT_EQ(postgres_admin(b_->address()).value("SELECT at FROM notes WHERE id = 2"), "two");
}

TEST_F(PostgresGroup, ReadsSeeTheirWritesAlthoughTheReplicaIsBehind) {
  ASSERT_TRUE(wait_until([&] { return status().members[1].readable; }));
  postgres_admin behind(b_->address());
  b_->pause_replay();
  const consistency mine;
  const auto writing = manager_->sql("orders").with(call().reading_after(mine));
  const auto reading = writing.with(call().on(role::replica).reading_after(mine));
  const auto careless = writing.with(call().on(role::replica));
  auto write = writing;
  auto read = reading;
  auto other = careless;
  for (int id = 1; id <= 20; ++id) {
    write.execute("INSERT INTO notes VALUES ($1, 'x')", id);
    EXPECT_EQ(read.query_value<std::int64_t>("SELECT count(*) FROM notes"), id);
    EXPECT_EQ(other.query_value<std::int64_t>("SELECT count(*) FROM notes"), 0);
  }
  behind.execute("SELECT pg_wal_replay_resume()");
  EXPECT_TRUE(wait_until([&] { return port_of(read) == std::to_string(b_->address().port); }));
  EXPECT_EQ(read.query_value<std::int64_t>("SELECT count(*) FROM notes"), 20);
}

}  // namespace
}  // namespace polypool::test
