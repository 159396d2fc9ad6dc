// SPDX-License-Identifier: Apache-2.0
// Deadlines, stops, and sessions that are ended: in the middle of something.
#include "fixture.hpp"

#include <stop_token>
#include <thread>

namespace polypool::test {
namespace {

class mysql_interruption : public mysql_ways {
 protected:
  /// Waits, with a session of its own, until the session is at its statement.
  static void wait_for_statement(int id) {
    mysql_admin own(*shared_mysql::address());
    EXPECT_TRUE(wait_until([&] {
      for (const auto& row : own.execute("SHOW FULL PROCESSLIST")) {
        if (row[0] == std::to_string(id)) return row[6] == "User sleep";
      }
      return false;
    }));
  }
};
POLYPOOL_BOTH_WAYS(mysql_interruption);

TEST_P(mysql_interruption, a_deadline_in_the_middle) {
  auto db = make_client();
  const auto id = db.id();
  const auto start = std::chrono::steady_clock::now();
  const auto problem = failure_of(go_, with_timeout(50ms, db.executing("SELECT SLEEP(60)")));
  EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded);
  EXPECT_EQ(problem.disposition(), disposition::in_doubt);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
  EXPECT_TRUE(db->dirty());
  EXPECT_FALSE(db->broken());
  EXPECT_EQ(db->transaction(), sql_session::transaction_state::unknown);
  EXPECT_TRUE(wait_until([&] { return state_of(id) == "Execute"; }));
  db.reset();
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(state_of(id), "Sleep");
  EXPECT_EQ(db.id(), id);
}

TEST_P(mysql_interruption, the_next_operation_recovers) {
  auto db = make_client();
  const auto id = db.id();
  db.query("CREATE TABLE thing (x int) ENGINE = InnoDB");
  failure_of(go_, with_timeout(20ms, db.executing("SELECT SLEEP(60)")));
  EXPECT_EQ(db.id(), id);
  failure_of(go_, with_timeout(20ms, db.executing("DO SLEEP(60)")));  // the text protocol
  EXPECT_EQ(db.id(), id);
  failure_of(go_, with_timeout(20ms, db->execute_script("DO SLEEP(60); SELECT 1")));
  EXPECT_NO_THROW(go_(db->probe()));
  EXPECT_EQ(db.failure("BEGIN; SELECT 1").portable_code(), errc::syntax_error) << "scripts are over";
  failure_of(go_, with_timeout(20ms, db->execute_script("SELECT 1; DO SLEEP(60)")));
  EXPECT_EQ(db.failure("BEGIN; SELECT 1").portable_code(), errc::syntax_error);
  failure_of(go_, with_timeout(20ms, db.opening("SELECT SLEEP(60)")));
  EXPECT_EQ(go_(db->describe()).role, server_info::role_type::primary);
  EXPECT_FALSE(db->dirty());
  // The statement is undone, the transaction is not.
  db.query("BEGIN");
  db.query("INSERT INTO thing VALUES (1)");
  failure_of(go_, with_timeout(20ms, db.executing("INSERT INTO thing SELECT SLEEP(60)")));
  EXPECT_EQ(db.text("SELECT count(*) FROM thing"), "1");
  EXPECT_EQ(db->transaction(), sql_session::transaction_state::active);
  db.query("COMMIT");
  EXPECT_EQ(db.text("SELECT count(*) FROM thing"), "1");
  EXPECT_EQ(db.id(), id);
}

// The one that comes after may not be hit.
TEST_P(mysql_interruption, a_cancel_that_comes_too_late_hits_nothing) {
  auto db = make_client();
  const auto id = db.id();
  for (int i = 0; i < 30; ++i) {
    try {
      go_(with_timeout(std::chrono::microseconds(200 * i), db.executing("SELECT SLEEP(0.003)")));
    } catch (const error& problem) {
      EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded);
    }
    EXPECT_EQ(db.text("SELECT SLEEP(0.002)"), "0");
  }
  EXPECT_EQ(db.id(), id);
}

TEST_P(mysql_interruption, a_deadline_of_the_past_touches_nothing) {
  auto db = make_client();
  db.query("CREATE TABLE thing (x int)");
  const auto problem = failure_of(go_, with_deadline(time_point{}, db.executing("INSERT INTO thing VALUES (1)")));
  EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded);
  EXPECT_EQ(problem.disposition(), disposition::retryable);
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(db.text("SELECT count(*) FROM thing"), "0");
}

