// SPDX-License-Identifier: Apache-2.0
#include "support/fake_manager.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace polypool {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::error_of;
using testing::fake_world;
using ::testing::HasSubstr;
using testing::make_result;

TEST(sql, queries_in_their_forms) {
  fake_world world({"a"});
  world.servers["a"]->on_statement([](std::string_view text, std::span<const value> parameters) {
    if (text.starts_with("INSERT")) return make_result({}, {}, parameters.size());
    return make_result({"id", "name"}, {{1, "Ann"}, {2, nullptr}});
  });
  auto db = world.mgr->sql("a");
  const result rows = world.run(db.async_query("SELECT id, name FROM users"));
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].get<std::string>("name"), "Ann");
  EXPECT_EQ(rows[1].get<std::optional<std::string>>("name"), std::nullopt);
  EXPECT_EQ(error_of([&] { (void)rows[1].get<std::string>("name"); }).code(), errc::null_value);
  EXPECT_EQ(error_of([&] { (void)rows[0].get<int>("nmae"); }).code(), errc::column_not_found);
  EXPECT_EQ(world.run(db.async_execute("INSERT …", 1, "two", 3.0)), 3U);
  EXPECT_EQ(world.run(db.async_query_value<int>("SELECT …")), 1);
}

TEST(sql, errors_say_where_and_what) {
  fake_world world({"primary"});
  world.servers["primary"]->fail_statements(
      error(errc::undefined_object, "relation \"x\" does not exist").with_sqlstate("42P01"));
  auto db = world.mgr->sql("primary");
  const auto plain = error_of([&] { world.run(db.async_query("SELECT * FROM x")); });
  EXPECT_STREQ(plain.what(), "connection 'primary' query: relation \"x\" does not exist (SQLSTATE 42P01)");
  const auto named = error_of([&] { world.run(db.with(call().named("load_user")).async_query("SELECT * FROM x")); });
  EXPECT_THAT(named.what(), HasSubstr("connection 'primary' load_user:"));
  EXPECT_EQ(world.mgr->get("primary").statistics().errors, 2U);
}

TEST(sql, the_query_timeout_counts_and_can_be_set_per_call) {
  config::settings base;
  base.defaults.query_timeout = 30s;
  fake_world world({"a"}, base);
  world.run(world.mgr->async_connect());
  world.servers["a"]->hang(false, true);
  auto db = world.mgr->sql("a");
  auto started = world.time.now();
  EXPECT_EQ(error_of([&] { world.run(db.async_query("SELECT slow")); }).code(), errc::deadline_exceeded);
  EXPECT_EQ(world.time.now() - started, 30s);
  started = world.time.now();
  EXPECT_EQ(error_of([&] { world.run(db.with(call().timeout(50ms)).async_query("SELECT slow")); }).code(),
            errc::deadline_exceeded);
  EXPECT_EQ(world.time.now() - started, 50ms);
  world.servers["a"]->heal();
  EXPECT_EQ(world.run(db.async_query_value<int>("SELECT 1")), 1);
  EXPECT_GE(world.servers["a"]->resets(), 1U);  // a dirty session was cleaned before the next caller
}

TEST(sql, an_outer_deadline_wins) {
  fake_world world({"a"});
  world.servers["a"]->hang(false, true);
  auto db = world.mgr->sql("a");
  const auto started = world.time.now();
  EXPECT_EQ(error_of([&] { world.run(with_timeout(10ms, db.async_query("SELECT slow"))); }).code(),
            errc::deadline_exceeded);
  EXPECT_EQ(world.time.now() - started, 10ms);
}

TEST(transaction, commits_and_rolls_back) {
  fake_world world({"a"});
  auto db = world.mgr->sql("a");
  {
    auto tx = world.run(db.async_begin());
    world.run(tx.async_execute("UPDATE one"));
    world.run(tx.async_commit());
    EXPECT_EQ(error_of([&] { world.run(tx.async_query("late")); }).code(), errc::invalid_argument);
  }
  {
    auto tx = world.run(db.async_begin());
    world.run(tx.async_execute("UPDATE two"));
    world.run(tx.async_rollback());
  }
  EXPECT_THAT(world.servers["a"]->statements(),
              ElementsAre("BEGIN", "UPDATE one", "COMMIT", "BEGIN", "UPDATE two", "ROLLBACK"));
  EXPECT_EQ(world.mgr->get("a").statistics().pool.in_use, 0U);
}

