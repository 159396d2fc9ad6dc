// SPDX-License-Identifier: Apache-2.0
#include "sqlite_fixture.hpp"

#include <polypool/asio.hpp>

#include <boost/asio/io_context.hpp>

#include <stop_token>
#include <thread>

namespace polypool::sqlite {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using transaction_state = sql_session::transaction_state;

// Runs the work, and `then` on another thread once the statement looks at its deadline for the n-th time.
error caught_while(int looks, const std::function<void(environment&)>& work, const std::function<void()>& then) {
  watched_clock time(looks);
  environment env;
  env.time = &time;
  env.deadline = clock::system().now() + 1min;
  const std::jthread other([&] {
    time.under_way.wait();
    then();
  });
  return caught([&] { work(env); });
}

TEST(sqlite_deadline, ends_a_statement_and_leaves_the_session_usable) {
  const database db;
  const auto started = std::chrono::steady_clock::now();
  const auto problem = caught([&] { db.query_in(until(20ms), endless); });
  EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded);
  EXPECT_FALSE(problem.poisons_session());
  EXPECT_LT(std::chrono::steady_clock::now() - started, 5s);
  EXPECT_FALSE(db.session().dirty());
  EXPECT_EQ(db.get<int>("SELECT 1"), 1);
}

TEST(sqlite_deadline, that_has_passed_starts_nothing) {
  const database db;
  db.query("CREATE TABLE t(a)");
  EXPECT_EQ(caught([&] { db.query_in(until(-1ms), "INSERT INTO t VALUES (1)"); }).portable_code(),
            errc::deadline_exceeded);
  EXPECT_EQ(db.get<int>("SELECT count(*) FROM t"), 0);
}

TEST(sqlite_deadline, ends_a_wait_for_a_lock) {
  const temporary_folder folder;
  const database holder(folder.file());
  holder.script("CREATE TABLE t(a); BEGIN IMMEDIATE");
  const database db(folder.file(), {{"busy_timeout", "1h"}});
  const auto problem = caught([&] { db.query_in(until(30ms), "INSERT INTO t VALUES (1)"); });
  EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded);
  EXPECT_THAT(problem.what(), HasSubstr("lock"));
  holder.query("ROLLBACK");
  EXPECT_EQ(db.query("INSERT INTO t VALUES (1)").affected_rows(), 1U);
}

TEST(sqlite_deadline, still_counts_after_pragma_busy_timeout) {
  const temporary_folder folder;
  const database holder(folder.file());
  holder.script("CREATE TABLE t(a); BEGIN IMMEDIATE");
  const database db(folder.file());
  db.query("PRAGMA busy_timeout = 3600000");
  EXPECT_EQ(caught([&] { db.query_in(until(30ms), "INSERT INTO t VALUES (1)"); }).portable_code(),
            errc::deadline_exceeded);
  db.query("PRAGMA busy_timeout = 10");
  EXPECT_EQ(caught([&] { db.query("INSERT INTO t VALUES (1)"); }).portable_code(), errc::lock_timeout);
}

TEST(sqlite_lock, is_got_as_soon_as_it_is_free) {
  const temporary_folder folder;
  const database holder(folder.file());
  holder.script("CREATE TABLE t(a); BEGIN IMMEDIATE");
  const database db(folder.file(), {{"busy_timeout", "1h"}});
  watched_clock time(4);
  environment env;
  env.time = &time;
  env.deadline = clock::system().now() + 1min;
  const std::jthread other([&] {
    time.under_way.wait();
    holder.query("COMMIT");
  });
  EXPECT_EQ(db.query_in(env, "INSERT INTO t VALUES (1)").affected_rows(), 1U);
}

TEST(sqlite_stop, ends_a_running_statement) {
  const database db;
  std::stop_source source;
  const auto problem = caught_while(
      3,
      [&](environment& env) {
        env.stop = source.get_token();
        db.query_in(env, endless);
      },
      [&] { source.request_stop(); });
  EXPECT_EQ(problem.portable_code(), errc::cancelled);
  EXPECT_FALSE(problem.poisons_session());
  EXPECT_EQ(db.get<int>("SELECT 1"), 1);
}

TEST(sqlite_stop, ends_a_wait_for_a_lock) {
  const temporary_folder folder;
  const database holder(folder.file());
  holder.script("CREATE TABLE t(a); BEGIN IMMEDIATE");
  const database db(folder.file(), {{"busy_timeout", "1h"}});
  std::stop_source source;
  const auto problem = caught_while(
      4,
      [&](environment& env) {
        env.stop = source.get_token();
        db.query_in(env, "INSERT INTO t VALUES (1)");
      },
      [&] { source.request_stop(); });
  EXPECT_EQ(problem.portable_code(), errc::cancelled);
  EXPECT_THAT(problem.what(), HasSubstr("lock"));
  EXPECT_FALSE(db.session().dirty());
}

