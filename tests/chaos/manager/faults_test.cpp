// SPDX-License-Identifier: Apache-2.0
// Everything that happens to servers and networks, to a bank at work: nothing is lost, nothing is done twice, no call
// hangs, and afterwards the work goes on by itself.
#include "bank.hpp"
#include "support/moving_name.hpp"

#include <system_error>

namespace polypool::test {
namespace {

using manager_faults = bank_test;

TEST_F(manager_faults, the_server_is_restarted) {
  while_sqlite_works([&] { server_->restart(); });
  recovers_after([] {});
  EXPECT_GT(outcomes_.failures(), 0);
  settle();
}

TEST_F(manager_faults, the_server_is_killed_and_started_a_while_later) {
  while_sqlite_works([&] {
    server_->kill();
    the_breaker_opens();
  });
  recovers_after([&] { server_->start(); });
  settle();
}

TEST_F(manager_faults, the_server_freezes) {
  server_may_lag_ = true;  // it learns only later that its clients have gone
  while_sqlite_works([&] {
    server_->suspend();
    trouble(20);
  });
  recovers_after([&] { server_->resume(); });
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
  recovers_after([&] { gate_->cut(tcp_gate::ending::fin); });
  settle();
}

TEST_F(manager_faults, connections_are_closed_as_soon_as_they_are_made) {
  server_may_lag_ = true;
  while_sqlite_works([&] {
    gate_->refuse();  // before the cut: nobody slips back in between
    gate_->cut(tcp_gate::ending::rst);
    trouble(20);
  });
  recovers_after([&] { gate_->pass(); });
  settle();
}

TEST_F(manager_faults, nobody_listens_for_a_while) {
  server_may_lag_ = true;
  while_sqlite_works([&] {
    gate_->close_port();
    gate_->cut(tcp_gate::ending::rst);
    the_breaker_opens();
  });
  recovers_after([&] { gate_->pass(); });
  settle();
}

TEST_F(manager_faults, connecting_leads_into_a_black_hole) {
  server_may_lag_ = true;
  while_sqlite_works([&] {
    gate_->blackhole();
    gate_->cut(tcp_gate::ending::rst);
    trouble(20);
  });
  recovers_after([&] { gate_->pass(); });
  settle();
}

TEST_F(manager_faults, the_network_swallows_everything_for_a_while) {
  server_may_lag_ = true;
  while_sqlite_works([&] {
    gate_->stall();
    trouble(20);
  });
  recovers_after([&] { gate_->pass(); });
  settle();
}

TEST_F(manager_faults, the_network_is_slow) {
  while_sqlite_works([&] {
    gate_->delay(20ms);
    progress(20);
  });
  recovers_after([&] { gate_->pass(); });
  if (outcomes_.failures_of(errc::deadline_exceeded) == 0) {
    const auto pool = manager_->get("bank").statistics().pool;
    EXPECT_EQ(pool.closed_for(close_cause::broken), 0u) << "a session was given up that only was slow";
  }
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
  recovers_after([&] {
    gate_->pass();
    gate_->cut(tcp_gate::ending::rst);
  });
  settle();
}

TEST_F(manager_faults, results_never_end) {
  server_may_lag_ = true;
  while_sqlite_works([&] {
    gate_->truncate_after(3001);
    gate_->cut(tcp_gate::ending::rst);
    trouble(8);
  });
  recovers_after([&] { gate_->pass(); });
  settle();
}

TEST_F(manager_faults, an_administrator_ends_all_sessions) {
  server_may_lag_ = true;  // a session says goodbye before it is gone
  postgres_admin admin(server_->address());
  const std::string end_all =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'polypool_bank'";
  while_sqlite_works([&] {
    for (int i = 0; i < 4; ++i) {
      admin.execute(end_all);
      progress(20);
    }
  });
  recovers_after([&] { admin.execute(end_all); });
  EXPECT_GT(outcomes_.failures(), 0);
  settle();
}

TEST_F(manager_faults, closed_by_force_in_the_middle) {
  also_expected_ = {errc::connection_closed};
  while_sqlite_works([&] {
    manager_->get("bank").close(0s);
    EXPECT_EQ(manager_->statistics().connections[0].phase, connection_phase::closed);
    EXPECT_TRUE(wait_until([&] { return server_sessions() == 0; }));
  });
  recovers_after([&] { manager_->get("bank").connect(); });
  settle();
}

/// A server that has room for few, and somebody else who takes it all.
class manager_crowded : public bank_test {
 protected:
  void prepare(postgres_admin& admin) override {
    bank_test::prepare(admin);
    admin.execute("ALTER SYSTEM SET max_connections = " + std::to_string(most_sessions));
    server_->restart();
  }
  /// Opens sessions until the server takes no more. Sessions that never got as far as to be counted may still be on
  /// their way out, so it is full only when all of them are ours.
  void take_all() {
    EXPECT_TRUE(wait_until([&] {
      try {
        others_.push_back(std::make_unique<postgres_admin>(server_->address()));
      } catch (const std::runtime_error& full) {
        EXPECT_THAT(full.what(), HasSubstr("too many clients"));
      }
      return others_.size() + admins_.size() == most_sessions;
    }));
  }
  static constexpr std::size_t most_sessions = 20;
  std::vector<std::unique_ptr<postgres_admin>> others_;
};

TEST_F(manager_crowded, max_connections_is_used_up_by_somebody_else) {
  server_may_lag_ = true;
  while_sqlite_works([&] {
    gate_->refuse();
    gate_->cut(tcp_gate::ending::rst);
    EXPECT_TRUE(wait_until([&] { return server_sessions() == 0; }));
    take_all();
    gate_->pass();
    EXPECT_TRUE(wait_until([&] { return outcomes_.failures_of(errc::too_many_connections) >= 5; }));
  });
  const int before = gate_->accepted();
  const stopwatch watch;
  EXPECT_TRUE(wait_until([&] { return watch.elapsed() >= 500ms; }));
  // Without backoff 200 callers would have made thousands.
  const double seconds = std::chrono::duration<double>(watch.elapsed()).count();
  EXPECT_LT(gate_->accepted() - before, 50 + 300 * seconds) << "it hammers a server that is full";
  recovers_after([&] { others_.clear(); });
  settle();
}

/// The manager knows the server by a name, whose address changes.
class manager_moved : public bank_test {
 protected:
  endpoint open_gate() override {
    endpoint where;
    for (int attempt = 1; !second_gate_; ++attempt) {
      where = bank_test::open_gate();
      try {
        second_gate_.emplace(server_->address().host, server_->address().port, "127.0.0.2", where.port);
      } catch (const std::system_error&) {
        if (attempt == 20) throw;  // that port is taken there
      }
    }
    where.host = "bank.polypool.test";
    return where;
  }
  moving_name name_{"bank.polypool.test", "127.0.0.1"};
  std::optional<tcp_gate> second_gate_;
};

TEST_F(manager_moved, a_name_moves_and_the_old_address_goes_down) {
  server_may_lag_ = true;
  while_sqlite_works([&] {
    gate_->close_port();
    gate_->cut(tcp_gate::ending::rst);
    trouble(20);
  });
  EXPECT_EQ(second_gate_->accepted(), 0);
  recovers_after([&] { name_.move_to("127.0.0.2"); });
  EXPECT_GT(second_gate_->open(), 0);
  EXPECT_EQ(gate_->open(), 0);
  settle();
}

TEST_F(manager_moved, a_name_moves_while_the_old_address_still_works) {
  server_may_lag_ = true;
  while_sqlite_works([&] {
    name_.move_to("127.0.0.2");
    progress(20);  // the sessions of before go on
  });
  // New ones go to the new address; those of before end with their lifetime, or all at once when they are told to.
  recovers_after([&] { manager_->get("bank").reconnect(); });
  EXPECT_TRUE(wait_until([&] { return gate_->open() == 0; })) << gate_->open() << " sessions stay where it was";
  EXPECT_GT(second_gate_->open(), 0);
  settle();
}

}  // namespace
}  // namespace polypool::test
