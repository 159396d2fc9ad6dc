// SPDX-License-Identifier: Apache-2.0
// Deadlines, stops, and connections that break, in the middle of something.
#include "fixture.hpp"
#include "support/tcp_gate.hpp"

#include <optional>
#include <stop_token>
#include <thread>

namespace polypool::test {
namespace {

using odbc_postgres_interruption = odbc_postgres_ways;
POLYPOOL_BOTH_WAYS(odbc_postgres_interruption);

TEST_P(odbc_postgres_interruption, a_deadline_in_the_middle) {
  auto db = make_client();
  const auto backend = db.backend();
  const auto start = std::chrono::steady_clock::now();
  const auto problem = failure_of(go_, with_timeout(50ms, db.executing("SELECT pg_sleep(60)")));
  EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded) << problem.what();
  EXPECT_EQ(problem.disposition(), disposition::in_doubt);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
  EXPECT_TRUE(db->dirty());
  EXPECT_FALSE(db->broken());
  EXPECT_EQ(db->transaction(), sql_session::transaction_state::unknown);
  EXPECT_EQ(state_of(backend), "active");
  db.reset();
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(state_of(backend), "idle");
  EXPECT_EQ(db.backend(), backend);
}

// With more time than it takes to make another thread worth it, a blocking call is brought back where it is.
TEST_P(odbc_postgres_interruption, a_deadline_further_away) {
  auto db = make_client();
  const auto backend = db.backend();
  const auto start = std::chrono::steady_clock::now();
  const auto problem = failure_of(go_, with_timeout(2200ms, db.executing("SELECT pg_sleep(60)")));
  EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded) << problem.what();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
  EXPECT_FALSE(db->broken());
  EXPECT_EQ(db.text("SELECT 7"), "7");
  EXPECT_EQ(db.backend(), backend);
}

TEST_P(odbc_postgres_interruption, the_next_operation_recovers) {
  auto db = make_client();
  const auto backend = db.backend();
  failure_of(go_, with_timeout(20ms, db.executing("SELECT pg_sleep(60)")));
  EXPECT_EQ(db.backend(), backend);
  failure_of(go_, with_timeout(20ms, db->execute_script("SELECT pg_sleep(60)")));
  EXPECT_NO_THROW(go_(db->probe()));
  failure_of(go_, with_timeout(20ms, db.opening("SELECT pg_sleep(60)")));
  EXPECT_EQ(go_(db->describe()).role, server_info::role_type::primary);
  db.query("BEGIN");
  failure_of(go_, with_timeout(20ms, db.executing("SELECT pg_sleep(60)")));
  EXPECT_EQ(db.failure("SELECT 1").portable_code(), errc::transaction_aborted);
  db.reset();
  EXPECT_EQ(db.backend(), backend);
}

TEST_P(odbc_postgres_interruption, parameters_of_a_call_that_was_given_up_may_go) {
  auto db = make_client();
  for (int i = 0; i < 20; ++i) {
    auto text = std::make_unique<std::string>(100'000, 'x');
    const std::vector<value> all{value(text_view{*text})};
    const std::string sql = "SELECT length($1::text), pg_sleep(0.02)";
    const statement what(sql, all);
    try {
      go_(with_timeout(std::chrono::milliseconds(i), db->execute(what)));
    } catch (const error& problem) {
      EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded) << problem.what();
    }
    text.reset();
  }
  db.reset();
  EXPECT_EQ(db.text("SELECT 1"), "1");
}

TEST_P(odbc_postgres_interruption, a_deadline_of_the_past_touches_nothing) {
  auto db = make_client();
  db.query("CREATE TABLE thing (x int)");
  const auto problem = failure_of(go_, with_deadline(time_point{}, db.executing("INSERT INTO thing VALUES (1)")));
  EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded);
  EXPECT_EQ(problem.disposition(), disposition::retryable);
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(db.text("SELECT count(*) FROM thing"), "0");
}

TEST_P(odbc_postgres_interruption, a_stop_in_the_middle_and_before) {
  auto db = make_client();
  const auto backend = db.backend();
  std::stop_source stop;
  std::jthread stopper([&] {
    EXPECT_TRUE(sleeps(backend));
    stop.request_stop();
  });
  auto work = with_stop(stop.get_token(), db.executing("SELECT pg_sleep(60)"));
  EXPECT_EQ(failure_of(go_, std::move(work)).portable_code(), errc::cancelled);
  auto early = with_stop(stop.get_token(), db.executing("SELECT 1"));
  EXPECT_EQ(failure_of(go_, std::move(early)).portable_code(), errc::cancelled);
  EXPECT_EQ(db.backend(), backend);
}

