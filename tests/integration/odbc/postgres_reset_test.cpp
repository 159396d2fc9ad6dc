// SPDX-License-Identifier: Apache-2.0
// What callers leave behind over ODBC, and that reset() takes it away.
#include "fixture.hpp"

namespace polypool::test {
namespace {

using odbc_postgres_reset = odbc_postgres_ways;
POLYPOOL_BOTH_WAYS(odbc_postgres_reset);

TEST_P(odbc_postgres_reset, leaves_nothing_behind) {
  const char* const traces[] = {
      "SET work_mem = '9MB'",
      "SELECT set_config('work_mem', '9MB', false)",
      "CREATE TEMP TABLE leftover (x int)",
      "CREATE TABLE pg_temp.leftover (x int)",
      "SELECT 1 AS x INTO TEMPORARY leftover",
      "LISTEN leftover",
      "SELECT pg_advisory_lock(4711)",
      "PREPARE leftover AS SELECT 1",
      "BEGIN",
      "DO $$ BEGIN PERFORM set_config('work_mem', '9MB', false); END $$",
      "SET ROLE pg_monitor",
      "SET SESSION AUTHORIZATION pg_monitor",
      "/* why */ -- how\n SET work_mem = '9MB'",
  };
  auto db = make_client();
  const std::string user = db.text("SELECT session_user");
  for (const auto* trace : traces) {
    for (const bool as_script : {false, true}) {
      SCOPED_TRACE(trace);
      EXPECT_FALSE(db->dirty());
      if (as_script) {
        db.script(trace);
      } else {
        db.query(trace);
      }
      EXPECT_TRUE(db->dirty());
      db.reset();
      EXPECT_FALSE(db->dirty());
      EXPECT_EQ(db->transaction(), sql_session::transaction_state::none);
      EXPECT_EQ(db.text("SHOW work_mem"), "4MB");
      EXPECT_EQ(db.text("SELECT to_regclass('leftover') IS NULL"), "1");
      EXPECT_EQ(db.text("SELECT count(*) FROM pg_listening_channels()"), "0");
      EXPECT_EQ(db.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"), "0");
      EXPECT_EQ(db.text("SELECT count(*) FROM pg_prepared_statements WHERE name = 'leftover'"), "0");
      EXPECT_EQ(db.text("SELECT current_user"), user);
      EXPECT_EQ(db.text("SELECT session_user"), user);
      EXPECT_EQ(db.text("SELECT current_schema()"), playground_->name());
      EXPECT_EQ(db.query("SELECT now() AS x").columns()[0].type, data_type::timestamp_tz);
    }
  }
}

TEST_P(odbc_postgres_reset, open_and_failed_transactions_and_cursors) {
  auto db = make_client();
  db.query("CREATE TABLE thing (x int)");
  db.query("BEGIN");
  db.query("INSERT INTO thing VALUES (1)");
  db.query("DECLARE held CURSOR WITH HOLD FOR SELECT 1");
  db.failure("SELECT 1/0");
  db.reset();
  EXPECT_EQ(db.text("SELECT count(*) FROM thing"), "0");
  EXPECT_EQ(db.text("SELECT count(*) FROM pg_cursors WHERE name = 'held'"), "0");
}

TEST_P(odbc_postgres_reset, keeps_the_session_and_its_prepared_statements) {
  auto db = make_client();
  const auto backend = db.backend();
  const auto* count = "SELECT count(*) FROM pg_prepared_statements";
  db.query("SELECT $1::int", 1);
  const auto before = db.text(count);
  db.query("SET work_mem = '9MB'");
  db.reset();
  EXPECT_GE(std::stoi(db.text(count)), std::stoi(before));
  EXPECT_EQ(db.backend(), backend);
}

TEST_P(odbc_postgres_reset, of_a_clean_session_asks_the_server_nothing) {
  auto db = make_client();
  const auto backend = db.backend();
  const auto last = "SELECT query_start FROM pg_stat_activity WHERE pid = " + std::to_string(backend);
  const auto before = admin().value(last);
  db.reset();
  EXPECT_EQ(admin().value(last), before);
}

TEST_P(odbc_postgres_reset, of_a_session_that_is_gone_fails) {
  auto db = make_client();
  db.query("BEGIN");
  admin().execute("SELECT pg_terminate_backend(" + std::to_string(db.backend()) + ", 5000)");
  EXPECT_EQ(failure_of(go_, db->reset()).portable_code(), errc::connection_lost);
  EXPECT_TRUE(db->broken());
  EXPECT_EQ(failure_of(go_, db->reset()).portable_code(), errc::connection_lost);
}

}  // namespace
}  // namespace polypool::test
