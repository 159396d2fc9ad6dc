// SPDX-License-Identifier: Apache-2.0
// Every SQL database behind a network that fails.
#include "fixture.hpp"
#include "support/tcp_gate.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <vector>

namespace polypool::test {
namespace {

class conformance_gate : public session_conformance {
 protected:
  void SetUp() override {
    session_conformance::SetUp();
    if (!place_) return;
    where_ = where();
    gate_.emplace(where_.host, where_.port);
    where_.host = "127.0.0.1";
    where_.port = gate_->port();
  }

  // Breaks off what the server sends while a session does this, at about so many places, one after the other.
  void cut_while(int places, const std::function<void(sql_client&)>& work) {
    std::uint64_t handshake = 0;
    std::uint64_t whole = 0;
    {
      auto db = make_client(where_);
      handshake = gate_->bytes_from_server();
      work(db);
      whole = gate_->bytes_from_server();
    }
    ASSERT_GT(whole, handshake + 16);
    const auto step = std::max<std::uint64_t>(1, (whole - handshake) / static_cast<std::uint64_t>(places));
    // The handshake's length varies by a few bytes.
    for (auto offset = handshake; offset + 16 < whole; offset += step) {
      SCOPED_TRACE(offset - handshake);
      gate_->pass();
      gate_->cut_after(offset, offset % 2 == 0 ? tcp_gate::ending::fin : tcp_gate::ending::rst);
      std::optional<sql_client> db;
      try {
        db.emplace(make_client(where_));
      } catch (const error& problem) {
        EXPECT_TRUE(problem.portable_code() == errc::connect_failed || problem.portable_code() == errc::connection_lost)
            << problem.what();
        continue;
      }
      const auto problem = caught([&] { work(*db); });
      EXPECT_EQ(problem.portable_code(), errc::connection_lost) << problem.what();
      EXPECT_TRUE(problem.poisons_session());
      EXPECT_TRUE(db->session().broken());
      EXPECT_EQ(db->failure("SELECT 1").portable_code(), errc::connection_lost);
    }
    gate_->pass();
  }

  endpoint where_;
  std::optional<tcp_gate> gate_;
};

std::vector<subject> over_a_network() {
  std::vector<subject> out;
  std::ranges::copy_if(all_subjects(), std::back_inserter(out), &subject::network);
  return out;
}
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(conformance_gate);
INSTANTIATE_TEST_SUITE_P(databases, conformance_gate,
                         ::testing::Combine(::testing::ValuesIn(over_a_network()),
                                            ::testing::Values(way::blocking, way::event_loop)),
                         &database_and_way);

TEST_P(conformance_gate, cut_at_any_byte_of_a_result) {
  const std::string text = "SELECT n, 'some text' AS t FROM " + on().series(20);
  cut_while(40, [&](sql_client& db) { db.query(text); });
}

// Each operation of a session meets a connection that breaks off in its answer.
TEST_P(conformance_gate, cut_at_every_step_of_a_sessions_life) {
  make_client().query("CREATE TABLE t (x int)");
  const auto rows_of = "SELECT n FROM " + on().series(30);
  cut_while(60, [&](sql_client& db) {
    go_(db->probe());
    go_(db->describe());
    db.query("INSERT INTO t VALUES ($1)", 1);
    db.query("INSERT INTO t VALUES ($1)", 2);
    db.script("INSERT INTO t VALUES (3); DELETE FROM t WHERE x = 3");
    go_(db->begin({isolation::serializable, false}));
    db.query("UPDATE t SET x = x + 1");
    const auto rows = db.open(rows_of);
    while (go_(rows->next())) continue;
    db.query("COMMIT");
  });
  auto db = make_client();
  EXPECT_EQ(db.text("SELECT count(*) FROM t WHERE x IS NULL"), "0");
}

// What a reset cannot clean any more is closed, or made anew underneath.
TEST_P(conformance_gate, cut_before_a_reset) {
  for (const auto how : {tcp_gate::ending::fin, tcp_gate::ending::rst}) {
    auto db = make_client(where_);
    go_(db->begin({}));
    EXPECT_TRUE(db->dirty());
    gate_->cut(how);
    try {
      db.reset();
      EXPECT_FALSE(on().reset_keeps_session);
      EXPECT_EQ(db.text("SELECT 7"), "7");
    } catch (const error& problem) {
      EXPECT_EQ(problem.portable_code(), errc::connection_lost) << problem.what();
      EXPECT_TRUE(db->broken());
    }
  }
}

TEST_P(conformance_gate, cut_between_statements) {
  auto db = make_client(where_);
  gate_->cut(tcp_gate::ending::rst);
  EXPECT_EQ(db.failure("SELECT 1").portable_code(), errc::connection_lost);
  auto other = make_client(where_);
  gate_->cut(tcp_gate::ending::fin);
  EXPECT_EQ(failure_of(go_, other->probe()).portable_code(), errc::connection_lost);
}

TEST_P(conformance_gate, a_network_that_stalls) {
  auto db = make_client(where_);
  EXPECT_EQ(db.text("SELECT 1"), "1");
  gate_->stall();
  EXPECT_EQ(failure_of(go_, with_timeout(30ms, db->probe())).portable_code(), errc::deadline_exceeded);
  const auto start = std::chrono::steady_clock::now();
  const auto problem = failure_of(go_, with_timeout(100ms, db->reset()));
  EXPECT_EQ(problem.portable_code(), errc::connection_lost) << problem.what();
  EXPECT_TRUE(db->broken());
  EXPECT_LT(std::chrono::steady_clock::now() - start, 4s) << "a reset keeps to its own deadline";
  db.close();
  gate_->pass();
}

}  // namespace
}  // namespace polypool::test
