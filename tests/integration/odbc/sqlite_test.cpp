// SPDX-License-Identifier: Apache-2.0
// SQLite files over ODBC.
#include "fixture.hpp"
#include "support/memory.hpp"

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <stop_token>
#include <thread>

namespace polypool::test {
namespace {

using odbc_sqlite = odbc_sqlite_ways;
POLYPOOL_BOTH_WAYS(odbc_sqlite);

constexpr const char* endless =
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";

TEST_P(odbc_sqlite, says_what_it_is) {
  auto db = make_client();
  EXPECT_EQ(go_(db->describe()).version.substr(0, 2), "3.");
  EXPECT_EQ(go_(db->describe()).role, server_info::role_type::primary);
  EXPECT_EQ(db->dialect(), dialect::sqlite);
  EXPECT_NO_THROW(go_(db->probe()));
  EXPECT_FALSE(db->dirty());
}

TEST_P(odbc_sqlite, runs_statements_and_scripts) {
  auto db = make_client();
  db.script(
      "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE log (what TEXT);"
      "CREATE TRIGGER noted AFTER INSERT ON item BEGIN INSERT INTO log VALUES (new.name); SELECT 1; END;"
      "INSERT INTO item (name) VALUES ('zero;')");
  EXPECT_EQ(db.query("INSERT INTO item (name) VALUES ($1), ($2)", "one", std::nullopt).affected_rows(), 2u);
  EXPECT_EQ(db.query("INSERT INTO item (id) VALUES (77)").last_insert_id(), 77);
  EXPECT_EQ(db.query("DELETE FROM item WHERE id = 77").last_insert_id(), 0);
  const auto rows = db.query("SELECT id, name FROM item ORDER BY id");
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].get<std::string>("name"), "zero;");
  EXPECT_EQ(rows[2].get<std::optional<std::string>>("name"), std::nullopt);
  EXPECT_EQ(rows[1].get<int>("id"), 2);
  EXPECT_EQ(db.query("UPDATE item SET name = 'x' WHERE id = $1", 1).affected_rows(), 1u);
  EXPECT_EQ(db.query("DELETE FROM item WHERE id = $1", 77).affected_rows(), 0u);
  EXPECT_EQ(db.query("SELECT count(*) AS n FROM log").front().get<int>("n"), 4);
  EXPECT_EQ(db.query("SELECT $2 || $1 || $2 AS t", "a", "b").front().get<std::string>("t"), "bab");
  EXPECT_EQ(failure_of(go_, db->execute_script("INSERT INTO log VALUES ('y'); SELEC; DROP TABLE log")).portable_code(),
            errc::syntax_error);
  EXPECT_EQ(db.query("SELECT count(*) AS n FROM log").front().get<int>("n"), 5);
  EXPECT_EQ(db.failure("SELECT 1; SELECT 2").portable_code(), errc::invalid_argument);
  EXPECT_FALSE(db->dirty());
}

