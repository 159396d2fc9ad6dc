// SPDX-License-Identifier: Apache-2.0
// The bank over a group of two servers: the primary dies, goes or hangs, and its standby is promoted.
#include "bank.hpp"

#include <polypool/groups.hpp>

namespace polypool::test {
namespace {

using role_type = server_info::role_type;

/// Each commit waits until the standby has it, so whatever was acknowledged has to be there after a promotion. Balances
/// are added up on the standby as long as there is one.
class manager_promoted : public bank_test {
 protected:
  void prepare(postgres_admin& admin) override {
    bank_test::prepare(admin);
    standby_ = std::make_unique<private_postgres>(*server_);
    change(*standby_, "SET synchronous_commit = on");
    wait_for_standby_with_each_commit(*server_);
    server_may_lag_ = true;               // one that dies says no goodbye, and neither do those it has cut off
    also_expected_ = {errc::no_primary};  // for as long as two say they are, or none does
    members_ = {"bank-a", "bank-b"};
  }
  endpoint open_gate() override { return server_->address().to_endpoint(application); }
  void configure(config::settings& settings, const endpoint& where) override {
    bank_test::configure(settings, where);
    settings.connections.front().name = "bank-a";
    settings.connections.push_back(postgres_connection("bank-b", standby_->address().to_endpoint(application)));
    config::group bank;
    bank.name = "bank";
    bank.primary = "bank-a";
    bank.replicas.push_back({"bank-b"});
    bank.role_check_interval = probe_interval;
    settings.groups.push_back(std::move(bank));
  }
  call reading() const override { return call().idempotent().on(role::replica); }
  std::vector<private_postgres*> servers() override { return {server_.get(), standby_.get()}; }
  private_postgres& books() override { return *primary_; }

  static void change(const private_postgres& server, const std::string& setting) {
    postgres_admin admin(server.address());
    admin.execute("ALTER SYSTEM " + setting);
    admin.execute("SELECT pg_reload_conf()");
  }
  static void wait_for_standby_with_each_commit(const private_postgres& primary) {
    change(primary, "SET synchronous_standby_names = '*'");
    postgres_admin admin(primary.address());
    EXPECT_TRUE(wait_until(
        [&] { return admin.value("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == "1"; }));
  }
  /// It has no standby of its own at first, and must not wait for one.
  void promote(private_postgres& server) {
    change(server, "RESET synchronous_standby_names");
    server.promote();
    primary_ = &server;
  }
  group_status status() { return manager_->group("bank").status(); }
  std::uint64_t reads_of(std::size_t member) { return status().members[member].choices; }

  std::unique_ptr<private_postgres> standby_;
  private_postgres* primary_ = nullptr;  // in the end
};

TEST_F(manager_promoted, the_primary_is_killed_and_the_standby_promoted) {
  EXPECT_TRUE(wait_until([&] { return reads_of(1) > 0; })) << "nobody reads from the standby";
  while_sqlite_works([&] {
    server_->kill();
    the_breaker_opens();
  });
  recovers_after([&] { promote(*standby_); });
  EXPECT_EQ(status().primary, "bank-b");
  EXPECT_EQ(status().failovers, 1u);
  EXPECT_GT(outcomes_.failures(), 0);
  settle();
}

TEST_F(manager_promoted, a_switch_over_there_and_back) {
  private_postgres* from = server_.get();
  private_postgres* to = standby_.get();
  for (const std::size_t becomes : {1u, 0u}) {
    while_sqlite_works([&] {
      from->stop_fast();
      trouble(20);
    });
    recovers_after([&] { promote(*to); });
    EXPECT_EQ(status().primary, members_[becomes]);
    from->follow(*to);
    wait_for_standby_with_each_commit(*to);
    const std::size_t replica = 1 - becomes;
    EXPECT_TRUE(wait_until([&] { return status().members[replica].readable; })) << status().members[replica].problem;
    EXPECT_EQ(status().members[replica].observed, role_type::replica);
    const auto before = reads_of(replica);
    progress(50);
    EXPECT_TRUE(wait_until([&] { return reads_of(replica) > before; })) << "nobody reads from the one that came back";
    std::swap(from, to);
  }
  EXPECT_EQ(status().failovers, 2u);
  settle();
}

// A machine that hangs is not known to be down, and says nothing. It is shot, as a cluster's manager does, before it
// may come back as a second primary.
TEST_F(manager_promoted, the_primary_hangs_and_the_standby_is_promoted) {
  while_sqlite_works([&] {
    server_->suspend();
    trouble(20);
  });
  recovers_after([&] { promote(*standby_); });
  EXPECT_EQ(status().primary, "bank-b");
  server_->kill();
  progress(50);
  settle();
}

}  // namespace
}  // namespace polypool::test
