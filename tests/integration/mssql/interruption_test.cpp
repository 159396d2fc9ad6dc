// SPDX-License-Identifier: Apache-2.0
// Deadlines, stops, and connections that break, with SQL Server.
#include "fixture.hpp"
#include "support/tcp_gate.hpp"

#include <optional>
#include <stop_token>
#include <thread>

namespace polypool::test {
namespace {

using mssql_interruption = mssql_ways;
POLYPOOL_BOTH_WAYS(mssql_interruption);

constexpr const char* sleeping = "WAITFOR DELAY '00:01:00'";

TEST_P(mssql_interruption, a_deadline_in_the_middle) {
  auto db = make_client();
  const auto session = db.text("SELECT @@SPID");
  for (const auto limit : {50ms, 2100ms}) {
    const auto start = std::chrono::steady_clock::now();
    const auto problem = failure_of(go_, with_timeout(limit, db.executing(sleeping)));
    EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded) << problem.what();
    EXPECT_EQ(problem.disposition(), disposition::in_doubt);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 20s);
    EXPECT_FALSE(db->broken());
    db.reset();
    EXPECT_FALSE(db->dirty());
    EXPECT_EQ(db.text("SELECT @@SPID"), session);
  }
  EXPECT_GE(server_->attentions(), 2);
}

TEST_P(mssql_interruption, the_next_operation_recovers) {
  auto db = make_client();
  failure_of(go_, with_timeout(20ms, db.executing(sleeping)));
  EXPECT_EQ(db->transaction(), sql_session::transaction_state::unknown);
  EXPECT_EQ(db.text("SELECT 7"), "7");
  failure_of(go_, with_timeout(20ms, db->execute_script(sleeping)));
  EXPECT_NO_THROW(go_(db->probe()));
  go_(db->begin({}));
  failure_of(go_, with_timeout(20ms, db.executing(sleeping)));
  db.query("SELECT 1");
  EXPECT_EQ(db->transaction(), sql_session::transaction_state::active) << "an attention leaves a transaction open";
  db.reset();
  EXPECT_FALSE(db->dirty());
}

TEST_P(mssql_interruption, a_stop_and_a_close_by_force) {
  auto db = make_client();
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  auto work = with_stop(stop.get_token(), db.executing(sleeping));
  EXPECT_EQ(failure_of(go_, std::move(work)).portable_code(), errc::cancelled);
  EXPECT_EQ(db.text("SELECT 7"), "7");
  std::jthread closer([&] { db->interrupt(); });
  EXPECT_EQ(db.failure(sleeping).portable_code(), errc::connection_closed);
  closer.join();
  EXPECT_TRUE(db->broken());
  EXPECT_EQ(failure_of(go_, db->reset()).portable_code(), errc::connection_closed);
}

TEST_P(mssql_interruption, sessions_that_the_server_ends) {
  auto db = make_client();
  const auto problem = db.failure("EXEC polypool_hang_up");
  EXPECT_EQ(problem.portable_code(), errc::connection_lost) << problem.what();
  EXPECT_TRUE(problem.poisons_session());
  EXPECT_TRUE(db->broken());
  EXPECT_EQ(db.failure("SELECT 1").portable_code(), errc::connection_lost);
}

TEST_P(mssql_interruption, a_server_that_is_restarted) {
  auto db = make_client();
  auto other = make_client();
  server_->stop();
  EXPECT_EQ(db.failure("SELECT 1").portable_code(), errc::connection_lost);
  const auto to = where();
  EXPECT_EQ(failure_of(go_, odbc::make_mssql_driver()->connect(to)).portable_code(), errc::connect_failed);
  server_->start();
  EXPECT_EQ(failure_of(go_, other->probe()).portable_code(), errc::connection_lost);
  auto again = make_client();
  EXPECT_EQ(again.text("SELECT 1"), "1");
}

class mssql_gate : public mssql_ways {
 protected:
  void SetUp() override {
    mssql_ways::SetUp();
    if (!server_) return;
    where_ = where();
    gate_.emplace(where_.host, where_.port);
    where_.port = gate_->port();
  }
  endpoint where_;
  std::optional<tcp_gate> gate_;
};
POLYPOOL_BOTH_WAYS(mssql_gate);

// Wherever the conversation breaks off: a plain error, and no crash.
TEST_P(mssql_gate, cut_at_any_byte) {
  std::uint64_t handshake = 0;
  std::uint64_t whole = 0;
  const auto* text = "SELECT 1 AS x, 'some text' AS t, NULL AS n UNION ALL SELECT 2, 'more', 3";
  {
    mssql_client db(go_, where_);
    handshake = gate_->bytes_from_server();
    db.query(text);
    whole = gate_->bytes_from_server();
  }
  for (std::uint64_t offset = 0; offset < whole; offset += offset < handshake ? 11 : 5) {
    SCOPED_TRACE(offset);
    gate_->pass();
    gate_->cut_after(offset, offset % 2 == 0 ? tcp_gate::ending::fin : tcp_gate::ending::rst);
    std::optional<mssql_client> db;
    try {
      db.emplace(go_, where_);
    } catch (const error& problem) {
      EXPECT_LT(offset, handshake);
      EXPECT_TRUE(problem.portable_code() == errc::connect_failed || problem.portable_code() == errc::connection_lost)
          << problem.what();
      continue;
    }
    const auto problem = db->failure(text);
    EXPECT_EQ(problem.portable_code(), errc::connection_lost) << problem.what();
    EXPECT_TRUE(problem.poisons_session());
    EXPECT_TRUE(db->session().broken());
  }
}

TEST_P(mssql_gate, a_network_that_stalls_under_a_long_deadline) {
  mssql_client db(go_, where_);
  gate_->stall();
  const auto start = std::chrono::steady_clock::now();
  const auto problem = failure_of(go_, with_timeout(2100ms, db->probe()));
  EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded) << problem.what();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
  db.close();
  gate_->pass();
}

TEST_P(mssql_gate, a_server_that_hangs_while_connecting) {
  gate_->blackhole();
  where_.connect_timeout = 100ms;
  const auto problem = failure_of(go_, odbc::make_mssql_driver()->connect(where_));
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_NE(problem.cause().find("hung"), std::string::npos) << problem.what();
}

TEST_P(mssql_gate, corrupted_bytes_do_not_crash) {
  std::uint64_t whole = 0;
  const auto* text = "SELECT 1 AS x, 'some text' AS t, NULL AS n";
  {
    mssql_client db(go_, where_);
    db.query(text);
    whole = gate_->bytes_from_server();
  }
  where_.connect_timeout = 300ms;
  for (std::uint64_t offset = 0; offset < whole; offset += 19) {
    gate_->pass();
    gate_->corrupt_at(offset);
    try {
      mssql_client db(go_, where_);
      go_(with_timeout(300ms, db.executing(text)));
    } catch (const error& problem) {
      EXPECT_FALSE(std::string(problem.what()).empty());
    }
  }
}

}  // namespace
}  // namespace polypool::test
