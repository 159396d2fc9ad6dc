// SPDX-License-Identifier: Apache-2.0
// Statements, transactions, errors and what is left behind, with SQL Server.
#include "fixture.hpp"
#include "support/memory.hpp"

namespace polypool::test {
namespace {

using state = sql_session::transaction_state;
using mssql_statements = mssql_ways;
POLYPOOL_BOTH_WAYS(mssql_statements);

TEST_P(mssql_statements, are_prepared_once) {
  auto db = make_client();
  db.query("CREATE TABLE t (x int)");
  for (int i = 0; i < 20; ++i) db.query("INSERT INTO t VALUES ($1)", i);
  EXPECT_EQ(db.query("SELECT sum(x) FROM t").front().get<int>(0), 190);
  EXPECT_EQ(server_->calls_of(13) + server_->calls_of(11), 1) << "prepared once";
  EXPECT_GE(server_->calls_of(12), 19) << "and then executed";
  auto plain = where();
  plain.statement_cache = 0;
  mssql_client other(go_, plain);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(other.query("SELECT $1 + x FROM t WHERE x = $2", i, 7).front().get<int>(0), i + 7);
}

TEST_P(mssql_statements, several_in_one_text) {
  auto db = make_client();
  db.query("CREATE TABLE t (id INTEGER PRIMARY KEY, x int UNIQUE)");
  const auto made = db.query("INSERT INTO t (x) VALUES (5); SELECT max(id) AS id FROM t");
  EXPECT_EQ(made.front().get<int>("id"), 1);
  const auto late = db.failure("SELECT x FROM t; INSERT INTO t (x) VALUES (5)");
  EXPECT_EQ(late.portable_code(), errc::unique_violation) << "an error behind the first result is one, too";
  EXPECT_EQ(db.query("SELECT count(*) FROM t").front().get<int>(0), 1);
}

TEST_P(mssql_statements, scripts_stop_at_the_first_error) {
  auto db = make_client();
  db.script("CREATE TABLE t (x int UNIQUE); INSERT INTO t VALUES (1), (2); UPDATE t SET x = x + 10");
  const auto problem =
      failure_of(go_, db->execute_script("INSERT INTO t VALUES (3); INSERT INTO t VALUES (3); DELETE FROM t"));
  EXPECT_EQ(problem.portable_code(), errc::unique_violation);
  EXPECT_EQ(db.query("SELECT count(*) FROM t").front().get<int>(0), 3);
  EXPECT_EQ(failure_of(go_, db->execute_script("SELEC")).portable_code(), errc::syntax_error);
  db.script("");
  db.script("BEGIN TRANSACTION; INSERT INTO t VALUES (4)");
  EXPECT_EQ(db->transaction(), state::active);
  db.script("ROLLBACK");
  EXPECT_EQ(db->transaction(), state::none);
  EXPECT_FALSE(db->dirty());
}

TEST_P(mssql_statements, transactions_and_savepoints) {
  auto db = make_client();
  db.query("CREATE TABLE t (x int)");
  go_(db->begin({}));
  EXPECT_EQ(db->transaction(), state::active);
  EXPECT_TRUE(db->dirty());
  db.query("INSERT INTO t VALUES (1)");
  EXPECT_EQ(db->savepoint_statement(savepoint_step::release, "here"), "");
  db.query(db->savepoint_statement(savepoint_step::open, "here"));
  db.query("INSERT INTO t VALUES (2)");
  db.query(db->savepoint_statement(savepoint_step::undo, "here"));
  EXPECT_EQ(db->transaction(), state::active);
  db.query("COMMIT");
  EXPECT_EQ(db->transaction(), state::none);
  EXPECT_EQ(db.query("SELECT sum(x) FROM t").front().get<int>(0), 1);
  db.query("BEGIN TRAN");
  db.query("BEGIN TRAN");
  db.query("COMMIT TRAN");
  EXPECT_EQ(db->transaction(), state::active) << "transactions count";
  db.query("ROLLBACK TRAN");
  EXPECT_EQ(db->transaction(), state::none);
  transaction_options options;
  options.isolation = isolation::serializable;
  go_(db->begin(options));
  EXPECT_EQ(db.text("SELECT polypool_isolation()"), "SERIALIZABLE");
  db.query("COMMIT");
  EXPECT_TRUE(db->dirty()) << "the level is the session's";
  db.reset();
  EXPECT_EQ(db.text("SELECT polypool_isolation()"), "READ COMMITTED");
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(db.failure("COMMIT").native_code(), 3902);
}

TEST_P(mssql_statements, errors_have_portable_codes) {
  auto db = make_client();
  db.script(
      "CREATE TABLE parent (id int PRIMARY KEY, name nvarchar(10) NOT NULL, age int CHECK (age > 0));"
      "CREATE TABLE child (id int REFERENCES parent); INSERT INTO parent VALUES (1, 'a', 1)");
  const struct {
    const char* sql;
    errc code;
    int number;
  } all[] = {
      {"INSERT INTO parent VALUES (1, 'b', 1)", errc::unique_violation, 2627},
      {"INSERT INTO child VALUES (7)", errc::foreign_key_violation, 547},
      {"INSERT INTO parent VALUES (2, NULL, 1)", errc::not_null_violation, 515},
      {"INSERT INTO parent VALUES (2, 'b', 0)", errc::check_violation, 547},
      {"SELEC 1", errc::syntax_error, 102},
      {"SELECT * FROM nowhere", errc::undefined_object, 208},
      {"SELECT no_such FROM parent", errc::undefined_object, 207},
      {"EXEC no_such_procedure", errc::undefined_object, 2812},
      {"EXEC polypool_raise 8152, 16, 'String or binary data would be truncated.'", errc::invalid_value, 8152},
      {"EXEC polypool_raise 2628, 16, 'String or binary data would be truncated in table t'", errc::invalid_value,
       2628},
      {"EXEC polypool_raise 8115, 16, 'Arithmetic overflow'", errc::invalid_value, 8115},
      {"EXEC polypool_raise 245, 16, 'Conversion failed'", errc::invalid_value, 245},
      {"EXEC polypool_raise 229, 14, 'The SELECT permission was denied'", errc::permission_denied, 229},
      {"EXEC polypool_raise 1222, 16, 'Lock request time out period exceeded.'", errc::lock_timeout, 1222},
      {"EXEC polypool_raise 9002, 17, 'The transaction log is full'", errc::disk_full, 9002},
      {"EXEC polypool_raise 50000, 16, 'something of one''s own'", errc::database_error, 50000},
  };
  for (const auto& expected : all) {
    SCOPED_TRACE(expected.sql);
    const auto problem = db.failure(expected.sql);
    EXPECT_EQ(to_string(problem.portable_code()), to_string(expected.code)) << problem.what();
    EXPECT_EQ(problem.native_code(), expected.number);
    EXPECT_FALSE(problem.poisons_session());
    EXPECT_EQ(problem.server_message().find('['), std::string::npos) << problem.server_message();
  }
  EXPECT_EQ(db.failure("EXEC polypool_raise 50000, 16, 'something of one''s own'").server_message(),
            "something of one's own");
  EXPECT_FALSE(db->broken());
}

TEST_P(mssql_statements, errors_that_end_the_transaction) {
  auto db = make_client();
  db.query("CREATE TABLE t (x int)");
  for (const int number : {1205, 3960}) {
    go_(db->begin({}));
    db.query("INSERT INTO t VALUES (1)");
    const auto problem = db.failure("EXEC polypool_raise " + std::to_string(number) + ", 13, 'chosen'");
    EXPECT_EQ(problem.portable_code(), number == 1205 ? errc::deadlock : errc::serialization_failure);
    EXPECT_EQ(problem.disposition(), disposition::retryable);
    EXPECT_EQ(db->transaction(), state::failed);
    EXPECT_EQ(db.failure("INSERT INTO t VALUES (2)").portable_code(), errc::transaction_aborted);
    db.query("ROLLBACK");
    EXPECT_EQ(db->transaction(), state::none);
  }
  go_(db->begin({}));
  db.failure("SELECT * FROM nowhere");
  EXPECT_EQ(db->transaction(), state::active) << "most errors leave it as it is";
  db.query("INSERT INTO t VALUES (3)");
  db.query("COMMIT");
  EXPECT_EQ(db.query("SELECT sum(x) FROM t").front().get<int>(0), 3);
}

TEST_P(mssql_statements, reset_leaves_nothing_behind) {
  auto db = make_client();
  db.query("CREATE TABLE kept (x int)");
  const auto first = db.text("SELECT @@SPID");
  go_(db->begin({}));
  db.query("INSERT INTO kept VALUES (1)");
  db.reset();
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(db.text("SELECT count(*) FROM kept"), "0");
  EXPECT_EQ(db.text("SELECT @@SPID"), first) << "a rollback needs no new connection";
  for (const auto* trace : {"SET LANGUAGE 'Deutsch'", "CREATE TABLE #leftover (x int)",
                            "EXEC sp_set_session_context 'who', 'somebody'", "USE elsewhere"}) {
    SCOPED_TRACE(trace);
    db.query(trace);
    EXPECT_TRUE(db->dirty());
    db.reset();
    EXPECT_FALSE(db->dirty());
    EXPECT_TRUE(db.query("SELECT polypool_setting('language')").front()[0].is_null());
    EXPECT_TRUE(db.query("SELECT polypool_setting('database')").front()[0].is_null());
    EXPECT_TRUE(db.query("SELECT SESSION_CONTEXT(N'who')").front()[0].is_null());
    EXPECT_EQ(db.failure("SELECT * FROM #leftover").portable_code(), errc::undefined_object);
    // The word # is a trace by itself.
    db.reset();
  }
  EXPECT_NE(db.text("SELECT @@SPID"), first);
  EXPECT_TRUE(wait_until([&] { return server_->sessions() == 1; }));
  db->native();
  db.reset();
  EXPECT_FALSE(db->dirty());
}

TEST_P(mssql_statements, read_only_databases_retire_the_session) {
  auto db = make_client();
  db.query("CREATE TABLE t (x int)");
  server_->read_only(true);
  EXPECT_EQ(go_(db->describe()).role, server_info::role_type::read_only);
  const auto problem = db.failure("INSERT INTO t VALUES (1)");
  EXPECT_EQ(problem.portable_code(), errc::read_only);
  EXPECT_EQ(problem.disposition(), disposition::retryable_elsewhere);
  EXPECT_TRUE(problem.poisons_session());
  EXPECT_TRUE(db->broken());
}

TEST_P(mssql_statements, a_database_of_an_availability_group_tells_how_far_it_is_behind) {
  server_->read_only(true);
  {
    auto db = make_client();
    EXPECT_EQ(go_(db->describe()).role, server_info::role_type::read_only);
    EXPECT_EQ(go_(db->describe()).lag, std::nullopt);
    EXPECT_EQ(db.text("SELECT 1"), "1") << "an edition without groups is nothing bad";
  }
  auto db = make_client();
  server_->replica_behind(0ms);
  const auto level = go_(db->describe());
  EXPECT_EQ(level.role, server_info::role_type::replica);
  EXPECT_EQ(level.lag, 0s);
  server_->replica_behind(5s);
  const auto late = go_(db->describe()).lag;
  ASSERT_TRUE(late);
  EXPECT_GE(*late, 4900ms);
  EXPECT_LE(*late, 5100ms);
  server_->read_only(false);
  EXPECT_EQ(go_(db->describe()).role, server_info::role_type::primary);
}

TEST_P(mssql_statements, a_million_rows_in_constant_memory) {
  auto db = make_client();
  auto rows =
      db.open("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000) SELECT x FROM c");
  std::int64_t expected = 0;
  long before = 0;
  long most = 0;
  while (const auto block = go_(rows->next())) {
    for (std::size_t i = 0; i < block->rows(); ++i) ASSERT_EQ(block->at(i, 0).get<std::int64_t>(), ++expected);
    if (before == 0) before = test::resident_bytes();
    most = std::max(most, test::resident_bytes());
  }
  EXPECT_EQ(expected, 1'000'000);
  EXPECT_EQ(rows->affected_rows(), 1'000'000u);
  if (test::memory_is_ours) {
    EXPECT_LT(most - before, 16 * 1024 * 1024);
  }
  EXPECT_FALSE(db->dirty());
}

TEST_P(mssql_statements, streams_that_end_early) {
  auto db = make_client();
  const auto* endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c";
  auto rows = db.open(endless);
  EXPECT_GT(go_(rows->next())->rows(), 0u);
  EXPECT_TRUE(db->dirty());
  go_(rows->finish());
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(db.text("SELECT 7"), "7");
  {
    auto dropped = db.open(endless);
    go_(dropped->next());
  }
  EXPECT_TRUE(db->dirty());
  db.reset();
  EXPECT_FALSE(db->dirty());
  auto overtaken = db.open(endless);
  go_(overtaken->next());
  EXPECT_EQ(db.text("SELECT 8"), "8");
  EXPECT_EQ(failure_of(go_, overtaken->next()).portable_code(), errc::invalid_argument);
  EXPECT_TRUE(wait_until([&] { return server_->attentions() >= 3; }));
}

}  // namespace
}  // namespace polypool::test
