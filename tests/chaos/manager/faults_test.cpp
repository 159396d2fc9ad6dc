// SPDX-License-Identifier: Apache-2.0
// Everything that happens to servers and networks, to a bank at work: nothing is lost, nothing is done twice, no call
// hangs, and afterwards the work goes on by itself.
#include "bank.hpp"

namespace polypool::test {
namespace {

using manager_faults = bank_test;

TEST_F(manager_faults, the_server_is_restarted) {
  while_sqlite_works([&] {
    server_->restart();
    progress(50);
  });
  EXPECT_GT(outcomes_.failures(), 0);
  settle();
}

TEST_F(manager_faults, the_server_is_killed_and_started_a_while_later) {
  while_sqlite_works([&] {
    server_->kill();
    trouble(20);
  });
  server_->start();
  progress(50);
  settle();
}

TEST_F(manager_faults, the_server_freezes) {
  server_may_lag_ = true;  // it learns only later that its clients have gone
  while_sqlite_works([&] {
    server_->suspend();
    trouble(20);
  });
  server_->resume();
  progress(50);
  settle();
}

TEST_F(manager_faults, all_sessions_are_cut_again_and_again) {
  server_may_lag_ = true;
  while_sqlite_works([&] {
    for (const auto how : {tcp_gate::ending::rst, tcp_gate::ending::fin, tcp_gate::ending::rst}) {
      gate_->cut(how);
      progress(20);
    }
  });
  settle();
}

TEST_F(manager_faults, the_network_is_gone_for_a_while) {
  server_may_lag_ = true;
  while_sqlite_works([&] {
    gate_->refuse();  // before the cut: nobody slips back in between
    gate_->cut(tcp_gate::ending::rst);
    trouble(20);
  });
  gate_->pass();
  progress(50);
  settle();
}

TEST_F(manager_faults, the_network_swallows_everything_for_a_while) {
  server_may_lag_ = true;
  while_sqlite_works([&] {
    gate_->stall();
    trouble(20);
  });
  gate_->pass();
  progress(50);
  settle();
}

TEST_F(manager_faults, results_are_cut_in_the_middle) {
  server_may_lag_ = true;
  while_sqlite_works([&] {
    // Every session dies after a few dozen answers, at any byte of one.
    for (const std::uint64_t bytes : {2500u, 3001u, 3503u}) {
      gate_->cut_after(bytes, bytes % 2 == 0 ? tcp_gate::ending::fin : tcp_gate::ending::rst);
      gate_->cut(tcp_gate::ending::rst);
      trouble(8);
    }
  });
  EXPECT_GT(outcomes_.done(), 0);
  gate_->pass();
  gate_->cut(tcp_gate::ending::rst);
  progress(50);
  settle();
}

TEST_F(manager_faults, results_never_end) {
  server_may_lag_ = true;
  while_sqlite_works([&] {
    gate_->truncate_after(3001);
    gate_->cut(tcp_gate::ending::rst);
    trouble(8);
  });
  gate_->pass();
  progress(50);
  settle();
}

TEST_F(manager_faults, an_administrator_ends_all_sessions) {
  server_may_lag_ = true;  // a session says goodbye before it is gone
  postgres_admin admin(server_->address());
  while_sqlite_works([&] {
    for (int i = 0; i < 5; ++i) {
      admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'polypool_bank'");
      progress(20);
    }
  });
  EXPECT_GT(outcomes_.failures(), 0);
  settle();
}

TEST_F(manager_faults, closed_by_force_in_the_middle) {
  manager_->get("bank").close(0s);
  EXPECT_EQ(manager_->statistics().connections[0].phase, connection_phase::closed);
  EXPECT_TRUE(wait_until([&] { return server_sessions() == 0; }));
  manager_->get("bank").connect();
  progress(50);
  closed_is_expected_ = true;
  settle();
}

}  // namespace
}  // namespace polypool::test
