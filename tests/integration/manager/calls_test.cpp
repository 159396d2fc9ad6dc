// SPDX-License-Identifier: Apache-2.0
// Calls that go wrong, and the next one, which works; on one session, which stays the same.
#include "support/whole_stack.hpp"

#include <libpq-fe.h>

#include <functional>
#include <source_location>
#include <thread>

namespace polypool::test {
namespace {

class manager_calls : public manager_test {
 protected:
  void SetUp() override {
    manager_test::SetUp();
    settings_.defaults.max_open_conns = 1;
  }
};

struct mistake {
  const char* what;
  std::function<void(const sql_database&)> call;
  errc postgres;
  errc sqlite;
};

const std::vector<mistake>& mistakes() {
  static const std::vector<mistake> all{
      {"too few", [](sql_database db) { db.query("SELECT $1, $2", "a"); }, errc::parameter_count,
       errc::parameter_count},
      {"none", [](sql_database db) { db.query("SELECT $1"); }, errc::parameter_count, errc::parameter_count},
      {"too many", [](sql_database db) { db.query("SELECT $1", "a", "b"); }, errc::parameter_count,
       errc::parameter_count},
      {"syntax", [](sql_database db) { db.query("SELEC 1"); }, errc::syntax_error, errc::syntax_error},
      {"no table", [](sql_database db) { db.query("SELECT * FROM no_such_table"); }, errc::undefined_object,
       errc::undefined_object},
      {"duplicate", [](sql_database db) { db.execute("INSERT INTO t VALUES (1, 'b')"); }, errc::unique_violation,
       errc::unique_violation},
      {"null", [](sql_database db) { db.execute("INSERT INTO t VALUES (2, $1)", nullptr); }, errc::not_null_violation,
       errc::not_null_violation},
      {"row count", [](sql_database db) { db.query_one("SELECT * FROM t WHERE id = $1", 99); }, errc::row_count,
       errc::row_count},
      {"type", [](sql_database db) { db.query_value<int>("SELECT name FROM t"); }, errc::type_mismatch,
       errc::type_mismatch},
      {"script", [](sql_database db) { db.execute_script("SELECT 1; SELECT * FROM no_such_table; DROP TABLE t"); },
       errc::undefined_object, errc::undefined_object},
      {"stream", [](sql_database db) { db.stream("SELECT * FROM no_such_table"); }, errc::undefined_object,
       errc::undefined_object},
      {"begin in it",
       [](sql_database db) { db.transact([](transaction& tx) { tx.query("SELECT * FROM no_such_table"); }); },
       errc::undefined_object, errc::undefined_object},
  };
  return all;
}

TEST_F(manager_calls, after_each_mistake_the_next_call_works) {
  auto& mgr = make({postgres(), sqlite()});
  for (const std::string name : {"pg", "lite"}) {
    auto db = mgr.sql(name);
    db.execute_script("CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL); INSERT INTO t VALUES (1, 'a')");
    const auto opened = mgr.get(name).statistics().pool.opened;
    for (const auto& each : mistakes()) {
      SCOPED_TRACE(name + ": " + each.what);
      const auto problem = error_of([&] { each.call(db); });
      EXPECT_EQ(problem.portable_code(), name == "pg" ? each.postgres : each.sqlite) << problem.what();
      EXPECT_EQ(db.query_value<std::string>("SELECT name FROM t WHERE id = $1", 1), "a");
      EXPECT_EQ(mgr.get(name).statistics().pool.in_use, 0u);
    }
    EXPECT_EQ(mgr.get(name).statistics().pool.opened, opened) << "a session was thrown away";
  }
  EXPECT_TRUE(sessions_become(1));
}

TEST_F(manager_calls, text_that_postgres_does_not_take) {
  auto& mgr = make({postgres()});
  auto db = mgr.sql("pg");
  const auto backend = db.query_value<int>("SELECT pg_backend_pid()");
  const std::string zero("a\0b", 3);
  const std::string broken = "\xc3\x28 \xff";
  const std::string text_with_zero("SELECT 1\0, 2", 12);
  for (const auto& bad : {zero, broken}) {
    const auto problem = error_of([&] { db.query("SELECT $1::text", bad); });
    EXPECT_TRUE(problem.portable_code() == errc::invalid_value || problem.portable_code() == errc::invalid_argument)
        << problem.what();
    EXPECT_EQ(db.query_value<int>("SELECT pg_backend_pid()"), backend);
  }
  EXPECT_NE(error_of([&] { db.query(text_with_zero); }).portable_code(), errc::internal_error);
  EXPECT_NE(error_of([&] { db.query("SELECT '\xff'"); }).portable_code(), errc::internal_error);
  EXPECT_EQ(db.query_value<int>("SELECT pg_backend_pid()"), backend);
  EXPECT_TRUE(sessions_become(1));
}

TEST_F(manager_calls, a_hundred_megabytes_in_and_out) {
  auto& mgr = make({postgres(), sqlite()});
  std::string large(100'000'000, 'x');
  large[77'777'777] = 'y';
  for (const std::string name : {"pg", "lite"}) {
    SCOPED_TRACE(name);
    auto db = mgr.sql(name);
    db.execute("CREATE TABLE big (x text)");
    db.execute("INSERT INTO big VALUES ($1)", large);
    const auto back = db.query("SELECT x FROM big");
    EXPECT_TRUE(back.front().get<std::string_view>(0) == large);
    EXPECT_EQ(db.query_value<int>("SELECT 1"), 1);
  }
  EXPECT_TRUE(sessions_become(1));
}

TEST_F(manager_calls, a_deadline_leaves_nothing_running) {
  auto& mgr = make({postgres()});
  auto db = mgr.sql("pg");
  const auto backend = db.query_value<int>("SELECT pg_backend_pid()");
  const auto hasty = db.with(call().named("report").timeout(100ms));
  for (int i = 0; i < 3; ++i) {
    const stopwatch watch;
    const auto problem = error_of([&] { sql_database(hasty).query("SELECT pg_sleep(60)"); });
    EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded);
    EXPECT_THAT(problem.what(), HasSubstr("connection 'pg' report"));
    EXPECT_LT(watch.elapsed(), 5s);
    EXPECT_TRUE(wait_until([&] { return running() == 0; })) << "the statement runs on";
  }
  EXPECT_EQ(db.query_value<int>("SELECT pg_backend_pid()"), backend);
  EXPECT_TRUE(sessions_become(1));
  auto stuck = mgr.sql("pg").with(call().timeout(100ms)).begin();
  EXPECT_EQ(error_of([&] { stuck.execute_script("SELECT pg_sleep(60)"); }).portable_code(), errc::deadline_exceeded);
  EXPECT_EQ(error_of([&] { stuck.commit(); }).portable_code(), errc::transaction_aborted);
  EXPECT_TRUE(wait_until([&] { return running() == 0; }));
  EXPECT_EQ(db.query_value<int>("SELECT pg_backend_pid()"), backend);
}

TEST_F(manager_calls, who_waits_in_vain_learns_who_holds) {
  settings_.defaults.acquire_timeout = 100ms;
  auto& mgr = make({postgres()});
  auto db = mgr.sql("pg");
  const auto line = std::source_location::current().line() + 1;
  auto held = db.lease();
  const auto problem = error_of([&] { db.query("SELECT 1"); });
  EXPECT_EQ(problem.portable_code(), errc::pool_timeout);
  EXPECT_THAT(problem.what(), HasSubstr("calls_test.cpp:" + std::to_string(line)));
  EXPECT_THAT(problem.what(), HasSubstr("max_open_conns"));
  const auto hasty = error_of([&] { db.with(call().timeout(20ms)).query("SELECT 1"); });
  EXPECT_EQ(hasty.portable_code(), errc::pool_timeout);
  EXPECT_EQ(mgr.get("pg").statistics().pool.waiting, 0u);
  held.release();
  EXPECT_EQ(db.query_value<int>("SELECT 1"), 1);
  EXPECT_TRUE(sessions_become(1));
  // Whoever holds one by a plain statement is named as well, not some file of Polypool.
  const auto stream_line = std::source_location::current().line() + 1;
  auto rows = db.stream("SELECT 1");
  EXPECT_THAT(error_of([&] { db.query("SELECT 1"); }).what(),
              HasSubstr("calls_test.cpp:" + std::to_string(stream_line)));
}

TEST_F(manager_calls, the_native_handle_comes_back_clean) {
  auto& mgr = make({postgres(), sqlite()});
  auto db = mgr.sql("pg");
  {
    auto held = db.lease();
    auto* raw = held.native<PGconn*>();
    for (const char* text : {"SET work_mem = '77MB'", "CREATE TEMP TABLE left_behind (x int)", "LISTEN somebody",
                             "SELECT pg_advisory_lock(4711)", "BEGIN", "CREATE TABLE undone (x int)"}) {
      const std::unique_ptr<PGresult, decltype(&PQclear)> done(PQexec(raw, text), &PQclear);
      EXPECT_NE(PQresultStatus(done.get()), PGRES_FATAL_ERROR) << PQerrorMessage(raw);
    }
    EXPECT_EQ(error_of([&] { held.native<int*>(); }).portable_code(), errc::type_mismatch);
  }
  EXPECT_NE(db.query_value<std::string>("SHOW work_mem"), "77MB");
  EXPECT_EQ(error_of([&] { db.query("SELECT * FROM left_behind"); }).portable_code(), errc::undefined_object);
  EXPECT_EQ(error_of([&] { db.query("SELECT * FROM undone"); }).portable_code(), errc::undefined_object);
  EXPECT_EQ(db.query_value<int>("SELECT count(*) FROM pg_listening_channels()"), 0);
  EXPECT_EQ(db.query_value<int>("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711"), 0);
  EXPECT_TRUE(sessions_become(1));
  EXPECT_EQ(mgr.get("pg").statistics().pool.opened, 1u);
}

}  // namespace
}  // namespace polypool::test