TEST(sqlite_interrupt, ends_the_running_and_every_later_operation) {
  const database db;
  const auto problem =
      caught_while(3, [&](environment& env) { db.query_in(env, endless); }, [&] { db.session().interrupt(); });
  EXPECT_EQ(problem.portable_code(), errc::connection_closed);
  EXPECT_TRUE(problem.poisons_session());
  EXPECT_TRUE(db.session().broken());
  EXPECT_EQ(caught([&] { db.query("SELECT 1"); }).portable_code(), errc::connection_closed);
  EXPECT_EQ(caught([&] { run(db.session().probe()); }).portable_code(), errc::connection_closed);
  EXPECT_EQ(caught([&] { db.reset(); }).portable_code(), errc::connection_closed);
  EXPECT_EQ(caught([&] { db.open("SELECT 1"); }).portable_code(), errc::connection_closed);
  EXPECT_EQ(caught([&] { db.script("SELECT 1"); }).portable_code(), errc::connection_closed);
}

TEST(sqlite_interrupt, ends_a_wait_for_a_lock) {
  const temporary_folder folder;
  const database holder(folder.file());
  holder.script("CREATE TABLE t(a); BEGIN IMMEDIATE");
  const database db(folder.file(), {{"busy_timeout", "1h"}});
  const auto problem = caught_while(
      4, [&](environment& env) { db.query_in(env, "INSERT INTO t VALUES (1)"); }, [&] { db.session().interrupt(); });
  EXPECT_EQ(problem.portable_code(), errc::connection_closed);
}

TEST(sqlite_transaction, that_a_deadline_ended_takes_nothing_but_rollback) {
  const database db;
  db.script("CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES (1)");
  const auto problem = caught([&] {
    db.query_in(
        until(20ms),
        "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0");
  });
  EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded);
  EXPECT_THAT(problem.what(), HasSubstr("whole transaction was rolled back"));
  EXPECT_EQ(db.session().transaction(), transaction_state::failed);
  EXPECT_TRUE(db.session().dirty());
  for (const auto text : {"INSERT INTO t VALUES (2)", "COMMIT", "ROLLBACK TO s", "SELECT 1"}) {
    EXPECT_EQ(caught([&] { db.query(text); }).portable_code(), errc::transaction_aborted) << text;
    EXPECT_EQ(caught([&] { db.script(text); }).portable_code(), errc::transaction_aborted) << text;
    EXPECT_EQ(caught([&] { db.open(text); }).portable_code(), errc::transaction_aborted) << text;
  }
  db.query(" /* over */ rollback transaction;");
  EXPECT_EQ(db.session().transaction(), transaction_state::none);
  EXPECT_EQ(db.get<int>("SELECT count(*) FROM t"), 0);
}

TEST(sqlite_transaction, survives_the_deadline_of_a_read) {
  const database db;
  db.script("CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES (1)");
  EXPECT_EQ(caught([&] { db.query_in(until(20ms), endless); }).portable_code(), errc::deadline_exceeded);
  EXPECT_EQ(db.session().transaction(), transaction_state::active);
  db.query("COMMIT");
  EXPECT_EQ(db.get<int>("SELECT count(*) FROM t"), 1);
}

task<std::int64_t> a_bit_of_everything(std::unique_ptr<session>& opened) {
  const auto driver = make_driver();
  const auto where = database::endpoint_of(":memory:");
  opened = co_await driver->connect(where);
  auto& db = dynamic_cast<sql_session&>(*opened);
  co_await db.execute_script("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2), (3)");
  const statement all_rows(std::string_view("SELECT a FROM t"));
  const auto reading = co_await db.open(all_rows);
  std::int64_t sum = 0;
  while (const auto block = co_await reading->next()) {
    for (std::size_t i = 0; i < block->rows(); ++i) sum += block->at(i, 0).get<std::int64_t>();
  }
  co_await db.probe();
  co_await db.reset();
  const statement how_many(std::string_view("SELECT count(*) FROM t"));
  const result rows = co_await db.execute(how_many);
  co_return sum * 10 + rows.front().get<std::int64_t>(0);
}

TEST(sqlite_asio, works_beside_the_event_loop) {
  boost::asio::io_context loop;
  std::unique_ptr<session> opened;
  std::int64_t sum = 0;
  spawn(loop.get_executor(), a_bit_of_everything(opened), [&](std::exception_ptr failure, std::int64_t result) {
    EXPECT_FALSE(failure);
    sum = result;
  });
  loop.run();
  EXPECT_EQ(sum, 63);
  std::exception_ptr late;
  auto work = with_timeout(20ms, dynamic_cast<sql_session&>(*opened).execute(statement(endless)));
  spawn(loop.get_executor(), std::move(work), [&](std::exception_ptr failure, const result&) { late = failure; });
  loop.restart();
  loop.run();
  ASSERT_TRUE(late);
  EXPECT_EQ(caught([&] { std::rethrow_exception(late); }).portable_code(), errc::deadline_exceeded);
  EXPECT_FALSE(opened->dirty());
}

}  // namespace
}  // namespace polypool::sqlite
