// SPDX-License-Identifier: Apache-2.0
// Connections that open, close, switch and go, each on its own.
#include "support/whole_stack.hpp"

#include <atomic>
#include <latch>
#include <thread>

namespace polypool::test {
namespace {

using manager_lifecycle = manager_test;

TEST_F(manager_lifecycle, two_databases_close_and_reopen_on_their_own) {
  auto& mgr = make({postgres(), sqlite()});
  EXPECT_EQ(mgr.connect().connected.size(), 2u);
  auto pg = mgr.sql("pg");
  auto lite = mgr.sql("lite");
  lite.execute("CREATE TABLE t (x int)");
  EXPECT_EQ(pg.query_value<int>("SELECT 1"), 1);

  mgr.get("pg").close();
  EXPECT_TRUE(sessions_become(0));
  EXPECT_EQ(mgr.get("pg").phase(), connection_phase::closed);
  EXPECT_EQ(error_of([&] { pg.query("SELECT 1"); }).portable_code(), errc::connection_closed);
  EXPECT_EQ(lite.execute("INSERT INTO t VALUES (1)"), 1u);

  mgr.get("pg").connect();
  EXPECT_EQ(pg.query_value<int>("SELECT 2"), 2);
  EXPECT_TRUE(sessions_become(1));

  mgr.get("lite").close();
  EXPECT_EQ(error_of([&] { lite.query("SELECT 1"); }).portable_code(), errc::connection_closed);
  EXPECT_EQ(pg.query_value<int>("SELECT 3"), 3);
  mgr.get("lite").connect();
  EXPECT_EQ(lite.query_value<int>("SELECT count(*) FROM t"), 1);
  mgr.close();
  EXPECT_TRUE(sessions_become(0));
}

TEST_F(manager_lifecycle, connecting_twice_is_an_error_and_reconnect_replaces) {
  auto& mgr = make({postgres()});
  auto pg = mgr.get("pg");
  pg.connect();
  const auto problem = error_of([&] { pg.connect(); });
  EXPECT_EQ(problem.portable_code(), errc::already_connected);
  EXPECT_EQ(problem.connection(), "pg");
  EXPECT_TRUE(sessions_become(1));
  const auto before = pg.sql().query_value<int>("SELECT pg_backend_pid()");
  pg.reconnect();
  EXPECT_NE(pg.sql().query_value<int>("SELECT pg_backend_pid()"), before);
  EXPECT_TRUE(sessions_become(1));
}

TEST_F(manager_lifecycle, closing_twice_and_using_a_closed_manager) {
  auto& mgr = make({postgres()});
  mgr.connect();
  auto pg = mgr.sql("pg");
  auto handle = mgr.get("pg");
  handle.close();
  handle.close();
  mgr.close();
  mgr.close();
  EXPECT_EQ(error_of([&] { pg.query("SELECT 1"); }).portable_code(), errc::shutting_down);
  EXPECT_EQ(error_of([&] { pg.begin(); }).portable_code(), errc::shutting_down);
  EXPECT_EQ(error_of([&] { handle.connect(); }).portable_code(), errc::shutting_down);
  EXPECT_EQ(error_of([&] { mgr.sql("pg"); }).portable_code(), errc::shutting_down);
  EXPECT_TRUE(sessions_become(0));
}

TEST_F(manager_lifecycle, handles_outlive_their_manager) {
  settings_.drain_timeout = 50ms;
  settings_.force_timeout = 100ms;
  auto& mgr = make({postgres()});
  auto pg = mgr.sql("pg");
  auto held = pg.lease();
  auto rows = pg.stream("SELECT generate_series(1, 1000000)");
  EXPECT_TRUE(rows.next());
  manager_.reset();
  EXPECT_EQ(error_of([&] { pg.query("SELECT 1"); }).portable_code(), errc::shutting_down);
  EXPECT_TRUE(held->broken());
  EXPECT_TRUE(sessions_become(0));
}

TEST_F(manager_lifecycle, an_unknown_name_is_said) {
  auto& mgr = make({postgres(), sqlite()});
  const auto problem = error_of([&] { mgr.sql("typo"); });
  EXPECT_EQ(problem.portable_code(), errc::connection_not_found);
  EXPECT_THAT(problem.what(), HasSubstr("Database connection 'typo' not found"));
  EXPECT_THAT(problem.what(), HasSubstr("pg, lite"));
  EXPECT_EQ(error_of([&] { mgr.remove("typo"); }).portable_code(), errc::connection_not_found);
  EXPECT_EQ(error_of([&] { mgr.switch_active("typo"); }).portable_code(), errc::connection_not_found);
  EXPECT_EQ(sessions(), 0);
}

TEST_F(manager_lifecycle, removing_drains_what_is_on_loan) {
  auto& mgr = make({postgres(), sqlite()});
  mgr.connect();
  auto pg = mgr.sql("pg");
  auto tx = pg.begin();
  tx.execute("CREATE TABLE kept (x int)");
  std::jthread remover([&] { mgr.remove("pg", 20s); });
  EXPECT_TRUE(wait_until([&] { return !mgr.contains("pg"); }));
  EXPECT_TRUE(
      wait_until([&] { return error_of([&] { pg.query("SELECT 1"); }).portable_code() == errc::connection_closed; }));
  EXPECT_EQ(tx.execute("INSERT INTO kept VALUES (1)"), 1u);  // at work still
  tx.commit();
  remover.join();
  EXPECT_TRUE(sessions_become(0));
  EXPECT_EQ(admin().value("SELECT count(*) FROM " + playground_->name() + ".kept"), "1");
  EXPECT_EQ(error_of([&] { pg.query("SELECT 1"); }).portable_code(), errc::connection_closed);
  EXPECT_EQ(error_of([&] { mgr.sql("pg"); }).portable_code(), errc::connection_not_found);
  EXPECT_EQ(mgr.sql("lite").query_value<int>("SELECT 1"), 1);
  mgr.register_connection(postgres());
  EXPECT_EQ(pg.query_value<int>("SELECT 1"), 1);  // follows its name
}

TEST_F(manager_lifecycle, removing_interrupts_what_does_not_end) {
  settings_.force_timeout = settings_.drain_timeout + 100ms;
  auto& mgr = make({postgres()});
  auto pg = mgr.sql("pg");
  auto held = pg.lease();
  const stopwatch watch;
  mgr.remove("pg", 50ms);
  EXPECT_LT(watch.elapsed(), 10s);
  EXPECT_TRUE(held->broken());
  EXPECT_EQ(error_of([&] { run(held.sql().execute("SELECT 1")); }).portable_code(), errc::connection_closed);
  held.release();
  EXPECT_TRUE(sessions_become(0));
}

TEST_F(manager_lifecycle, a_lease_that_never_comes_back_does_not_stop_the_end) {
  settings_.defaults.leak_threshold = 30ms;
  auto& mgr = make({postgres()});
  auto pg = mgr.sql("pg");
  std::latch interrupted(1);
  std::jthread forgetful([&] {
    auto held = pg.lease();
    const auto line = "lifecycle_test.cpp:" + std::to_string(__LINE__ - 1);
    EXPECT_TRUE(wait_until([&] { return !log_->find(line).empty(); })) << "no leak report names " << line;
    const auto problem = error_of([&] { run(held.sql().execute("SELECT pg_sleep(60)")); });
    EXPECT_EQ(problem.portable_code(), errc::connection_closed) << problem.what();
    interrupted.count_down();
  });
  EXPECT_TRUE(wait_until([&] { return running() == 1; }));
  EXPECT_EQ(mgr.get("pg").statistics().pool.leaks, 1u);
  const stopwatch watch;
  mgr.close(100ms, 5s);
  EXPECT_LT(watch.elapsed(), 15s);
  interrupted.wait();
  forgetful.join();
  // A backend that sleeps does not look at its socket.
  admin().execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '" +
                  playground_->name() + "'");
  EXPECT_TRUE(sessions_become(0));
}

TEST_F(manager_lifecycle, handles_without_a_name_follow_the_active_one) {
  auto& mgr = make({postgres(), sqlite()});
  EXPECT_EQ(error_of([&] { mgr.sql().query("SELECT 1"); }).portable_code(), errc::no_default_connection);
  auto db = mgr.sql();
  mgr.switch_active("pg");
  EXPECT_EQ(db.name(), "pg");
  EXPECT_THAT(db.query_value<std::string>("SELECT version()"), HasSubstr("PostgreSQL"));
  auto tx = db.begin();
  mgr.switch_active("lite");
  EXPECT_EQ(db.name(), "lite");
  EXPECT_THAT(db.query_value<std::string>("SELECT sqlite_version()"), HasSubstr("3."));
  EXPECT_THAT(tx.query_value<std::string>("SELECT version()"), HasSubstr("PostgreSQL"));  // stays where it began
  tx.commit();
  EXPECT_EQ(mgr.get("default").name(), "lite");
}

TEST_F(manager_lifecycle, the_first_use_by_many_at_once) {
  settings_.defaults.lazy_connect = true;
  settings_.defaults.max_open_conns = 5;
  auto& mgr = make({postgres()});
  EXPECT_TRUE(mgr.connect().connected.empty());
  EXPECT_EQ(sessions(), 0);
  std::latch start(16);
  std::atomic<int> served = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i) {
      threads.emplace_back([&, i] {
        start.arrive_and_wait();
        EXPECT_EQ(mgr.sql("pg").query_value<int>("SELECT $1::int", i), i);
        ++served;
      });
    }
  }
  EXPECT_EQ(served, 16);
  EXPECT_EQ(mgr.get("pg").phase(), connection_phase::connected);
  EXPECT_LE(sessions(), 5);
  EXPECT_TRUE(wait_until([&] {  // some may be on their way still
    const auto pool = mgr.get("pg").statistics().pool;
    return pool.opening == 0 && static_cast<std::uint64_t>(sessions()) == pool.opened;
  }));
}

TEST_F(manager_lifecycle, closing_and_connecting_race) {
  auto& mgr = make({postgres()});
  auto pg = mgr.get("pg");
  const auto allowed = [](const error& e) {
    return e.portable_code() == errc::connection_closed || e.portable_code() == errc::already_connected;
  };
  std::atomic<bool> over = false;
  {
    std::jthread opener([&] {
      for (int i = 0; i < 40; ++i) {
        try {
          pg.connect();
        } catch (const error& e) {
          EXPECT_TRUE(allowed(e)) << e.what();
        }
      }
      over = true;
    });
    std::jthread user([&] {
      while (!over) {
        try {
          pg.sql().query("SELECT 1");
        } catch (const error& e) {
          EXPECT_TRUE(allowed(e)) << e.what();
        }
      }
    });
    while (!over) pg.close(1s);
  }
  pg.close();
  EXPECT_TRUE(sessions_become(0)) << "closed, and has " << sessions() << " sessions";
  pg.connect();
  EXPECT_EQ(pg.sql().query_value<int>("SELECT 1"), 1);
}

}  // namespace
}  // namespace polypool::test
