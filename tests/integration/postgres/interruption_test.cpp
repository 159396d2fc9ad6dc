// SPDX-License-Identifier: Apache-2.0
// Deadlines, stops, and servers that die: in the middle of something.
#include "fixture.hpp"
#include "support/tcp_gate.hpp"

#include <stop_token>
#include <thread>

namespace polypool::test {
namespace {

using postgres_interruption = postgres_ways;
POLYPOOL_BOTH_WAYS(postgres_interruption);

TEST_P(postgres_interruption, a_deadline_in_the_middle) {
  auto db = make_client();
  const auto backend = db.backend();
  const auto start = std::chrono::steady_clock::now();
  const auto problem = failure_of(go_, with_timeout(50ms, db.executing("SELECT pg_sleep(60)")));
  EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded);
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

TEST_P(postgres_interruption, the_next_operation_recovers) {
  auto db = make_client();
  const auto backend = db.backend();
  failure_of(go_, with_timeout(20ms, db.executing("SELECT pg_sleep(60)")));
  EXPECT_EQ(db.backend(), backend);
  failure_of(go_, with_timeout(20ms, db->execute_script("SELECT pg_sleep(60)")));
  EXPECT_NO_THROW(go_(db->probe()));
  EXPECT_TRUE(db->dirty()) << "nobody knows what the script has set";
  failure_of(go_, with_timeout(20ms, db.opening("SELECT pg_sleep(60)")));
  EXPECT_EQ(go_(db->describe()).role, server_info::role_type::primary);
  db.query("BEGIN");
  failure_of(go_, with_timeout(20ms, db.executing("SELECT pg_sleep(60)")));
  EXPECT_EQ(db.failure("SELECT 1").portable_code(), errc::transaction_aborted);
  db.reset();
  EXPECT_EQ(db.backend(), backend);
}

TEST_P(postgres_interruption, a_deadline_of_the_past_touches_nothing) {
  auto db = make_client();
  db.query("CREATE TABLE thing (x int)");
  const auto problem = failure_of(go_, with_deadline(time_point{}, db.executing("INSERT INTO thing VALUES (1)")));
  EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded);
  EXPECT_EQ(problem.disposition(), disposition::retryable);
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(db.text("SELECT count(*) FROM thing"), "0");
}

TEST_P(postgres_interruption, a_stop_in_the_middle_and_before) {
  auto db = make_client();
  const auto backend = db.backend();
  std::stop_source stop;
  std::jthread stopper([&] {
    postgres_admin own(*shared_postgres::address());
    EXPECT_TRUE(wait_until([&] {
      return own.value("SELECT wait_event IS NOT DISTINCT FROM 'PgSleep' FROM pg_stat_activity WHERE pid = " +
                       std::to_string(backend)) == "t";
    }));
    stop.request_stop();
  });
  auto work = with_stop(stop.get_token(), db.executing("SELECT pg_sleep(60)"));
  EXPECT_EQ(failure_of(go_, std::move(work)).portable_code(), errc::cancelled);
  EXPECT_TRUE(db->dirty());
  auto early = with_stop(stop.get_token(), db.executing("SELECT 1"));
  EXPECT_EQ(failure_of(go_, std::move(early)).portable_code(), errc::cancelled);
  EXPECT_EQ(db.backend(), backend);
}

TEST_P(postgres_interruption, cancelled_by_an_administrator) {
  auto db = make_client();
  const auto backend = db.backend();
  std::jthread administrator([&] {
    postgres_admin own(*shared_postgres::address());
    EXPECT_TRUE(wait_until([&] {
      return own.value("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = " + std::to_string(backend) +
                       " AND wait_event = 'PgSleep' UNION ALL SELECT false LIMIT 1") == "t";
    }));
  });
  const auto problem = db.failure("SELECT pg_sleep(60)");
  EXPECT_EQ(problem.portable_code(), errc::cancelled);
  EXPECT_FALSE(db->broken());
}

TEST_P(postgres_interruption, sessions_that_the_server_ends) {
  for (const bool in_the_middle : {false, true}) {
    auto db = make_client();
    const auto terminate = "SELECT pg_terminate_backend(" + std::to_string(db.backend()) + ", 5000)";
    std::unique_ptr<cursor> rows;
    if (in_the_middle) {
      rows = db.open("SELECT generate_series(1, 10000000), repeat('x', 1000)");
      go_(rows->next());
    }
    std::jthread killer;
    const auto problem = [&] {
      if (!in_the_middle) {
        admin().execute(terminate);
        return db.failure("SELECT 1");
      }
      // The backend notices only once it can write again.
      killer = std::jthread([&] { postgres_admin(*shared_postgres::address()).execute(terminate); });
      try {
        while (go_(rows->next())) continue;
      } catch (const error& caught) {
        return caught;
      }
      return error(errc::internal_error, "nothing was thrown");
    }();
    EXPECT_EQ(problem.portable_code(), errc::connection_lost) << problem.what();
    if (!in_the_middle) {  // a backend that dies while it writes has no chance to say why
      EXPECT_EQ(problem.sqlstate(), "57P01");
      EXPECT_NE(problem.server_message().find("administrator"), std::string::npos) << problem.what();
    }
    EXPECT_TRUE(problem.poisons_session());
    EXPECT_TRUE(db->broken());
    EXPECT_EQ(db.failure("SELECT 1").portable_code(), errc::connection_lost);
  }
}

TEST_P(postgres_interruption, closed_by_force_from_another_thread) {
  auto db = make_client();
  const auto backend = db.backend();
  std::jthread closer([&] {
    postgres_admin own(*shared_postgres::address());
    EXPECT_TRUE(wait_until([&] {
      return own.value("SELECT wait_event IS NOT DISTINCT FROM 'PgSleep' FROM pg_stat_activity WHERE pid = " +
                       std::to_string(backend)) == "t";
    }));
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
  admin().execute("SELECT pg_terminate_backend(" + std::to_string(backend) + ", 5000)");  // it sleeps on
}

class postgres_gate : public postgres_ways {
 protected:
  void SetUp() override {
    postgres_ways::SetUp();
    if (!playground_) return;
    where_ = playground_->endpoint();
    gate_.emplace(where_.host, where_.port);
    where_.host = "127.0.0.1";
    where_.port = gate_->port();
  }
  endpoint where_;
  std::optional<tcp_gate> gate_;
};
POLYPOOL_BOTH_WAYS(postgres_gate);

TEST_P(postgres_gate, a_deadline_while_sending_a_large_statement) {
  client db(go_, where_);
  db.query("CREATE TABLE thing (x text)");
  gate_->stall();
  const std::string text(50'000'000, 'x');
  const std::vector<value> all{value(text_view{text})};
  const statement insert("INSERT INTO thing VALUES ($1)", all);
  EXPECT_EQ(failure_of(go_, with_timeout(50ms, db->execute(insert))).portable_code(), errc::deadline_exceeded);
  gate_->pass();
  // Prepared, but not executed: what was not sent in time is never completed.
  const auto late = [&] {
    try {
      db.reset();
      return true;
    } catch (const error& problem) {
      EXPECT_EQ(problem.portable_code(), errc::connection_lost);
      return false;
    }
  }();
  if (late) {
    gate_->stall();
    EXPECT_EQ(failure_of(go_, with_timeout(50ms, db->execute(insert))).portable_code(), errc::deadline_exceeded);
  }
  db.close();
  gate_->pass();
  EXPECT_TRUE(playground_->sessions_become(0));
  EXPECT_EQ(admin().value("SELECT count(*) FROM " + playground_->name() + ".thing"), "0");
}

TEST_P(postgres_gate, slow_and_in_small_pieces) {
  gate_->delay(2ms);
  where_.tls = tls_mode::require;
  client db(go_, where_);
  EXPECT_EQ(db.query("SELECT repeat('x', 5000) FROM generate_series(1, 50)").size(), 50u);
}

TEST_P(postgres_gate, corrupted_bytes_do_not_crash) {
  std::uint64_t whole = 0;
  const auto* text = "SELECT g, 'some text' AS t, NULL FROM generate_series(1, 5) g";
  {
    client db(go_, where_);
    db.query(text);
    whole = gate_->bytes_from_server();
  }
  for (std::uint64_t offset = 0; offset < whole; offset += 7) {
    gate_->pass();
    gate_->corrupt_at(offset);
    where_.connect_timeout = 200ms;
    try {
      client db(go_, where_);
      const auto rows = go_(with_timeout(200ms, db.executing(text)));
      for (const auto row : rows) {
        for (std::size_t c = 0; c < row.size(); ++c) row[c].to_display();
      }
    } catch (const error& problem) {
      EXPECT_FALSE(std::string(problem.what()).empty());
    }
  }
}

}  // namespace
}  // namespace polypool::test
