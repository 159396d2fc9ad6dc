// SPDX-License-Identifier: Apache-2.0
// Another configuration for a manager at work.
#include "support/fake_manager.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace polypool {
namespace {

using namespace std::chrono_literals;
using testing::busy_callers;
using ::testing::ElementsAre;
using testing::error_of;
using testing::fake_connection;
using testing::fake_world;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class apply : public ::testing::Test {
 protected:
  apply() : world({"a", "b"}) {
    world.run(world.mgr->async_connect());
    world.mgr->switch_active("a");
    for (const auto* name : {"c", "a2"}) world.servers[name] = std::make_shared<testing::fake_server>();
  }
  /// What the manager has, to be changed.
  config::settings now() const { return world.mgr->configuration(); }
  static config::connection& of(config::settings& whole, std::string_view name) {
    for (auto& each : whole.connections) {
      if (each.name == name) return each;
    }
    throw std::logic_error("no such connection");
  }
  /// A new connection, and another server for an old one, which it cannot connect to.
  config::settings impossible() {
    auto next = now();
    next.connections.push_back(fake_connection("c"));
    of(next, "a").where.host = "a2";
    of(next, "a").overrides.retry_attempts = 1;
    world.servers["a2"]->fail_connects(error(errc::authentication_failed, "wrong password"));
    return next;
  }
  std::vector<std::string> lines(const std::vector<config::change>& changes) {
    std::vector<std::string> out;
    for (const auto& each : changes) out.push_back(each.to_string());
    return out;
  }
  /// Kind, connection and new state of each event after this one.
  std::vector<std::string> news(std::uint64_t after) {
    std::vector<std::string> out;
    for (const auto& each : world.mgr->events().next(after, 100)) {
      out.push_back(std::string(to_string(each.kind)) + " " + each.connection + " " + each.to);
    }
    return out;
  }
  fake_world world;
};

TEST_F(apply, the_same_changes_nothing) {
  const auto sessions = world.servers["a"]->connects();
  EXPECT_THAT(world.run(world.mgr->async_apply(now())), IsEmpty());
  EXPECT_EQ(world.servers["a"]->connects(), sessions);
}

TEST_F(apply, adds_changes_and_removes) {
  auto next = now();
  next.connections.push_back(fake_connection("c"));
  of(next, "a").where.host = "a2";
  of(next, "a").where.password = secret("other");
  std::erase_if(next.connections, [](const auto& each) { return each.name == "b"; });
  EXPECT_THAT(lines(world.mgr->preview(next)),
              ElementsAre("~ connection 'a': host, password", "+ connection 'c'", "- connection 'b'"));
  auto named = world.mgr->sql("a");
  auto unnamed = world.mgr->sql();
  auto handle = world.mgr->get("a");
  world.run(world.mgr->async_apply(next));
  for (auto* each : {&named, &unnamed}) EXPECT_EQ(world.run(each->async_query_value<int>("SELECT 1")), 1);
  world.run(handle.async_lease()).release();
  EXPECT_EQ(world.servers["a2"]->statements().size(), 2U);
  EXPECT_EQ(world.servers["a"]->statements().size(), 0U);
  EXPECT_EQ(world.mgr->active(), "a");
  EXPECT_TRUE(world.mgr->contains("c"));
  EXPECT_FALSE(world.mgr->contains("b"));
  EXPECT_EQ(world.mgr->get("c").phase(), connection_phase::connected);
  world.loop.run_ready();
  EXPECT_EQ(world.servers["a"]->open_sessions(), 0U) << "drained";
  EXPECT_EQ(world.servers["b"]->open_sessions(), 0U);
}

TEST_F(apply, work_in_progress_ends_where_it_began) {
  auto db = world.mgr->sql("a");
  auto tx = world.run(db.async_begin());
  world.run(tx.async_query("INSERT 1"));
  auto next = now();
  of(next, "a").where.host = "a2";
  world.run(world.mgr->async_apply(next));
  world.run(db.async_query("SELECT new"));
  world.run(tx.async_query("INSERT 2"));
  world.run(tx.async_commit());
  EXPECT_THAT(world.servers["a"]->statements(), ElementsAre("BEGIN", "INSERT 1", "INSERT 2", "COMMIT"));
  EXPECT_THAT(world.servers["a2"]->statements(), ElementsAre("SELECT new"));
  world.loop.run_ready();
  EXPECT_EQ(world.servers["a"]->open_sessions(), 0U);
}

TEST_F(apply, callers_that_wait_for_a_session_go_to_the_new_ones) {
  auto next = now();
  of(next, "a").overrides.max_open_conns = 1;
  of(next, "a").overrides.min_open_conns = 0;
  of(next, "a").overrides.max_idle_conns = 1;
  world.run(world.mgr->async_apply(next));
  auto db = world.mgr->sql("a");
  auto held = world.run(db.async_lease());
  int done = 0;
  for (int i = 0; i < 5; ++i) {
    world.loop.spawn([](sql_database db, int& done) -> task<void> {
      co_await db.async_query("SELECT 1");
      ++done;
    }(db, done));
  }
  world.loop.run_ready();
  EXPECT_EQ(done, 0);
  of(next, "a").where.host = "a2";
  world.run(world.mgr->async_apply(next));
  world.loop.run_ready();
  EXPECT_EQ(done, 5) << "no call fails";
  held.release();
}

TEST_F(apply, what_cannot_connect_changes_nothing) {
  const auto next = impossible();
  const auto failure = error_of([&] { world.run(world.mgr->async_apply(next)); });
  EXPECT_EQ(failure.code(), errc::authentication_failed);
  EXPECT_THAT(failure.what(), HasSubstr("nothing was changed"));
  EXPECT_FALSE(world.mgr->contains("c"));
  EXPECT_EQ(world.run(world.mgr->sql("a").async_query_value<int>("SELECT 1")), 1);
  EXPECT_EQ(world.servers["a"]->statements().size(), 1U);
  EXPECT_EQ(world.servers["c"]->open_sessions(), 0U) << "what was opened for it is closed";
  world.servers["a2"]->heal();
  world.run(world.mgr->async_apply(next));
  EXPECT_TRUE(world.mgr->contains("c"));
}

// What is only tried is not what has the name: an alarm about it would be a false one.
TEST_F(apply, what_comes_to_nothing_is_no_news_of_its_connections) {
  const auto next = impossible();
  const auto before = world.mgr->events().last_id();
  error_of([&] { world.run(world.mgr->async_apply(next)); });
  EXPECT_THAT(news(before), ElementsAre("configuration  refused"));
  EXPECT_THAT(world.mgr->events().recent(1).front().detail, HasSubstr("wrong password"));
  EXPECT_EQ(world.mgr->get("a").health(), health_status::healthy);
}

TEST_F(apply, only_what_changes_for_callers_is_news) {
  auto next = now();
  next.connections.push_back(fake_connection("c"));
  of(next, "a").where.host = "a2";
  const auto before = world.mgr->events().last_id();
  world.run(world.mgr->async_apply(next));
  world.loop.advance(1s);
  EXPECT_THAT(news(before), ElementsAre("registered c ", "health-change c healthy", "configuration  applied"))
      << "the old one of that name is not the one that works";
  // The new one is heard of like any other.
  world.servers["a2"]->fail_connects(error(errc::connect_failed, "connection refused"));
  world.servers["a2"]->cut_all();
  const auto later = world.mgr->events().last_id();
  error_of([&] { world.run(world.mgr->get("a").async_reconnect()); });
  EXPECT_THAT(news(later), ElementsAre("connection-error a ", "health-change a unhealthy"));
}

// Whoever repairs something else while a server is down is not held up by it.
TEST_F(apply, what_did_not_work_before_holds_nothing_up) {
  world.servers["a"]->fail_connects(error(errc::connect_failed, "connection refused"));
  world.servers["a"]->cut_all();
  error_of([&] { world.run(world.mgr->get("a").async_reconnect()); });
  ASSERT_EQ(world.mgr->get("a").health(), health_status::unhealthy);
  auto next = now();
  of(next, "a").overrides.retry_attempts = 1;
  of(next, "b").where.host = "a2";
  const auto before = world.mgr->events().last_id();
  EXPECT_EQ(world.run(world.mgr->async_apply(next)).size(), 2U);
  EXPECT_EQ(world.mgr->get("a").health(), health_status::unhealthy);
  EXPECT_THAT(news(before), ElementsAre("configuration  applied"));
  world.servers["a"]->heal();
  EXPECT_EQ(world.run(world.mgr->sql("a").async_query_value<int>("SELECT 1")), 1);
}

TEST_F(apply, new_ones_may_fail_unless_all_have_to_work) {
  auto next = now();
  next.connections.push_back(fake_connection("c"));
  of(next, "c").overrides.retry_attempts = 1;
  world.servers["c"]->fail_connects(error(errc::connect_failed, "refused"));
  EXPECT_EQ(error_of([&] { world.run(world.mgr->async_apply(next, {.all_or_nothing = true})); }).code(),
            errc::connect_failed);
  EXPECT_FALSE(world.mgr->contains("c"));
  world.run(world.mgr->async_apply(next));
  EXPECT_TRUE(world.mgr->contains("c"));
}

TEST_F(apply, a_bad_one_changes_nothing) {
  auto next = now();
  of(next, "a").where.host.clear();
  EXPECT_THROW(world.run(world.mgr->async_apply(next)), config::configuration_error);
  EXPECT_EQ(world.run(world.mgr->sql("a").async_query_value<int>("SELECT 1")), 1);
}

TEST_F(apply, what_was_registered_at_run_time_stays) {
  world.mgr->register_connection(fake_connection("c"));
  auto next = now();
  EXPECT_EQ(next.connections.size(), 2U);
  of(next, "b").tags["team"] = "x";
  world.run(world.mgr->async_apply(next));
  EXPECT_TRUE(world.mgr->contains("c"));
  next.connections.push_back(fake_connection("c"));
  EXPECT_EQ(error_of([&] { world.run(world.mgr->async_apply(next)); }).code(), errc::already_registered);
}

TEST_F(apply, limits_for_all_and_the_active_one) {
  auto next = config::settings();
  next.defaults.query_timeout = 5s;
  next.default_connection = "b";
  next.connections = {fake_connection("a"), fake_connection("b")};
  world.run(world.mgr->async_apply(next));
  EXPECT_EQ(world.mgr->active(), "b");
  EXPECT_THAT(lines(world.mgr->preview(next)), IsEmpty());
  next.connections.erase(next.connections.begin() + 1);
  next.default_connection.clear();
  world.run(world.mgr->async_apply(next));
  EXPECT_EQ(world.mgr->active(), "a");
}

TEST_F(apply, groups_follow_their_members) {
  world.servers["b"]->set_role(server_info::role_type::replica);
  config::group pair;
  pair.name = "pair";
  pair.type = config::group_type::failover;
  pair.primary = "a";
  pair.replicas = {{.name = "b"}};
  auto next = now();
  next.groups = {pair};
  EXPECT_THAT(lines(world.mgr->preview(next)), ElementsAre("+ group 'pair'"));
  world.run(world.mgr->async_apply(next));
  auto db = world.mgr->sql("pair");
  world.run(db.async_query("SELECT 1"));
  EXPECT_EQ(world.servers["a"]->statements().size(), 1U);
  // A member's new password or place: the group goes with it.
  of(next, "a").where.host = "a2";
  world.run(world.mgr->async_apply(next));
  world.run(db.async_query("SELECT 1"));
  EXPECT_EQ(world.servers["a2"]->statements().size(), 1U);
  EXPECT_EQ(world.mgr->group("pair").status().members.size(), 2U);
  // A member that goes takes its place in the group along, or nothing is applied.
  auto wrong = next;
  std::erase_if(wrong.connections, [](const auto& each) { return each.name == "b"; });
  EXPECT_THROW(world.run(world.mgr->async_apply(wrong)), config::configuration_error);
  next.groups.clear();
  EXPECT_THAT(lines(world.mgr->preview(next)), ElementsAre("- group 'pair'"));
  world.run(world.mgr->async_apply(next));
  EXPECT_FALSE(world.mgr->contains("pair"));
  std::erase_if(next.connections, [](const auto& each) { return each.name == "b"; });
  world.run(world.mgr->async_apply(next));
  EXPECT_FALSE(world.mgr->contains("b"));
}

TEST_F(apply, again_and_again_with_calls_all_the_time) {
  busy_callers callers;
  for (int i = 0; i < 20; ++i) callers.add(world, world.mgr->sql("a"));
  for (const auto* name : {"a", "a2"}) world.servers[name]->statements_take(7ms);
  world.loop.advance(50ms);
  for (int round = 0; round < 20; ++round) {
    auto next = now();
    of(next, "a").where.host = round % 2 == 0 ? "a2" : "a";
    world.run(world.mgr->async_apply(next));
    world.loop.advance(std::chrono::milliseconds(3 + round));
  }
  callers.stop = true;
  world.loop.advance(1s);
  EXPECT_EQ(callers.failed, 0);
  EXPECT_GT(callers.done, 500);
}

}  // namespace
}  // namespace polypool
