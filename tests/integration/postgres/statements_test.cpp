// SPDX-License-Identifier: Apache-2.0
// Prepared statements: counted, cached, evicted, gone stale.
#include "driver/statement_cache.hpp"
#include "fixture.hpp"

namespace polypool::test {
namespace {

using postgres_statements = postgres_ways;
POLYPOOL_BOTH_WAYS(postgres_statements);

std::string kept(client& db) { return db.text("SELECT count(*) FROM pg_prepared_statements"); }

TEST_P(postgres_statements, parameter_counts_name_both_numbers) {
  for (const std::size_t cache : {256, 0}) {
    auto where = playground_->endpoint();
    where.statement_cache = cache;
    client db(go_, where);
    for (int round = 0; round < 2; ++round) {
      const auto few = db.failure("SELECT $1::int + $2::int", 1);
      EXPECT_EQ(few.portable_code(), errc::parameter_count);
      EXPECT_EQ(few.cause(), "the statement got 1 parameter and needs 2");
      const auto many = db.failure("SELECT 1", 1, 2);
      EXPECT_EQ(many.portable_code(), errc::parameter_count);
      EXPECT_EQ(many.cause(), "the statement got 2 parameters and needs 0");
      EXPECT_FALSE(many.poisons_session());
      EXPECT_EQ(db.text("SELECT $1::int + $2::int", 1, 2), "3");
    }
    const std::vector<value> far_too_many(70'000, value(1));
    EXPECT_EQ(failure_of(go_, db->execute(statement("SELECT 1", far_too_many))).portable_code(), errc::parameter_count);
    EXPECT_FALSE(db->dirty());
    EXPECT_FALSE(db->broken());
  }
}

TEST_P(postgres_statements, as_many_parameters_as_the_protocol_carries) {
  auto db = make_client();
  std::string text = "SELECT array_length(ARRAY[";
  for (int i = 1; i <= 65535; ++i) text += (i > 1 ? ",$" : "$") + std::to_string(i) + "::int";
  text += "], 1)";
  const std::vector<value> all(65535, value(1));
  EXPECT_EQ(go_(db->execute(statement(text, all))).front()[0].to_display(), "65535");
}

TEST_P(postgres_statements, are_prepared_once) {
  auto db = make_client();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(db.text("SELECT 1"), "1");
  EXPECT_EQ(kept(db), "2");
  EXPECT_EQ(kept(db), "2");
  EXPECT_FALSE(db->dirty());
}

TEST_P(postgres_statements, no_more_than_the_cache_holds_are_kept_on_the_server) {
  auto where = playground_->endpoint();
  where.statement_cache = 8;
  client db(go_, where);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(db.text("SELECT " + std::to_string(i)), std::to_string(i));
    EXPECT_LE(std::stoi(kept(db)), 8);
  }
  db.query("BEGIN");
  for (int i = 0; i < 20; ++i) db.query("SELECT 'in', " + std::to_string(i));
  db.failure("SELECT 1/0");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(db.failure("SELECT 'x' AS n" + std::to_string(i)).sqlstate(), "25P02");
  db.query("ROLLBACK");
  EXPECT_LE(std::stoi(kept(db)), 8);
}

TEST_P(postgres_statements, nothing_is_kept_without_a_cache) {
  auto where = playground_->endpoint();
  where.statement_cache = 0;
  client db(go_, where);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(db.text("SELECT $1::text", "a"), "a");
  EXPECT_EQ(kept(db), "0");
  EXPECT_EQ(db.failure("SELECT 1; SELECT 2").portable_code(), errc::syntax_error);
  auto cursor = db.open("SELECT generate_series(1, 3)");
  EXPECT_EQ(go_(cursor->next())->rows() > 0, true);
}

TEST_P(postgres_statements, survive_a_change_of_their_table) {
  auto db = make_client();
  db.query("CREATE TABLE thing (a int)");
  db.query("INSERT INTO thing VALUES (1)");
  EXPECT_EQ(db.query("SELECT * FROM thing").columns().size(), 1u);
  admin().execute("ALTER TABLE " + playground_->name() + ".thing ADD b text DEFAULT 'new'");
  const auto after = db.query("SELECT * FROM thing");
  ASSERT_EQ(after.columns().size(), 2u);
  EXPECT_EQ(after[0].get<std::string>("b"), "new");
  admin().execute("ALTER TABLE " + playground_->name() + ".thing RENAME b TO c");
  EXPECT_EQ(db.query("SELECT * FROM thing").columns()[1].name, "c");
  admin().execute("ALTER TABLE " + playground_->name() + ".thing DROP c");
  auto cursor = db.open("SELECT * FROM thing");
  EXPECT_EQ(cursor->columns()->size(), 1u);
  EXPECT_EQ(go_(cursor->next())->rows(), 1u);
  EXPECT_EQ(go_(cursor->next()), nullptr);
  EXPECT_FALSE(db->dirty());
}

TEST_P(postgres_statements, a_stale_plan_in_a_transaction_is_the_callers_to_retry) {
  auto db = make_client();
  db.query("CREATE TABLE thing (a int)");
  db.query("SELECT * FROM thing");
  db.query("BEGIN");
  admin().execute("ALTER TABLE " + playground_->name() + ".thing ADD b int");
  const auto problem = db.failure("SELECT * FROM thing");
  EXPECT_EQ(problem.sqlstate(), "0A000");
  EXPECT_EQ(problem.disposition(), disposition::retryable);
  db.query("ROLLBACK");
  EXPECT_EQ(db.query("SELECT * FROM thing").columns().size(), 2u);
  db.query("BEGIN");
  admin().execute("ALTER TABLE " + playground_->name() + ".thing ADD c int");
  EXPECT_EQ(failure_of(go_, db->open(statement("SELECT * FROM thing"))).disposition(), disposition::retryable);
  db.query("ROLLBACK");
  EXPECT_EQ(db.query("SELECT * FROM thing").columns().size(), 3u);
}

TEST_P(postgres_statements, survive_being_deallocated_behind_our_back) {
  auto db = make_client();
  EXPECT_EQ(db.text("SELECT 11"), "11");
  db.script("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$");
  EXPECT_EQ(db.text("SELECT 11"), "11");
  db.query("DISCARD ALL");
  db.query("BEGIN");
  EXPECT_EQ(db.text("SELECT 11"), "11");
  db.query("DEALLOCATE PREPARE ALL");
  EXPECT_EQ(db.text("SELECT 11"), "11");
  db.query("COMMIT");
}

TEST_P(postgres_statements, utility_results_may_change_their_columns) {
  auto db = make_client();
  db.query("BEGIN");
  db.query("DECLARE c CURSOR FOR SELECT 1 AS one");
  EXPECT_EQ(db.query("FETCH ALL FROM c").columns()[0].name, "one");
  db.query("CLOSE c");
  db.query("DECLARE c CURSOR FOR SELECT 'a'::text AS a, 2 AS two");
  const auto rows = db.query("FETCH ALL FROM c");
  ASSERT_EQ(rows.columns().size(), 2u);
  EXPECT_EQ(rows.columns()[0].name, "a");
  EXPECT_EQ(rows.columns()[0].type, data_type::text);
  db.query("COMMIT");
}

TEST_P(postgres_statements, several_in_one_text_and_copy_are_refused) {
  auto db = make_client();
  db.query("CREATE TABLE thing (a int)");
  const auto two = db.failure("SELECT 1; SELECT 2");
  EXPECT_EQ(two.portable_code(), errc::syntax_error);
  EXPECT_NE(two.hint().find("execute_script"), std::string::npos);
  for (const std::size_t cache : {256, 0}) {
    auto where = playground_->endpoint();
    where.statement_cache = cache;
    client other(go_, where);
    for (const auto* text : {"COPY thing FROM STDIN", "COPY (SELECT generate_series(1, 1000000)) TO STDOUT"}) {
      const auto problem = other.failure(text);
      EXPECT_EQ(problem.portable_code(), errc::invalid_argument) << problem.what();
      EXPECT_NE(std::string(problem.what()).find("COPY"), std::string::npos);
      EXPECT_EQ(other.text("SELECT 1"), "1");
      EXPECT_EQ(failure_of(go_, other.opening(text)).portable_code(), errc::invalid_argument);
      EXPECT_EQ(failure_of(go_, other->execute_script(text)).portable_code(), errc::invalid_argument);
      EXPECT_EQ(other.text("SELECT 1"), "1");
      EXPECT_FALSE(other->dirty());
    }
  }
}

TEST(statement_cache, gives_the_least_recently_used_up) {
  statement_cache<int> cache(2);
  EXPECT_EQ(cache.find("a"), nullptr);
  cache.insert("a", 1);
  cache.insert("b", 2);
  EXPECT_TRUE(cache.full());
  ASSERT_NE(cache.find("a"), nullptr);
  EXPECT_EQ(cache.evict(), 2);
  EXPECT_EQ(cache.find("b"), nullptr);
  EXPECT_EQ(*cache.find("a"), 1);
  EXPECT_EQ(cache.erase("x"), std::nullopt);
  EXPECT_EQ(cache.erase("a"), 1);
  EXPECT_EQ(cache.evict(), std::nullopt);
  cache.insert("c", 3);
  cache.clear();
  EXPECT_EQ(cache.size(), 0u);
}

}  // namespace
}  // namespace polypool::test
