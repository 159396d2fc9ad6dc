// SPDX-License-Identifier: Apache-2.0
// What another configuration changes in its place, and what it only remembers.
#include "support/fake_manager.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace polypool {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::error_of;
using testing::fake_world;
using ::testing::IsEmpty;

class live : public ::testing::Test {
 protected:
  live() : world({"a", "b"}, unwatched()) {
    world.run(world.mgr->async_connect());
    for (const auto* name : {"a", "b"}) world.servers[name]->statements_take(1s);
  }
  static config::settings unwatched() {
    config::settings base;
    base.defaults.health_check_interval = 0s;  // checks take sessions, too
    return base;
  }
  static std::vector<std::string> lines(const std::vector<config::change>& changes) {
    std::vector<std::string> out;
    for (const auto& each : changes) out.push_back(each.to_string());
    return out;
  }
  config::settings now() const { return world.mgr->configuration(); }
  void apply(const config::settings& next) { world.run(world.mgr->async_apply(next)); }
  void limit_all(std::uint32_t most) {
    auto next = now();
    next.max_concurrent_total = most;
    apply(next);
  }
  void limit(std::string_view name, std::uint32_t most) {
    auto next = now();
    for (auto& each : next.connections) {
      if (each.name == name) each.overrides.max_concurrent = most;
    }
    EXPECT_THAT(lines(world.mgr->preview(next)),
                ElementsAre("~ connection '" + std::string(name) + "': max_concurrent"));
    apply(next);
  }
  void ask(const std::string& name, int count) {
    for (int i = 0; i < count; ++i) {
      world.loop.spawn([](sql_database db, int& done) -> task<void> {
        co_await db.async_query("SELECT 1");
        ++done;
      }(world.mgr->sql(name), done));
    }
    world.loop.run_ready();
  }
  std::uint32_t at_work(std::string_view name) const { return world.mgr->get(name).statistics().pool.in_use; }
  fake_world world;
  int done = 0;
};

TEST_F(live, the_limit_of_a_connection_changes_while_calls_are_in_it) {
  const auto sessions = world.servers["a"]->connects();
  limit("a", 2);
  ask("a", 10);
  EXPECT_EQ(at_work("a"), 2U);
  limit("a", 5);
  world.loop.run_ready();
  EXPECT_EQ(at_work("a"), 5U);
  limit("a", 1);
  world.loop.advance(1s);
  EXPECT_EQ(done, 5);
  EXPECT_EQ(at_work("a"), 1U);
  limit("a", 0);
  world.loop.run_ready();
  EXPECT_EQ(at_work("a"), 5U) << "those that waited are all at work";
  world.loop.advance(1s);
  EXPECT_EQ(done, 10);
  EXPECT_EQ(world.servers["a"]->connects(), sessions + 4) << "the same pool: it has opened what it needed";
  EXPECT_EQ(world.servers["b"]->connects(), 1U);
}

TEST_F(live, a_limit_that_appears_holds_for_those_who_come_then) {
  ask("a", 4);
  limit("a", 2);
  ask("a", 4);
  EXPECT_EQ(at_work("a"), 6U) << "four that came before it, and two";
  world.loop.advance(1s);
  EXPECT_EQ(at_work("a"), 2U);
  world.loop.advance(1s);
  EXPECT_EQ(done, 8);
}

TEST_F(live, a_connection_that_nobody_has_used_yet_has_its_new_limit) {
  auto next = now();
  next.defaults.max_concurrent = 3;  // both inherit it: their limits are written out
  for (auto& each : next.connections) each.overrides.max_concurrent.reset();
  EXPECT_THAT(lines(world.mgr->preview(next)),
              ElementsAre("~ connection 'a': max_concurrent", "~ connection 'b': max_concurrent"));
  apply(next);
  EXPECT_THAT(lines(world.mgr->preview(next)), IsEmpty());
  ask("b", 9);
  EXPECT_EQ(at_work("b"), 3U);
  EXPECT_EQ(world.mgr->get("b").statistics().places.limit, 3U);
}

