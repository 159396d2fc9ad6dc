// SPDX-License-Identifier: Apache-2.0
// Networks that fail: cuts, stalls, corrupted bytes.
#include "fixture.hpp"
#include "support/tcp_gate.hpp"

#include <optional>

namespace polypool::test {
namespace {

class mysql_gate : public mysql_ways {
 protected:
  void SetUp() override {
    mysql_ways::SetUp();
    if (!playground_) return;
    where_ = playground_->endpoint();
    gate_.emplace(where_.host, where_.port);
    where_.host = "127.0.0.1";
    where_.port = gate_->port();
  }
  endpoint where_;
  std::optional<tcp_gate> gate_;
};
POLYPOOL_BOTH_WAYS(mysql_gate);

TEST_P(mysql_gate, cut_at_any_byte_of_a_result) {
  std::uint64_t handshake = 0;
  std::uint64_t whole = 0;
  const auto* text = "SELECT seq, 'some text' AS t FROM seq_1_to_20";
  {
    client db(go_, where_);
    handshake = gate_->bytes_from_server();
    db.query(text);
    whole = gate_->bytes_from_server();
  }
  for (auto offset = handshake; offset < whole; offset += 11) {
    SCOPED_TRACE(offset - handshake);
    gate_->pass();
    gate_->cut_after(offset, offset % 2 == 0 ? tcp_gate::ending::fin : tcp_gate::ending::rst);
    std::optional<client> db;
    try {
      db.emplace(go_, where_);
    } catch (const error& problem) {
      EXPECT_EQ(problem.portable_code(), errc::connect_failed);  // the handshake's length varies by a few bytes
      continue;
    }
    const auto problem = db->failure(text);
    EXPECT_EQ(problem.portable_code(), errc::connection_lost) << problem.what();
    EXPECT_TRUE(problem.poisons_session());
    EXPECT_TRUE(db->session().broken());
    EXPECT_EQ(db->failure(text).portable_code(), errc::connection_lost);
  }
}

// Each operation of a session meets a connection that breaks off in its answer.
TEST_P(mysql_gate, cut_at_every_step_of_a_sessions_life) {
  const auto life = [&](client& db) {
    go_(db->probe());
    go_(db->describe());
    db.query("CREATE TEMPORARY TABLE t (x int)");
    db.query("INSERT INTO t VALUES ($1)", 1);
    db.script("INSERT INTO t VALUES (2); SELECT * FROM t");
    go_(db->begin({isolation::serializable, false}));
    const auto rows = db.open("SELECT * FROM t");
    while (go_(rows->next())) continue;
    db.query("COMMIT");
    db.reset();
  };
  std::uint64_t handshake = 0;
  std::uint64_t whole = 0;
  {
    client db(go_, where_);
    handshake = gate_->bytes_from_server();
    life(db);
    whole = gate_->bytes_from_server();
  }
  for (auto offset = handshake + 1; offset + 16 < whole; offset += 37) {
    SCOPED_TRACE(offset - handshake);
    gate_->pass();
    gate_->cut_after(offset, offset % 2 == 0 ? tcp_gate::ending::fin : tcp_gate::ending::rst);
    try {
      client db(go_, where_);
      try {
        life(db);
        ADD_FAILURE() << "nothing was thrown";
      } catch (const error& problem) {
        EXPECT_EQ(problem.portable_code(), errc::connection_lost) << problem.what();
        EXPECT_TRUE(db->broken());
      }
    } catch (const error& problem) {
      EXPECT_EQ(problem.portable_code(), errc::connect_failed);
    }
  }
  gate_->pass();
}

TEST_P(mysql_gate, cut_between_statements) {
  client db(go_, where_);
  gate_->cut(tcp_gate::ending::rst);
  EXPECT_EQ(db.failure("SELECT 1").portable_code(), errc::connection_lost);
  client other(go_, where_);
  gate_->cut(tcp_gate::ending::fin);
  EXPECT_EQ(failure_of(go_, other->probe()).portable_code(), errc::connection_lost);
}

TEST_P(mysql_gate, a_network_that_stalls) {
  client db(go_, where_);
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

TEST_P(mysql_gate, a_deadline_while_sending_a_large_statement) {
  for (const auto tls : {tls_mode::disable, tls_mode::require}) {
    where_.tls = tls;
    client db(go_, where_);
    db.query("CREATE TABLE IF NOT EXISTS thing (x longtext)");
    gate_->stall();
    const std::string text(12'000'000, 'x');
    const std::vector<value> all{value(text_view{text})};
    const statement insert("INSERT INTO thing VALUES ($1)", all);
    EXPECT_EQ(failure_of(go_, with_timeout(50ms, db->execute(insert))).portable_code(), errc::deadline_exceeded);
    gate_->pass();
    // It was prepared at most; what was not sent in time is never completed.
    db.reset();
    gate_->stall();
    EXPECT_EQ(failure_of(go_, with_timeout(50ms, db->execute(insert))).portable_code(), errc::deadline_exceeded);
    gate_->pass();
    try {
      db.reset();
    } catch (const error& problem) {
      EXPECT_EQ(problem.portable_code(), errc::connection_lost);
    }
    db.close();
    EXPECT_TRUE(playground_->sessions_become(0));
    EXPECT_EQ(admin().value("SELECT count(*) FROM " + table("thing")), "0");
  }
}

// A statement over TLS that goes out slowly may not hold up the thread that the other tasks run on.
TEST_P(mysql_gate, slow_and_in_small_pieces) {
  gate_->delay(2ms);
  where_.tls = tls_mode::require;
  client db(go_, where_);
  EXPECT_EQ(db.query("SELECT repeat('x', 5000) FROM seq_1_to_50").size(), 50u);
}

TEST_P(mysql_gate, corrupted_bytes_do_not_crash) {
  std::uint64_t whole = 0;
  const auto* text = "SELECT seq, 'some text' AS t, NULL, 1.5, now() FROM seq_1_to_5";
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
