// SPDX-License-Identifier: Apache-2.0
// The functions over the process-wide manager.
#include "support/whole_stack.hpp"

#include <polypool/facade.hpp>

#include <thread>

namespace polypool::test {
namespace {

class manager_facade : public manager_test {
 protected:
  void TearDown() override {
    shutdown_all(1s);
    manager_test::TearDown();
  }
};

TEST_F(manager_facade, names_and_no_objects) {
  register_database(postgres("main"));
  EXPECT_EQ(get_database().name(), "main");  // the only one is the default
  EXPECT_EQ(sessions(), 0);
  EXPECT_EQ(get_connection_pool().phase(), connection_phase::connected);
  EXPECT_TRUE(sessions_become(1));
  register_database(sqlite("side"));
  EXPECT_EQ(execute_query([](sql_database& db) { return db.query_value<int>("SELECT 42"); }, "answer"), 42);
  EXPECT_EQ(execute_query([](sql_database& db) { return db.query_value<int>("SELECT 43"); }, "answer", "side"), 43);
  const auto problem =
      error_of([] { execute_query([](sql_database& db) { db.query("SELECT * FROM no_such_table"); }, "load_user"); });
  EXPECT_EQ(problem.operation(), "load_user");
  EXPECT_EQ(problem.connection(), "main");
  EXPECT_TRUE(is_pool_healthy());
  EXPECT_TRUE(is_pool_healthy("side"));
  EXPECT_EQ(error_of([] { get_database("other"); }).portable_code(), errc::connection_not_found);
  EXPECT_EQ(error_of([&] { register_database(postgres("main")); }).portable_code(), errc::already_registered);
  EXPECT_TRUE(sessions_become(1));
}

TEST_F(manager_facade, shutdown_drains_and_refuses) {
  register_database(postgres("main"));
  auto held = get_connection_pool("main").lease();
  std::jthread closer([] { shutdown_all(20s); });
  EXPECT_TRUE(wait_until([] { return default_manager().closing(); }));
  const auto problem = error_of([] { get_connection_pool("main"); });
  EXPECT_EQ(problem.portable_code(), errc::shutting_down);
  EXPECT_THAT(problem.what(), HasSubstr("Cannot get connection pool during shutdown"));
  EXPECT_EQ(run(held.sql().execute("SELECT 1")).size(), 1u);
  held.release();
  closer.join();
  EXPECT_TRUE(sessions_become(0));
  shutdown_all();  // idempotent
  register_database(postgres("again"));
  EXPECT_EQ(get_database().name(), "again");
  EXPECT_EQ(get_connection_pool().sql().query_value<int>("SELECT 1"), 1);
}

TEST_F(manager_facade, a_failed_attempt_is_forgotten) {
  auto wrong = postgres("main");
  const auto right = wrong.where.password;
  wrong.where.password = secret("wrong-and-secret");
  const auto report = initialize_databases({wrong, sqlite("side")});
  ASSERT_EQ(report.failed.size(), 1u);
  EXPECT_EQ(report.failed[0].cause.portable_code(), errc::authentication_failed);
  EXPECT_EQ(error_of([] { get_connection_pool("main"); }).portable_code(), errc::authentication_failed);
  EXPECT_FALSE(is_pool_healthy("main"));
  default_manager().remove("main");
  register_database(postgres("main"));
  EXPECT_EQ(get_connection_pool("main").sql().query_value<int>("SELECT 1"), 1);
  EXPECT_TRUE(sessions_become(1));
}

}  // namespace
}  // namespace polypool::test