TEST_F(live, the_limit_over_all_connections_appears_changes_and_goes) {
  limit_all(3);
  ask("a", 4);
  ask("b", 4);
  EXPECT_EQ(world.mgr->total_places().at_work, 3U);
  EXPECT_EQ(world.mgr->total_places().waiting, 5U);
  limit_all(4);
  world.loop.run_ready();
  EXPECT_EQ(world.mgr->total_places().at_work, 4U);
  limit_all(1);
  EXPECT_EQ(world.mgr->total_places().at_work, 4U);
  world.loop.advance(1s);
  EXPECT_EQ(done, 4);
  EXPECT_EQ(world.mgr->total_places().at_work, 1U);
  limit_all(0);
  world.loop.run_ready();
  EXPECT_EQ(world.mgr->total_places().waiting, 0U);
  world.loop.advance(1s);
  EXPECT_EQ(done, 8);
  EXPECT_EQ(world.mgr->total_places().at_work, 0U);
  EXPECT_EQ(world.mgr->total_places().limit, 0U);
}

TEST_F(live, again_and_again_under_load) {
  testing::busy_callers callers;
  for (int i = 0; i < 20; ++i) callers.add(world, world.mgr->sql(i % 2 == 0 ? "a" : "b"));
  for (const auto* name : {"a", "b"}) world.servers[name]->statements_take(7ms);
  for (std::uint32_t round = 0; round < 60; ++round) {
    auto next = now();
    next.max_concurrent_total = round % 5;
    for (auto& each : next.connections) each.overrides.max_concurrent = (round * 7) % 4;
    apply(next);
    world.loop.advance(std::chrono::milliseconds(1 + round % 13));
    const auto before = callers.done;
    world.loop.advance(100ms);
    EXPECT_GT(callers.done, before) << "nobody gets on in round " << round;
  }
  callers.stop = true;
  world.loop.advance(1s);
  EXPECT_EQ(callers.failed, 0);
  EXPECT_EQ(world.mgr->total_places().at_work, 0U);
}

TEST_F(live, what_is_beside_the_manager_is_remembered_and_told_of) {
  auto next = now();
  next.logging.level = "debug";
  next.logging.debug = "polypool:pool";
  next.server.max_body_bytes = 77;
  next.server.port = 1234;
  config::webhook hook;
  hook.url = "https://user:topsecret@hooks.example.com/token";
  next.webhooks = {hook};
  const std::string needs_restart = "~ server: port (needs a restart)";
  EXPECT_THAT(lines(world.mgr->preview(next)), ElementsAre("~ server: max_body_bytes", needs_restart,
                                                           "~ logging: level, debug", "+ webhook 'hooks.example.com'"));
  int told = 0;
  apply_options how;
  how.committed = [&] {
    ++told;
    EXPECT_EQ(world.mgr->configuration().webhooks.size(), 1U);
  };
  world.run(world.mgr->async_apply(next, how));
  EXPECT_EQ(told, 1);
  EXPECT_THAT(lines(world.mgr->preview(next)), ElementsAre(needs_restart));
  next.default_connection = "nobody";
  EXPECT_THROW(world.run(world.mgr->async_apply(next, how)), config::configuration_error);
  EXPECT_EQ(told, 1);
}

TEST_F(live, a_manager_that_closes_meanwhile_takes_no_configuration) {
  world.servers["c"] = std::make_shared<testing::fake_server>();
  world.servers["c"]->connect_takes(1s);
  auto next = now();
  next.connections.push_back(testing::fake_connection("c"));
  std::optional<errc> came_to;
  world.loop.spawn([](manager& mgr, config::settings next, std::optional<errc>& came_to) -> task<void> {
    try {
      task<std::vector<config::change>> applying = mgr.async_apply(std::move(next));
      co_await std::move(applying);
    } catch (const error& why) {
      came_to = why.portable_code();
    }
  }(*world.mgr, next, came_to));
  world.loop.advance(500ms);
  world.run(world.mgr->async_close(1s, 2s));
  world.loop.advance(5s);
  EXPECT_EQ(came_to, errc::shutting_down);
  EXPECT_FALSE(world.mgr->contains("c"));
  EXPECT_EQ(world.servers["c"]->open_sessions(), 0U);
}

}  // namespace
}  // namespace polypool
