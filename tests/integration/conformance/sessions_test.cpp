// SPDX-License-Identifier: Apache-2.0
// What a driver's session promises (polypool/driver.hpp), both ways.
#include "fixture.hpp"

#include <stop_token>
#include <thread>

namespace polypool::test {
namespace {

using conformance_sessions = session_conformance;
POLYPOOL_EVERY_DATABASE_BOTH_WAYS(conformance_sessions);

using state = sql_session::transaction_state;

TEST_P(conformance_sessions, say_what_they_are) {
  auto db = make_client();
  EXPECT_FALSE(db->dirty());
  EXPECT_FALSE(db->broken());
  EXPECT_EQ(db->transaction(), state::none);
  EXPECT_FALSE(go_(db->describe()).version.empty());
  EXPECT_EQ(go_(db->describe()).role, server_info::role_type::primary);
  go_(db->probe());
  EXPECT_EQ(driver_->kind(), database_kind::sql);
  EXPECT_FALSE(db->dirty());
}

TEST_P(conformance_sessions, deadlines_end_what_runs_and_the_session_lives) {
  auto db = make_client();
  const auto before = id(db);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 2; ++i) {
    const auto problem = failure_of(go_, with_timeout(30ms, db.executing(on().slow)));
    EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded) << problem.what();
    if (i == 0) {
      db.reset();
      EXPECT_FALSE(db->dirty());
    }
    EXPECT_EQ(db.text("SELECT 7"), "7");
  }
  if (on().selects_run_at_once) {
    const auto of_stream = failure_of(go_, with_timeout(30ms, db.opening(on().slow)));
    EXPECT_EQ(of_stream.portable_code(), errc::deadline_exceeded) << of_stream.what();
    const auto of_script = failure_of(go_, with_timeout(30ms, db->execute_script(on().slow)));
    EXPECT_EQ(of_script.portable_code(), errc::deadline_exceeded) << of_script.what();
  }
  db.reset();
  EXPECT_FALSE(db->broken());
  EXPECT_EQ(id(db), before);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 50s);
}

TEST_P(conformance_sessions, stops_end_what_runs_and_the_session_lives) {
  auto db = make_client();
  const auto before = id(db);
  std::stop_source stop;
  std::jthread stopper([&] {
    const auto at = std::chrono::steady_clock::now() + 30ms;
    wait_until([&] { return std::chrono::steady_clock::now() >= at; });
    stop.request_stop();
  });
  const auto problem = failure_of(go_, with_stop(stop.get_token(), db.executing(on().slow)));
  EXPECT_EQ(problem.portable_code(), errc::cancelled) << problem.what();
  const auto early = failure_of(go_, with_stop(stop.get_token(), db.executing("SELECT 1")));
  EXPECT_EQ(early.portable_code(), errc::cancelled) << early.what();
  db.reset();
  EXPECT_EQ(id(db), before);
}

TEST_P(conformance_sessions, deadlines_of_the_past_do_nothing) {
  auto db = make_client();
  db.query("CREATE TABLE t (a int)");
  const auto problem = failure_of(go_, with_deadline(time_point{}, db.executing("INSERT INTO t VALUES (1)")));
  EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded) << problem.what();
  EXPECT_EQ(db.text("SELECT count(*) FROM t"), "0");
}

// What the query says, or how it fails.
std::string answer(sql_client& db, const std::string& query) {
  try {
    return db.text(query);
  } catch (const error& problem) {
    return std::string(to_string(problem.portable_code()));
  }
}

TEST_P(conformance_sessions, a_reset_leaves_nothing_behind) {
  auto db = make_client();
  const auto before = id(db);
  for (const auto& [trace, shown_by] : on().traces) {
    SCOPED_TRACE(trace);
    const auto clean = answer(db, shown_by);
    db.reset();  // a look at a variable may count as a trace of its own
    EXPECT_FALSE(db->dirty());
    db.query(trace);
    EXPECT_TRUE(db->dirty());
    if (db->transaction() == state::none) {
      EXPECT_NE(answer(db, shown_by), clean) << "the trace is one";
    }
    db.reset();
    EXPECT_FALSE(db->dirty());
    EXPECT_EQ(db->transaction(), state::none);
    EXPECT_EQ(answer(db, shown_by), clean);
  }
  if (on().reset_keeps_session) {
    EXPECT_EQ(id(db), before);
  }
}