TEST(transaction, its_destructor_never_commits) {
  fake_world world({"a"});
  auto db = world.mgr->sql("a");
  {
    auto tx = world.run(db.async_begin());
    world.run(tx.async_execute("UPDATE one"));
  }
  world.loop.run_ready();
  EXPECT_THAT(world.servers["a"]->statements(), ElementsAre("BEGIN", "UPDATE one"));
  EXPECT_EQ(world.servers["a"]->resets(), 1U);  // the pool rolls it back, off the caller's path
  EXPECT_EQ(world.run(db.async_query_value<int>("SELECT 1")), 1);
}

TEST(transaction, savepoints_nest_and_undo) {
  fake_world world({"a"});
  auto tx = world.run(world.mgr->sql("a").async_begin());
  {
    auto keep = world.run(tx.async_savepoint());
    world.run(tx.async_execute("kept"));
    world.run(keep.async_commit());
  }
  {
    auto outer = world.run(tx.async_savepoint());
    auto inner = world.run(tx.async_savepoint());
    EXPECT_EQ(tx.depth(), 2U);
    world.run(tx.async_execute("undone"));
  }
  EXPECT_EQ(tx.depth(), 0U);
  world.run(tx.async_commit());
  EXPECT_THAT(world.servers["a"]->statements(),
              ElementsAre("BEGIN", "SAVEPOINT polypool_1", "kept", "RELEASE SAVEPOINT polypool_1",
                          "SAVEPOINT polypool_2", "SAVEPOINT polypool_3", "undone", "ROLLBACK TO SAVEPOINT polypool_2",
                          "RELEASE SAVEPOINT polypool_2", "COMMIT"));
}

TEST(transaction, a_commit_that_breaks_is_in_doubt) {
  fake_world world({"a"});
  auto tx = world.run(world.mgr->sql("a").async_begin());
  world.run(tx.async_execute("UPDATE one"));
  world.servers["a"]->cut_all();
  const auto doubt = error_of([&] { world.run(tx.async_commit()); });
  EXPECT_EQ(doubt.code(), errc::in_doubt);
  EXPECT_EQ(doubt.disposition(), disposition::in_doubt);
  world.loop.run_ready();
  EXPECT_EQ(world.run(world.mgr->sql("a").async_query_value<int>("SELECT 1")), 1);
}

TEST(transaction, callers_do_not_enter_each_others) {
  fake_world world({"a"});
  auto db = world.mgr->sql("a");
  auto first = world.run(db.async_begin());
  auto second = world.run(db.async_begin());
  EXPECT_NE(&first.session(), &second.session());
  world.run(db.async_query("SELECT 1"));  // not inside either
  EXPECT_EQ(world.mgr->get("a").statistics().pool.in_use, 2U);
}

TEST(stream, row_by_row_and_early_end) {
  fake_world world({"a"});
  world.servers["a"]->on_statement(
      [](std::string_view, std::span<const value>) { return make_result({"n"}, {{1}, {2}, {3}}); });
  auto db = world.mgr->sql("a");
  {
    auto rows = world.run(db.async_stream("SELECT n"));
    int sum = 0;
    while (auto each = world.run(rows.async_next())) sum += each->get<int>(0);
    EXPECT_EQ(sum, 6);
    EXPECT_EQ(world.mgr->get("a").statistics().pool.in_use, 0U);
    EXPECT_FALSE(world.run(rows.async_next()).has_value());
  }
  {
    auto rows = world.run(db.async_stream("SELECT n"));
    EXPECT_TRUE(world.run(rows.async_next()).has_value());
    world.run(rows.async_close());
    EXPECT_EQ(world.mgr->get("a").statistics().pool.in_use, 0U);
  }
}

}  // namespace
}  // namespace polypool
