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
