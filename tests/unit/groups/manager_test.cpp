// SPDX-License-Identifier: Apache-2.0
// Groups of a manager over fake servers: where calls go, and what happens when servers change.
#include "support/fake_manager.hpp"

#include <polypool/groups.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace polypool::testing {
namespace {

using namespace std::chrono_literals;
using role_type = server_info::role_type;

config::settings with_group(config::group group) {
  config::settings base;
  base.defaults.retry_attempts = 1;
  base.defaults.lazy_connect = true;
  base.defaults.health_check_interval = 0s;
  base.groups.push_back(std::move(group));
  return base;
}

config::group failover_group() {
  config::group made;
  made.name = "orders";
  made.primary = "a";
  made.replicas.push_back({"b"});
  made.backups.push_back({"dr"});
  return made;
}

config::group balance_group() {
  config::group made;
  made.name = "sessions";
  made.type = config::group_type::balance;
  for (const char* each : {"a", "b", "dr"}) made.members.push_back({each});
  made.slow_start = 0s;
  return made;
}

class group_of_servers : public ::testing::Test {
 protected:
  void start(const config::group& how) {
    world_.emplace(std::initializer_list<const char*>{"a", "b", "dr"}, with_group(how));
    server("b").set_role(role_type::replica);
    server("b").set_lag(0s);
    server("dr").set_role(role_type::replica);
    if (how.type == config::group_type::balance) {
      for (const char* each : {"b", "dr"}) server(each).set_role(role_type::primary);
    }
    name_ = how.name;
    for (const char* each : {"a", "b", "dr"}) {
      server(each).on_statement([this, each](std::string_view text, std::span<const value>) {
        if (text == "write" || text == "read") seen_.push_back(std::string(text) + "@" + each);
        return make_result({}, {}, 1);
      });
    }
  }
  fake_server& server(const std::string& name) { return *world_->servers.at(name); }
  sql_database db() { return world_->mgr->sql(name_); }
  sql_database reader() { return db().with(call().on(role::replica)); }
  group the_group() { return world_->mgr->group(name_); }
  group_status look() { return world_->run(the_group().async_refresh()); }
  void say(sql_database to, const char* text) { world_->run(to.async_query(text)); }
  void write() { say(db(), "write"); }
  void read() { say(reader(), "read"); }
  error failing(const char* text) {
    return error_of([&] { say(db(), text); });
  }
  void kill(const std::string& name) {
    server(name).fail_connects(error(errc::connect_failed, "connection refused"));
    server(name).cut_all();
  }