TEST_P(conformance_sessions, a_reset_rolls_back) {
  auto db = make_client();
  db.query("CREATE TABLE t (a int)");
  go_(db->begin({}));
  EXPECT_EQ(db->transaction(), state::active);
  db.query("INSERT INTO t VALUES (1)");
  EXPECT_TRUE(db->dirty());
  db.reset();
  EXPECT_EQ(db->transaction(), state::none);
  EXPECT_EQ(db.text("SELECT count(*) FROM t"), "0");
  go_(db->begin({}));
  db.query("INSERT INTO t VALUES (1)");
  db.query("COMMIT");
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(db.text("SELECT count(*) FROM t"), "1");
}

TEST_P(conformance_sessions, more_statements_than_are_kept) {
  auto small = where();
  small.statement_cache = 3;
  auto none = where();
  none.statement_cache = 0;
  for (auto db = make_client(small); auto* each : {&db}) {
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 8; ++i) EXPECT_EQ(each->text("SELECT " + std::to_string(i)), std::to_string(i));
    }
  }
  auto db = make_client(none);
  db.query("CREATE TABLE t (a int)");
  for (int i = 0; i < 4; ++i) db.query("INSERT INTO t VALUES ($1)", i);
  EXPECT_EQ(db.text("SELECT a FROM t WHERE a = $1", 2), "2");
  auto rows = db.open("SELECT a FROM t WHERE a > $1 ORDER BY a", {value(1)});
  EXPECT_EQ(go_(rows->next())->at(0, 0).get<int>(), 2);
  rows.reset();
  db.reset();
  EXPECT_FALSE(db->dirty());
}

TEST_P(conformance_sessions, cursors) {
  auto db = make_client();
  auto rows = db.open("SELECT n FROM " + on().series(5000) + " ORDER BY n");
  ASSERT_EQ(rows->columns()->size(), 1u);
  EXPECT_EQ((*rows->columns())[0].name, "n");
  int expected = 0;
  while (const auto block = go_(rows->next())) {
    for (std::size_t i = 0; i < block->rows(); ++i) ASSERT_EQ(block->at(i, 0).get<int>(), ++expected);
  }
  EXPECT_EQ(expected, 5000);
  go_(rows->finish());
  rows.reset();
  EXPECT_FALSE(db->dirty());
  rows = db.open("SELECT n FROM " + on().series(100000));
  go_(rows->next());
  go_(rows->finish());
  rows.reset();
  EXPECT_FALSE(db->dirty());
  rows = db.open("SELECT n FROM " + on().series(100000));
  go_(rows->next());
  rows.reset();  // without a word
  db.reset();
  EXPECT_EQ(db.text("SELECT 7"), "7");
}

TEST_P(conformance_sessions, interrupted_from_another_thread) {
  auto db = make_client();
  std::jthread closer([&] {
    const auto at = std::chrono::steady_clock::now() + 30ms;
    wait_until([&] { return std::chrono::steady_clock::now() >= at; });
    db->interrupt();
  });
  const auto problem = db.failure(on().slow);
  EXPECT_EQ(problem.portable_code(), errc::connection_closed) << problem.what();
  EXPECT_TRUE(problem.poisons_session());
  closer.join();
  EXPECT_TRUE(db->broken());
  EXPECT_EQ(db.failure("SELECT 1").portable_code(), errc::connection_closed);
  db.close();
  place_->end_all();
}

TEST_P(conformance_sessions, the_native_handle_makes_dirty) {
  auto db = make_client();
  EXPECT_NE(db->native().pointer, nullptr);
  EXPECT_TRUE(db->dirty());
  db.reset();
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(db.text("SELECT 7"), "7");
}

}  // namespace
}  // namespace polypool::test