TEST_P(mysql_interruption, a_stop_in_the_middle_and_before) {
  auto db = make_client();
  const auto id = db.id();
  std::stop_source stop;
  std::jthread stopper([&] {
    wait_for_statement(id);
    stop.request_stop();
  });
  auto work = with_stop(stop.get_token(), db.executing("SELECT SLEEP(60)"));
  EXPECT_EQ(failure_of(go_, std::move(work)).portable_code(), errc::cancelled);
  EXPECT_TRUE(db->dirty());
  auto early = with_stop(stop.get_token(), db.executing("SELECT 1"));
  EXPECT_EQ(failure_of(go_, std::move(early)).portable_code(), errc::cancelled);
  EXPECT_EQ(db.id(), id);
}

TEST_P(mysql_interruption, cancelled_by_an_administrator) {
  auto db = make_client();
  const auto id = db.id();
  std::jthread administrator([&] {
    wait_for_statement(id);
    mysql_admin(*shared_mysql::address()).execute("KILL QUERY " + std::to_string(id));
  });
  // SLEEP gives 1 when it is killed; what comes behind it is not done.
  const auto problem = db.failure("SELECT SLEEP(60) UNION ALL SELECT SLEEP(0.01)");
  EXPECT_EQ(problem.portable_code(), errc::cancelled) << problem.what();
  EXPECT_FALSE(db->broken());
  EXPECT_FALSE(db->dirty());
}

TEST_P(mysql_interruption, sessions_that_the_server_ends) {
  for (const bool in_the_middle : {false, true}) {
    auto db = make_client();
    const auto id = db.id();
    std::jthread killer;
    if (in_the_middle) {
      killer = std::jthread([&] {
        wait_for_statement(id);
        mysql_admin(*shared_mysql::address()).execute("KILL " + std::to_string(id));
      });
    } else {
      admin().execute("KILL " + std::to_string(id));
      EXPECT_TRUE(wait_until([&] { return state_of(id) == "gone"; }));
    }
    const auto problem = db.failure("SELECT SLEEP(60)");
    EXPECT_EQ(problem.portable_code(), errc::connection_lost) << problem.what();
    EXPECT_TRUE(problem.poisons_session());
    EXPECT_TRUE(db->broken());
    EXPECT_EQ(db.failure("SELECT 1").portable_code(), errc::connection_lost);
  }
}

TEST_P(mysql_interruption, closed_by_force_from_another_thread) {
  auto db = make_client();
  const auto id = db.id();
  std::jthread closer([&] {
    wait_for_statement(id);
    db->interrupt();
  });
  const auto problem = db.failure("SELECT SLEEP(60)");
  EXPECT_EQ(problem.portable_code(), errc::connection_closed);
  EXPECT_TRUE(problem.poisons_session());
  closer.join();
  db->interrupt();
  EXPECT_TRUE(db->broken());
  EXPECT_EQ(db.failure("SELECT 1").portable_code(), errc::connection_closed);
  EXPECT_EQ(failure_of(go_, db->probe()).portable_code(), errc::connection_closed);
  EXPECT_EQ(failure_of(go_, db->reset()).portable_code(), errc::connection_closed);
  db.close();
}

// A thread waits inside of a read at first, which ends before such answers and deadlines come.
TEST_P(mysql_interruption, answers_and_deadlines_that_take_longer_than_one_read) {
  auto db = make_client();
  EXPECT_EQ(db.text("SELECT SLEEP(0.5)"), "0");
  const auto problem = failure_of(go_, with_timeout(500ms, db.executing("SELECT SLEEP(60)")));
  EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded);
  EXPECT_EQ(db.text("SELECT 1"), "1");
}

TEST_P(mysql_interruption, destroyed_in_the_middle) {
  auto db = make_client();
  failure_of(go_, with_timeout(20ms, db.executing("SELECT SLEEP(0.5)")));
  db.close();
  auto other = make_client();
  failure_of(go_, with_timeout(20ms, other->execute_script("DO SLEEP(0.5); SELECT 1")));
  other.close();
  EXPECT_TRUE(playground_->sessions_become(0));
}

TEST_P(mysql_interruption, over_tls) {
  auto where = playground_->endpoint();
  where.tls = tls_mode::require;
  client db(go_, where);
  const auto id = db.id();
  failure_of(go_, with_timeout(50ms, db.executing("SELECT SLEEP(60)")));
  EXPECT_EQ(db.id(), id);
  const auto rows = db.open("SELECT seq, repeat('x', 1000) FROM seq_1_to_100000");
  EXPECT_TRUE(go_(rows->next()));
  go_(rows->finish());
  EXPECT_EQ(db.id(), id);
}

}  // namespace
}  // namespace polypool::test