TEST_P(odbc_sqlite, random_values_come_back_the_same) {
  auto db = make_client();
  db.query(
      "CREATE TABLE v (i BIGINT, r REAL, t TEXT, b BLOB, d DATE, tm TIME, ts TIMESTAMP, f BOOLEAN, n TEXT, u VARCHAR)");
  std::mt19937_64 random(GetParam() == way::blocking ? 1 : 2);
  static const std::vector<std::string> pieces{"a", "Z", " ", "'", "\"", "\\", "\n", "$1", "?", "ü", "€", "漢", "😀"};
  for (int i = 0; i < 100; ++i) {
    SCOPED_TRACE(i);
    const auto integer = static_cast<std::int64_t>(random()) >> random() % 64;
    auto real = std::bit_cast<double>(random());
    if (!std::isfinite(real)) real = 0.1;
    std::string text;
    for (auto left = random() % 1500; left > 0; --left) text += pieces[random() % pieces.size()];
    bytes data(random() % 2000);
    for (auto& byte : data) byte = static_cast<std::byte>(random());
    const date day = std::chrono::sys_days(std::chrono::year(1) / 1 / 1) + std::chrono::days(random() % 3'000'000);
    const time_of_day of_day = std::chrono::microseconds(random() % 86'400'000'000);
    const timestamp local = std::chrono::local_days(day.time_since_epoch()) + of_day;
    const bool flag = random() % 2 == 0;
    const numeric number{std::to_string(integer) + ".125"};
    uuid id;
    for (auto& byte : id.bytes) byte = static_cast<std::uint8_t>(random());
    db.query("DELETE FROM v");
    db.query("INSERT INTO v VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", integer, real, text, data, day, of_day,
             local, flag, number, id);
    const auto rows = db.query("SELECT * FROM v");
    const auto row = rows.front();
    EXPECT_EQ(row.get<std::int64_t>("i"), integer);
    EXPECT_NEAR(row.get<double>("r"), real, std::abs(real) * 1e-14) << "the driver gives 15 digits";
    EXPECT_EQ(row.get<std::string>("t"), text);
    EXPECT_EQ(row.get<bytes>("b"), data);
    EXPECT_EQ(row.get<date>("d"), day);
    EXPECT_EQ(row.get<time_of_day>("tm"), of_day);
    EXPECT_EQ(row.get<timestamp>("ts"), local);
    EXPECT_EQ(row.get<bool>("f"), flag);
    EXPECT_EQ(row.get<numeric>("n"), number);
    EXPECT_EQ(row.get<uuid>("u"), id);
    EXPECT_EQ(rows.columns()[4].type, data_type::date);
    EXPECT_EQ(rows.columns()[7].type, data_type::boolean);
  }
  db.query("DELETE FROM v");
  db.query("INSERT INTO v (i, t) VALUES ($1, $2)", nullptr, std::string());
  EXPECT_TRUE(db.query("SELECT * FROM v").front()[0].is_null());
  EXPECT_EQ(db.query("SELECT * FROM v").front().get<std::string>("t"), "");
  for (const auto extreme : {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    db.query("UPDATE v SET i = $1", extreme);
    EXPECT_EQ(db.query("SELECT i FROM v").front().get<std::int64_t>(0), extreme);
  }
  EXPECT_EQ(db.failure("SELECT $1", std::numeric_limits<std::uint64_t>::max()).portable_code(), errc::invalid_value);
  EXPECT_EQ(db.failure("SELECT $1", std::string("a\0b", 3)).portable_code(), errc::invalid_value);
  EXPECT_EQ(db.failure("SELECT $1", "\xff").portable_code(), errc::invalid_value);
}

TEST_P(odbc_sqlite, large_values) {
  auto db = make_client();
  db.query("CREATE TABLE large (t TEXT, b BLOB)");
  std::string text(3'000'000, 'x');
  for (std::size_t i = 0; i + 2 < text.size(); i += 997) text.replace(i, 2, "ü");
  const auto data = std::as_bytes(std::span<const char>(text));
  db.query("INSERT INTO large VALUES ($1, $2)", text_view{text}, bytes_view{data});
  const auto rows = db.query("SELECT t, b, length(b) AS n FROM large");
  EXPECT_TRUE(rows.front().get<std::string_view>(0) == text);
  EXPECT_TRUE(std::ranges::equal(rows.front().get<bytes>(1), data));
  EXPECT_EQ(rows.front().get<int>(2), 3'000'000);
}

TEST_P(odbc_sqlite, errors_have_portable_codes) {
  auto db = make_client();
  db.script(
      "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, age INT CHECK (age > 0));"
      "CREATE TABLE child (id INT REFERENCES parent); INSERT INTO parent VALUES (1, 'a', 1)");
  const struct {
    const char* sql;
    errc code;
  } all[] = {
      {"INSERT INTO parent VALUES (1, 'b', 1)", errc::unique_violation},
      {"INSERT INTO parent VALUES (2, 'a', 1)", errc::unique_violation},
      {"INSERT INTO child VALUES (7)", errc::foreign_key_violation},
      {"INSERT INTO parent VALUES (2, NULL, 1)", errc::not_null_violation},
      {"INSERT INTO parent VALUES (2, 'b', 0)", errc::check_violation},
      {"SELEC 1", errc::syntax_error},
      {"SELECT * FROM nowhere", errc::undefined_object},
      {"SELECT no_such FROM parent", errc::undefined_object},
      {"SELECT no_such_function()", errc::undefined_object},
      {"CREATE TABLE parent (x)", errc::database_error},
  };
  for (const auto& expected : all) {
    SCOPED_TRACE(expected.sql);
    const auto problem = db.failure(expected.sql);
    EXPECT_EQ(to_string(problem.portable_code()), to_string(expected.code)) << problem.what();
    EXPECT_FALSE(problem.poisons_session());
    EXPECT_NE(problem.native_code(), 0);
  }
  EXPECT_EQ(db.failure("SELECT $1").portable_code(), errc::parameter_count);
  EXPECT_FALSE(db->broken());
}

TEST_P(odbc_sqlite, transactions) {
  using state = sql_session::transaction_state;
  auto db = make_client();
  db.query("CREATE TABLE t (x INT)");
  go_(db->begin({}));
  EXPECT_EQ(db->transaction(), state::active);
  EXPECT_TRUE(db->dirty());
  db.query("INSERT INTO t VALUES (1)");
  db.query(db->savepoint_statement(savepoint_step::open, "here"));
  db.query("INSERT INTO t VALUES (2)");
  db.query(db->savepoint_statement(savepoint_step::undo, "here"));
  db.query(db->savepoint_statement(savepoint_step::release, "here"));
  EXPECT_EQ(db->transaction(), state::active);
  db.query("COMMIT");
  EXPECT_EQ(db->transaction(), state::none);
  EXPECT_EQ(db.query("SELECT sum(x) AS s FROM t").front().get<int>(0), 1);
  db.script("BEGIN; INSERT INTO t VALUES (3)");
  EXPECT_EQ(db->transaction(), state::active);
  db.reset();
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(db.query("SELECT count(*) AS n FROM t").front().get<int>(0), 1);
}

TEST_P(odbc_sqlite, reset_leaves_nothing_behind) {
  auto db = make_client();
  for (const auto* trace : {"CREATE TEMP TABLE leftover (x)", "PRAGMA query_only = 1", "ATTACH ':memory:' AS leftover",
                            "BEGIN IMMEDIATE"}) {
    SCOPED_TRACE(trace);
    db.query(trace);
    EXPECT_TRUE(db->dirty());
    db.reset();
    EXPECT_FALSE(db->dirty());
    EXPECT_EQ(db.query("SELECT count(*) AS n FROM sqlite_temp_master").front().get<int>(0), 0);
    const auto* others = "SELECT count(*) AS n FROM pragma_database_list WHERE name NOT IN ('main', 'temp')";
    EXPECT_EQ(db.query(others).front().get<int>(0), 0);
    db.query("CREATE TABLE IF NOT EXISTS writable (x)");
  }
  db->native();
  EXPECT_TRUE(db->dirty());
  db.reset();
  EXPECT_FALSE(db->dirty());
}

TEST_P(odbc_sqlite, interrupted_in_the_middle) {
  auto db = make_client();
  for (const auto limit : {30ms, 2050ms}) {
    const auto start = std::chrono::steady_clock::now();
    const auto problem = failure_of(go_, with_timeout(limit, db.executing(endless)));
    EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded) << problem.what();
    EXPECT_LT(std::chrono::steady_clock::now() - start, 20s);
    db.reset();
    EXPECT_FALSE(db->dirty());
    EXPECT_EQ(db.query("SELECT 7 AS x").front().get<int>(0), 7);
  }
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  auto work = with_stop(stop.get_token(), db.executing(endless));
  EXPECT_EQ(failure_of(go_, std::move(work)).portable_code(), errc::cancelled);
  EXPECT_EQ(db.query("SELECT 7 AS x").front().get<int>(0), 7);
}

TEST_P(odbc_sqlite, an_interrupted_write_keeps_its_transaction_honest) {
  auto db = make_client();
  db.query("CREATE TABLE t (x INT)");
  go_(db->begin({}));
  db.query("INSERT INTO t VALUES (1)");
  const auto* slow = "INSERT INTO t WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c";
  EXPECT_EQ(failure_of(go_, with_timeout(50ms, db.executing(slow))).portable_code(), errc::deadline_exceeded);
  // SQLite rolls the whole transaction back when a write is interrupted: nothing of it may be committed.
  EXPECT_EQ(db.failure("INSERT INTO t VALUES (2)").portable_code(), errc::transaction_aborted);
  EXPECT_EQ(db->transaction(), sql_session::transaction_state::failed);
  db.query("ROLLBACK");
  EXPECT_EQ(db->transaction(), sql_session::transaction_state::none);
  EXPECT_EQ(db.query("SELECT count(*) AS n FROM t").front().get<int>(0), 0);
}

TEST_P(odbc_sqlite, closed_by_force) {
  auto db = make_client();
  std::jthread closer([&] { db->interrupt(); });
  const auto problem = db.failure(endless);
  EXPECT_EQ(problem.portable_code(), errc::connection_closed) << problem.what();
  EXPECT_TRUE(db->broken());
}

TEST_P(odbc_sqlite, closed_while_a_statement_runs_on) {
  auto db = make_client();
  failure_of(go_, with_timeout(20ms, db.executing(endless)));
  const auto start = std::chrono::steady_clock::now();
  db.close();  // and with it the last user of the driver, which waits for its threads
  EXPECT_LT(std::chrono::steady_clock::now() - start, 20s);
}

TEST_P(odbc_sqlite, waits_for_locks_and_gives_up) {
  auto first = make_client();
  first.query("CREATE TABLE t (x INT)");
  auto hasty = where();
  hasty.options["Timeout"] = "50";
  odbc_client second(go_, hasty);
  go_(first->begin({}));
  first.query("INSERT INTO t VALUES (1)");
  const auto problem = second.failure("INSERT INTO t VALUES (2)");
  EXPECT_EQ(problem.portable_code(), errc::lock_timeout) << problem.what();
  EXPECT_EQ(problem.disposition(), disposition::retryable);
  auto patient = make_client();
  const statement insert("INSERT INTO t VALUES (3)");
  EXPECT_EQ(failure_of(go_, with_timeout(50ms, patient->execute(insert))).portable_code(), errc::deadline_exceeded);
  first.query("COMMIT");
  patient.reset();
  second.query("INSERT INTO t VALUES (2)");
  patient.query("INSERT INTO t VALUES (4)");
}

TEST_P(odbc_sqlite, a_million_rows_in_constant_memory) {
  auto db = make_client();
  auto rows = db.open(
      "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000) "
      "SELECT x, 'some text that is not too short' AS t FROM c");
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
  auto early = db.open("SELECT 1 AS x UNION ALL SELECT 2");
  go_(early->finish());
  EXPECT_FALSE(db->dirty());
}

TEST_P(odbc_sqlite, in_memory) {
  auto to = where();
  to.database = ":memory:";
  EXPECT_TRUE(odbc::make_driver()->session_owns_data(to));
  EXPECT_FALSE(odbc::make_driver()->session_owns_data(where()));
  odbc_client db(go_, to);
  db.query("CREATE TABLE t (x)");
  db.query("CREATE TEMP TABLE u (x)");
  db.reset();
  EXPECT_TRUE(db.query("SELECT * FROM t").empty()) << "a reset keeps the data";
}

TEST_P(odbc_sqlite, files_that_cannot_be_opened) {
  auto to = where();
  to.database = "/nowhere/at/all.db";
  EXPECT_EQ(failure_of(go_, odbc::make_driver()->connect(to)).portable_code(), errc::connect_failed);
  to.database = "/tmp/a;StepAPI=0";
  EXPECT_EQ(failure_of(go_, odbc::make_driver()->connect(to)).portable_code(), errc::invalid_configuration);
  to = where();
  to.schema = "x";
  EXPECT_EQ(failure_of(go_, odbc::make_driver()->connect(to)).portable_code(), errc::invalid_configuration);
}

}  // namespace
}  // namespace polypool::test