  std::vector<std::string> seen_;
  std::string name_;
  std::optional<fake_world> world_;
};

TEST_F(group_of_servers, looks_like_a_connection) {
  start(failover_group());
  EXPECT_EQ(world_->mgr->active(), "orders") << "its members are no candidates";
  write();
  EXPECT_THAT(seen_, ::testing::ElementsAre("write@a"));
  const auto health = world_->run(world_->mgr->get("orders").async_health_check());
  EXPECT_EQ(health.status, health_status::healthy);
  EXPECT_EQ(health.server.role, role_type::primary);
  EXPECT_TRUE(health.critical);
  const auto lines = world_->mgr->list();
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_TRUE(lines.back().group);
  EXPECT_EQ(lines.back().target, "a, b, dr");
  EXPECT_EQ(error_of([&] { world_->mgr->get("orders").resize(1, 2, 1); }).portable_code(), errc::unsupported);
}

TEST_F(group_of_servers, replicas_are_read_from_once_they_were_looked_at) {
  start(failover_group());
  read();
  look();
  read();
  write();
  EXPECT_THAT(seen_, ::testing::ElementsAre("read@a", "read@b", "write@a"));
}

// MongoDB's servers say where they are, and not how far behind.
TEST_F(group_of_servers, compares_positions_where_servers_tell_no_lag) {
  auto how = failover_group();
  how.max_lag = 5s;
  start(how);
  server("b").set_lag(std::nullopt);
  server("a").set_position("1:1000:1");
  server("b").set_position("1:993:4");
  EXPECT_EQ(look().members[1].lag, 7s);
  EXPECT_FALSE(the_group().status().members[1].readable);
  auto health = world_->run(world_->mgr->get("b").async_health_check());
  EXPECT_EQ(health.status, health_status::healthy) << "less than max_replica_lag";
  EXPECT_EQ(health.server.lag, 7s);
  server("a").set_position("1:1010:1");
  EXPECT_EQ(look().members[1].lag, 17s);
  health = world_->run(world_->mgr->get("b").async_health_check());
  EXPECT_EQ(health.status, health_status::degraded);
  EXPECT_THAT(health.detail, ::testing::HasSubstr("it is 17s behind its primary"));
  kill("a");
  look();
  EXPECT_EQ(look().members[1].lag, 17s) << "what the silent primary said last counts";
  server("b").set_position("1:1010:1");
  EXPECT_EQ(look().members[1].lag, 0s);
  EXPECT_TRUE(the_group().status().members[1].readable);
  world_->run(world_->mgr->get("orders").async_close());
  EXPECT_EQ(world_->run(world_->mgr->get("b").async_health_check()).server.lag, std::nullopt);
}

TEST_F(group_of_servers, a_promoted_replica_gets_the_writes_without_a_restart) {
  start(failover_group());
  write();
  look();
  kill("a");
  server("b").set_role(role_type::primary);
  const auto handle = db();  // obtained before
  world_->loop.advance(15s);
  say(handle, "write");
  EXPECT_EQ(seen_.back(), "write@b");
  const auto now = the_group().status();
  EXPECT_EQ(now.primary, "b");
  EXPECT_EQ(now.failovers, 1U);
  const auto events = world_->mgr->events().recent();
  const auto told = std::ranges::find(events.rbegin(), events.rend(), event_kind::failover, &connection_event::kind);
  ASSERT_NE(told, events.rend());
  EXPECT_EQ(told->connection, "orders");
  EXPECT_EQ(told->from, "a");
  EXPECT_EQ(told->to, "b");
}

TEST_F(group_of_servers, a_failed_call_makes_it_look_at_once) {
  start(failover_group());
  write();
  look();
  world_->loop.advance(1s);
  kill("a");
  server("b").set_role(role_type::primary);
  EXPECT_EQ(failing("write").portable_code(), errc::connect_failed);
  world_->loop.advance(2s);
  EXPECT_EQ(the_group().status().primary, "b");
}

TEST_F(group_of_servers, sessions_of_the_old_primary_are_retired) {
  start(failover_group());
  write();
  look();
  const auto old_sessions = server("a").open_sessions();
  EXPECT_GT(old_sessions, 0U);
  const auto before = server("a").connects();
  server("a").set_role(role_type::read_only);
  server("b").set_role(role_type::primary);
  look();
  world_->loop.advance(20s);
  EXPECT_GT(server("a").connects(), before) << "it is looked at on a new session";
  EXPECT_EQ(world_->mgr->get("a").statistics().pool.closed_for(close_cause::generation), old_sessions);
  read();
  EXPECT_EQ(seen_.back(), "read@a");
}

// What waited for a session of the old primary would get one when that is back as a replica.
TEST_F(group_of_servers, a_write_that_waits_goes_where_writes_go_when_its_turn_comes) {
  start(failover_group());
  write();
  look();
  world_->mgr->get("a").resize(0, 1, 1);
  auto held = world_->run(db().async_lease());
  for (int i = 0; i < 2; ++i) {
    world_->loop.spawn([](sql_database to) -> task<void> { co_await to.async_query("write"); }(db()));
  }
  world_->loop.spawn([](sql_database to) -> task<void> {
    transaction tx = co_await to.async_begin();
    co_await tx.async_query("write");
    co_await tx.async_commit();
  }(db()));
  lease taken;
  world_->loop.spawn([](sql_database to, lease& into) -> task<void> { into = co_await to.async_lease(); }(db(), taken));
  world_->loop.run_ready();
  EXPECT_EQ(world_->mgr->get("a").statistics().pool.waiting, 4U);
  server("b").set_role(role_type::primary);
  ASSERT_EQ(world_->run(the_group().async_fail_over("b")).primary, "b");
  server("a").set_role(role_type::replica);
  seen_.clear();
  held.release();
  world_->loop.advance(1s);
  EXPECT_THAT(seen_, ::testing::ElementsAre("write@b", "write@b", "write@b"));
  EXPECT_TRUE(taken);
  EXPECT_EQ(world_->mgr->get("a").statistics().pool.in_use, 0U);
  taken.release();
}

TEST_F(group_of_servers, two_primaries_are_refused_and_it_says_so) {
  start(failover_group());
  write();
  server("b").set_role(role_type::primary);
  const auto now = look();
  EXPECT_TRUE(now.several_primaries);
  EXPECT_EQ(now.primary, "");
  const auto problem = failing("write");
  EXPECT_EQ(problem.portable_code(), errc::no_primary);
  EXPECT_NE(problem.cause().find("'a' and 'b' say they are the primary"), std::string::npos) << problem.what();
  EXPECT_EQ(problem.connection(), "orders");
  EXPECT_EQ(world_->mgr->get("orders").health(), health_status::unhealthy);
  EXPECT_EQ(world_->run(the_group().async_fail_over("b")).primary, "b");
  write();
  EXPECT_THAT(seen_, ::testing::ElementsAre("write@a", "write@b"));
}

// Which of two is right, only people know: the next one would be a guess.
TEST_F(group_of_servers, of_two_primaries_one_has_to_be_named) {
  start(failover_group());
  write();
  server("b").set_role(role_type::primary);
  look();
  const auto problem = error_of([&] { world_->run(the_group().async_fail_over("")); });
  EXPECT_EQ(problem.portable_code(), errc::no_primary);
  EXPECT_NE(problem.cause().find("say by hand which one is right"), std::string::npos) << problem.what();
  EXPECT_EQ(the_group().status().primary, "");
}

// Another configuration of a group is still the same group: what was said by hand holds.
TEST_F(group_of_servers, what_was_said_by_hand_outlives_another_configuration) {
  start(failover_group());
  write();
  server("b").set_role(role_type::primary);
  look();
  world_->run(the_group().async_fail_over("b"));
  write();
  auto next = world_->mgr->configuration();
  next.groups.front().max_lag = 7s;
  for (auto& each : next.connections) each.overrides.max_open_conns = 7;  // its members are new ones, too
  world_->run(world_->mgr->async_apply(next));
  EXPECT_EQ(the_group().status().primary, "b") << the_group().status().detail;
  EXPECT_EQ(the_group().status().failovers, 1U);
  EXPECT_EQ(look().primary, "b");
  write();
  EXPECT_THAT(seen_, ::testing::ElementsAre("write@a", "write@b", "write@b"));
  // Another server in the place of the one that was set aside is another matter.
  world_->servers["a2"] = std::make_shared<fake_server>();
  for (auto& each : next.connections) {
    if (each.name == "a") each.where.host = "a2";
  }
  const auto refused = error_of([&] { world_->run(world_->mgr->async_apply(next)); });
  EXPECT_EQ(refused.portable_code(), errc::no_primary) << "it says that it is a primary, too";
  EXPECT_EQ(look().primary, "b") << "nothing was changed";
  server("a2").set_role(role_type::replica);
  world_->run(world_->mgr->async_apply(next));
  EXPECT_EQ(look().primary, "b");
}

TEST_F(group_of_servers, has_no_breaker_of_its_own) {
  start(failover_group());
  const auto problem = error_of([&] { world_->mgr->get("orders").force_breaker(breaker_action::open); });
  EXPECT_EQ(problem.portable_code(), errc::unsupported);
  EXPECT_EQ(problem.hint(), "its members have: a, b, dr");
}

TEST_F(group_of_servers, reads_see_what_was_written_with_their_token) {
  start(failover_group());
  server("a").set_position("0/100");
  server("b").set_position("0/100");
  look();
  world_->loop.advance(100ms);
  const consistency mine;
  const auto writing = db().with(call().reading_after(mine));
  const auto reading = db().with(call().on(role::replica).reading_after(mine));
  say(reading, "read");
  EXPECT_EQ(seen_.back(), "read@b") << "nothing was written";
  say(writing, "write");
  server("a").set_position("0/200");
  say(reading, "read");
  EXPECT_EQ(seen_.back(), "read@a");
  read();
  EXPECT_EQ(seen_.back(), "read@b") << "without the token";
  world_->loop.advance(6s);
  say(reading, "read");
  EXPECT_EQ(seen_.back(), "read@a") << "the replica is behind";
  server("b").set_position("0/200");
  world_->loop.advance(6s);
  say(reading, "read");
  EXPECT_EQ(seen_.back(), "read@b");
  mine.wrote();
  say(reading, "read");
  EXPECT_EQ(seen_.back(), "read@a");
}

TEST_F(group_of_servers, reads_stay_on_the_primary_while_a_transaction_is_open) {
  auto how = failover_group();
  how.read_your_writes = true;
  start(how);
  server("a").set_position("5");
  server("b").set_position("5");
  look();
  read();
  EXPECT_EQ(seen_.back(), "read@b");
  {
    auto tx = world_->run(db().async_begin());
    read();
    EXPECT_EQ(seen_.back(), "read@a");
    world_->run(tx.async_commit());
  }
  read();
  EXPECT_EQ(seen_.back(), "read@a");
  world_->loop.advance(11s);
  read();
  EXPECT_EQ(seen_.back(), "read@b");
}

TEST_F(group_of_servers, equals_take_turns_and_a_dead_one_is_left_out) {
  start(balance_group());
  for (int i = 0; i < 6; ++i) write();
  EXPECT_THAT(seen_, ::testing::ElementsAre("write@a", "write@b", "write@dr", "write@a", "write@b", "write@dr"));
  kill("b");
  world_->loop.advance(20s);
  seen_.clear();
  for (int i = 0; i < 6; ++i) write();
  EXPECT_THAT(seen_, ::testing::Not(::testing::Contains("write@b")));
  server("b").heal();
  world_->loop.advance(20s);
  seen_.clear();
  for (int i = 0; i < 6; ++i) write();
  EXPECT_THAT(seen_, ::testing::Contains("write@b").Times(2));
  const auto now = the_group().status();
  EXPECT_GT(now.members[1].choices, 0U);
}

TEST_F(group_of_servers, a_member_stays_while_its_group_is_there) {
  start(failover_group());
  EXPECT_EQ(error_of([&] { world_->run(world_->mgr->async_remove("a")); }).portable_code(), errc::invalid_argument);
  const auto kept = the_group();
  world_->run(world_->mgr->async_remove("orders"));
  EXPECT_EQ(error_of([&] { kept.status(); }).portable_code(), errc::connection_closed);
  world_->run(world_->mgr->async_remove("a"));
  EXPECT_FALSE(world_->mgr->contains("a"));
}

TEST_F(group_of_servers, groups_are_made_at_run_time) {
  start(failover_group());
  config::group more = balance_group();
  more.name = "all";
  EXPECT_EQ(world_->mgr->register_group(more).name(), "all");
  EXPECT_EQ(world_->mgr->groups().size(), 2U);
  EXPECT_EQ(error_of([&] { world_->mgr->register_group(more); }).portable_code(), errc::already_registered);
  more.name = "wrong";
  more.members.push_back({"nobody"});
  const auto problem = error_of([&] { world_->mgr->register_group(more); });
  EXPECT_EQ(problem.portable_code(), errc::invalid_configuration);
  EXPECT_NE(std::string(problem.what()).find("'nobody' is not the name of a connection"), std::string::npos);
  EXPECT_EQ(error_of([&] { world_->mgr->group("nothing"); }).portable_code(), errc::connection_not_found);
  EXPECT_EQ(error_of([&] { world_->run(world_->mgr->group("all").async_fail_over("a")); }).portable_code(),
            errc::unsupported);
}

TEST_F(group_of_servers, connecting_says_what_is_missing) {
  start(failover_group());
  kill("a");
  const auto problem = error_of([&] { world_->run(world_->mgr->get("orders").async_connect()); });
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_NE(problem.cause().find("connection refused"), std::string::npos) << problem.what();
}

TEST_F(group_of_servers, an_operation_moves_to_the_backup) {
  start(failover_group());
  kill("a");
  auto operation = [](connection& on) -> task<std::string> {
    task<result> asking = on.sql().async_query("SELECT 1");
    co_await std::move(asking);
    co_return on.name();
  };
  EXPECT_EQ(world_->run(world_->mgr->async_execute_with_failover("a", "b", operation)), "b");
  EXPECT_EQ(world_->run(world_->mgr->async_execute_with_failover("b", "a", operation)), "b");
  int runs = 0;
  auto broken = [&runs](connection&) -> task<int> {
    ++runs;
    throw error(errc::unique_violation, "twice");
    co_return 1;
  };
  EXPECT_EQ(error_of([&] { world_->run(world_->mgr->async_execute_with_failover("b", "dr", broken)); }).portable_code(),
            errc::unique_violation);
  EXPECT_EQ(runs, 1);
  auto lost = [&runs](connection& on) -> task<int> {
    ++runs;
    if (on.name() == "b") throw error(errc::connection_lost, "broke off");
    co_return 7;
  };
  EXPECT_EQ(error_of([&] { world_->run(world_->mgr->async_execute_with_failover("b", "dr", lost)); }).portable_code(),
            errc::connection_lost);
  EXPECT_EQ(world_->run(world_->mgr->async_execute_with_failover("b", "dr", lost, {.idempotent = true})), 7);
}

}  // namespace
}  // namespace polypool::testing
