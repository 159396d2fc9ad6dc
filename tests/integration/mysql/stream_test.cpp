// SPDX-License-Identifier: Apache-2.0
// Rows fetched as they are asked for.
#include "fixture.hpp"
#include "support/memory.hpp"

namespace polypool::test {
namespace {

class mysql_stream : public mysql_ways {
 protected:
  /// Reads to the end; gives the number of rows.
  std::size_t drain(cursor& rows) {
    std::size_t count = 0;
    while (const auto block = go_(rows.next())) count += block->rows();
    return count;
  }
};
POLYPOOL_BOTH_WAYS(mysql_stream);

TEST_P(mysql_stream, gives_rows_in_blocks) {
  auto db = make_client();
  auto rows = db.open("SELECT seq AS n, repeat('x', seq % 50) AS t FROM seq_1_to_10000 WHERE seq > $1", {value(0)});
  ASSERT_EQ(rows->columns()->size(), 2u);
  EXPECT_EQ((*rows->columns())[0].name, "n");
  std::size_t expected = 1;
  std::size_t blocks = 0;
  while (const auto block = go_(rows->next())) {
    ++blocks;
    for (std::size_t i = 0; i < block->rows(); ++i, ++expected) {
      ASSERT_EQ(block->at(i, 0).get<std::size_t>(), expected);
      ASSERT_EQ(block->at(i, 1).get<std::string>().size(), expected % 50);
    }
  }
  EXPECT_EQ(expected, 10001u);
  EXPECT_GT(blocks, 2u);
  EXPECT_EQ(rows->affected_rows(), 10000u);
  EXPECT_EQ(go_(rows->next()), nullptr);
  EXPECT_FALSE(db->dirty());
}

TEST_P(mysql_stream, a_million_rows_in_constant_memory) {
  auto db = make_client();
  auto rows = db.open("SELECT seq, repeat('x', 100) FROM seq_1_to_1000000");
  go_(rows->next());
  const auto before = resident_bytes();
  EXPECT_GT(drain(*rows), 990'000u);
  if (memory_is_ours) {
    EXPECT_LT(resident_bytes(), before + 20'000'000);
  }
  EXPECT_EQ(rows->affected_rows(), 1'000'000u);
}

TEST_P(mysql_stream, of_statements_without_rows) {
  auto db = make_client();
  for (const auto* text :
       {"CREATE TABLE thing (x int)", "INSERT INTO thing VALUES (1), (2)", "BEGIN", "ROLLBACK", ""}) {
    auto rows = db.open(text);
    EXPECT_EQ(rows->columns()->size(), 0u) << text;
    EXPECT_EQ(go_(rows->next()), nullptr);
    EXPECT_EQ(rows->affected_rows(), std::string_view(text).starts_with("INSERT") ? 2u : 0u);
    go_(rows->finish());
  }
  auto none = db.open("SELECT x FROM thing WHERE x > 5");
  EXPECT_EQ(none->columns()->size(), 1u);
  EXPECT_EQ(go_(none->next()), nullptr);
  EXPECT_FALSE(db->dirty());
}

TEST_P(mysql_stream, given_up_early) {
  auto db = make_client();
  const auto id = db.id();
  for (const auto* text : {"SELECT seq FROM seq_1_to_3", "SELECT seq, repeat('x', 1000) FROM seq_1_to_1000000"}) {
    auto rows = db.open(text);
    EXPECT_TRUE(go_(rows->next()));
    go_(rows->finish());
    EXPECT_EQ(go_(rows->next()), nullptr);
    EXPECT_EQ(db.id(), id);
    EXPECT_FALSE(db->dirty());
    rows = db.open(text);
    rows.reset();  // without a word
    EXPECT_TRUE(db->dirty());
    EXPECT_EQ(db.id(), id);
    rows = db.open(text);
    rows.reset();
    db.reset();
    EXPECT_FALSE(db->dirty());
  }
}

TEST_P(mysql_stream, given_up_in_a_transaction) {
  auto db = make_client();
  db.query("CREATE TABLE thing (x int) ENGINE = InnoDB");
  db.query("BEGIN");
  db.query("INSERT INTO thing VALUES (1)");
  auto rows = db.open("SELECT seq, repeat('x', 1000) FROM seq_1_to_1000000");
  go_(rows->next());
  go_(rows->finish());
  EXPECT_EQ(db->transaction(), sql_session::transaction_state::active);
  db.query("COMMIT");
  EXPECT_EQ(db.text("SELECT count(*) FROM thing"), "1");
}

TEST_P(mysql_stream, is_over_when_something_else_runs) {
  auto db = make_client();
  auto rows = db.open("SELECT seq FROM seq_1_to_1000000");
  go_(rows->next());
  EXPECT_EQ(db.text("SELECT 7"), "7");
  EXPECT_EQ(failure_of(go_, rows->next()).portable_code(), errc::invalid_argument);
  EXPECT_EQ(failure_of(go_, rows->finish()).portable_code(), errc::invalid_argument);
}

TEST_P(mysql_stream, errors_come_with_the_rows_before_them) {
  auto db = make_client();
  EXPECT_EQ(failure_of(go_, db.opening("SELECT * FROM missing")).portable_code(), errc::undefined_object);
  EXPECT_EQ(
      failure_of(go_, db.opening("SELECT 9223372036854775807 + CAST(seq AS SIGNED) FROM seq_1_to_5")).portable_code(),
      errc::invalid_value);
  auto rows = db.open("SELECT 9223372036854775807 - 3000 + CAST(seq AS SIGNED) FROM seq_1_to_5000");
  std::size_t seen = 0;
  std::optional<error> problem;
  try {
    while (const auto block = go_(rows->next())) seen += block->rows();
  } catch (const error& caught) {
    problem.emplace(caught);
  }
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->portable_code(), errc::invalid_value);
  EXPECT_EQ(seen, 3000u);
  EXPECT_EQ(go_(rows->next()), nullptr);
  EXPECT_EQ(db.text("SELECT 1"), "1");
  EXPECT_FALSE(db->dirty());
}

TEST_P(mysql_stream, a_deadline_loses_no_rows) {
  auto db = make_client();
  auto rows = db.open("SELECT seq, repeat('x', 20000), SLEEP(IF(seq < 4, 0, 0.05)) FROM seq_1_to_6");
  std::size_t seen = 0;
  int late = 0;
  for (bool more = true; more;) {
    try {
      const auto block = go_(with_timeout(20ms, rows->next()));
      more = block != nullptr;
      if (block) seen += block->rows();
    } catch (const error& problem) {
      EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded);
      ++late;
    }
  }
  EXPECT_EQ(seen, 6u);
  EXPECT_GT(late, 0);
  EXPECT_FALSE(db->dirty());
}

TEST_P(mysql_stream, large_rows_have_a_block_of_their_own) {
  auto db = make_client();
  auto rows = db.open("SELECT repeat('x', 1000000) FROM seq_1_to_5");
  std::size_t seen = 0;
  while (const auto block = go_(rows->next())) {
    EXPECT_EQ(block->rows(), 1u);
    EXPECT_EQ(block->at(0, 0).get<std::string_view>().size(), 1'000'000u);
    ++seen;
  }
  EXPECT_EQ(seen, 5u);
}

}  // namespace
}  // namespace polypool::test