TEST_P(odbc_postgres_interruption, cancelled_by_an_administrator) {
  auto db = make_client();
  const auto backend = db.backend();
  std::jthread administrator([&] {
    EXPECT_TRUE(sleeps(backend));
    postgres_admin(*shared_postgres::address()).execute("SELECT pg_cancel_backend(" + std::to_string(backend) + ")");
  });
  const auto problem = db.failure("SELECT pg_sleep(60)");
  EXPECT_EQ(problem.portable_code(), errc::cancelled);
  EXPECT_FALSE(db->broken());
}

TEST_P(odbc_postgres_interruption, sessions_that_the_server_ends) {
  for (const bool in_the_middle : {false, true}) {
    auto db = make_client();
    const auto backend = db.backend();
    const auto terminate = "SELECT pg_terminate_backend(" + std::to_string(backend) + ", 5000)";
    std::jthread killer;
    if (in_the_middle) {
      killer = std::jthread([&] {
        EXPECT_TRUE(sleeps(backend));
        postgres_admin(*shared_postgres::address()).execute(terminate);
      });
    } else {
      admin().execute(terminate);
    }
    const auto problem = db.failure("SELECT pg_sleep(60)");
    EXPECT_EQ(problem.portable_code(), errc::connection_lost) << problem.what();
    EXPECT_TRUE(problem.poisons_session());
    EXPECT_TRUE(db->broken());
    EXPECT_EQ(db.failure("SELECT 1").portable_code(), errc::connection_lost);
    EXPECT_EQ(failure_of(go_, db->reset()).portable_code(), errc::connection_lost);
  }
}

TEST_P(odbc_postgres_interruption, closed_by_force_from_another_thread) {
  auto db = make_client();
  const auto backend = db.backend();
  std::jthread closer([&] {
    EXPECT_TRUE(sleeps(backend));
    db->interrupt();
  });
  const auto problem = db.failure("SELECT pg_sleep(60)");
  EXPECT_EQ(problem.portable_code(), errc::connection_closed);
  EXPECT_TRUE(problem.poisons_session());
  closer.join();
  db->interrupt();
  EXPECT_TRUE(db->broken());
  EXPECT_EQ(db.failure("SELECT 1").portable_code(), errc::connection_closed);
  EXPECT_EQ(failure_of(go_, db->probe()).portable_code(), errc::connection_closed);
  EXPECT_EQ(failure_of(go_, db->reset()).portable_code(), errc::connection_closed);
  db.close();
  admin().execute("SELECT pg_terminate_backend(" + std::to_string(backend) + ", 5000)");  // it may sleep on
}

TEST_P(odbc_postgres_interruption, closed_while_a_statement_runs_on) {
  auto db = make_client();
  const auto backend = db.backend();
  failure_of(go_, with_timeout(20ms, db.executing("SELECT pg_sleep(60)")));
  const auto start = std::chrono::steady_clock::now();
  db.close();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
  admin().execute("SELECT pg_terminate_backend(" + std::to_string(backend) + ", 5000)");
}

class odbc_postgres_gate : public odbc_postgres_ways {
 protected:
  void SetUp() override {
    odbc_postgres_ways::SetUp();
    if (!playground_) return;
    where_ = where();
    gate_.emplace(where_.host, where_.port);
    where_.host = "127.0.0.1";
    where_.port = gate_->port();
  }
  endpoint where_;
  std::optional<tcp_gate> gate_;
};
POLYPOOL_BOTH_WAYS(odbc_postgres_gate);

// A thread that waits in the call itself is brought back, too, when the server cannot be asked to cancel.
TEST_P(odbc_postgres_gate, a_network_that_stalls_under_a_long_deadline) {
  odbc_client db(go_, where_);
  EXPECT_EQ(db.text("SELECT 1"), "1");
  gate_->stall();
  const auto start = std::chrono::steady_clock::now();
  const auto problem = failure_of(go_, with_timeout(2100ms, db->probe()));
  EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded) << problem.what();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
  db.close();
  gate_->pass();
}

TEST_P(odbc_postgres_gate, slow_and_in_small_pieces) {
  gate_->delay(2ms);
  where_.tls = tls_mode::require;
  odbc_client db(go_, where_);
  EXPECT_EQ(db.query("SELECT repeat('x', 5000) FROM generate_series(1, 50)").size(), 50u);
}

}  // namespace
}  // namespace polypool::test
