// SPDX-License-Identifier: Apache-2.0
#include "support/fake_manager.hpp"

#include <gtest/gtest.h>

namespace polypool {
namespace {

using namespace std::chrono_literals;
using testing::error_of;
using testing::fake_connection;
using testing::fake_world;

TEST(manager, names_and_the_active_one) {
  fake_world world({"primary", "analytics"});
  auto& mgr = *world.mgr;
  EXPECT_EQ(mgr.active(), "");
  EXPECT_EQ(error_of([&] { mgr.get_default(); }).code(), errc::no_default_connection);
  mgr.switch_active("analytics");
  EXPECT_EQ(mgr.get_default().name(), "analytics");
  EXPECT_EQ(mgr.get("default").name(), "analytics");
  mgr.set_default("primary");
  EXPECT_EQ(mgr.active(), "primary");
  const auto missing = error_of([&] { mgr.get("x"); });
  EXPECT_EQ(missing.code(), errc::connection_not_found);
  EXPECT_EQ(missing.cause(), "Database connection 'x' not found");
  EXPECT_NE(std::string(missing.what()).find("there are: primary, analytics"), std::string::npos);
  EXPECT_EQ(error_of([&] { mgr.switch_active("x"); }).code(), errc::connection_not_found);
  EXPECT_EQ(mgr.get_all().size(), 2U);
}

TEST(manager, the_only_one_is_the_default_and_explicit_wins) {
  fake_world one({"core"});
  EXPECT_EQ(one.mgr->active(), "core");
  fake_world named({"a", "default", "b"});
  EXPECT_EQ(named.mgr->active(), "default");
  config::settings explicit_choice;
  explicit_choice.default_connection = "b";
  fake_world chosen({"a", "default", "b"}, explicit_choice);
  EXPECT_EQ(chosen.mgr->active(), "b");
}

TEST(manager, connect_reports_and_isolates_failures) {
  config::settings base;
  base.defaults.retry_attempts = 2;
  fake_world world({"good", "bad"}, base);
  world.servers["bad"]->fail_connects(error(errc::connect_failed, "refused"));
  const auto report = world.run(world.mgr->async_connect());
  EXPECT_EQ(report.connected, std::vector<std::string>{"good"});
  ASSERT_EQ(report.failed.size(), 1U);
  EXPECT_EQ(report.failed[0].name, "bad");
  EXPECT_EQ(report.failed[0].cause.code(), errc::connect_failed);
  EXPECT_EQ(world.servers["bad"]->connects(), 2U);  // retry_attempts
  EXPECT_EQ(world.mgr->get("good").phase(), connection_phase::connected);
  // what failed can be tried again; what is connected stays
  world.servers["bad"]->heal();
  EXPECT_EQ(world.run(world.mgr->async_connect()).connected, std::vector<std::string>{"bad"});
}

task<void> connect_all(manager& mgr, std::optional<connect_report>& out) {
  task<connect_report> connecting = mgr.async_connect();
  out = co_await std::move(connecting);
}

// More connections than are opened at once: the last one has its turn when somebody uses it already.
TEST(manager, one_that_was_used_before_its_turn_to_connect_is_connected) {
  std::vector<config::connection> many;
  for (int i = 0; i < 70; ++i) many.push_back(fake_connection("c" + std::to_string(i)));
  many.back().critical = true;
  const std::string last = many.back().name;
  fake_world world(std::move(many), {});
  for (auto& [name, server] : world.servers) {
    if (name != last) server->connect_takes(1s);
  }
  std::optional<connect_report> report;
  world.loop.spawn(connect_all(*world.mgr, report));
  world.run(world.mgr->sql(last).async_execute("UPDATE early"));
  EXPECT_FALSE(report);
  world.loop.advance(10s);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->connected.size(), 70U);
  EXPECT_TRUE(report->failed.empty());
  EXPECT_EQ(world.mgr->get(last).phase(), connection_phase::connected);
}

TEST(manager, a_critical_failure_closes_what_was_opened) {
  auto good = fake_connection("good");
  auto bad = fake_connection("bad");
  bad.critical = true;
  fake_world world({good, bad}, {});
  world.servers["bad"]->fail_connects(error(errc::authentication_failed, "wrong password"));
  const auto failure = error_of([&] { world.run(world.mgr->async_connect()); });
  EXPECT_EQ(failure.code(), errc::authentication_failed);
  EXPECT_EQ(failure.connection(), "bad");
  world.loop.run_ready();
  EXPECT_EQ(world.servers["good"]->open_sessions(), 0U);
  EXPECT_EQ(world.mgr->get("good").phase(), connection_phase::closed);
}

TEST(manager, connect_retries_with_growing_delays) {
  config::settings base;
  base.defaults.retry_attempts = 4;
  base.defaults.retry_delay = 1s;
  base.defaults.retry_max_delay = 2s;
  fake_world world({"a"}, base);
  world.servers["a"]->fail_connects(error(errc::connect_failed, "refused"), 3);
  const auto started = world.time.now();
  world.run(world.mgr->async_connect());
  const auto took = world.time.now() - started;
  EXPECT_EQ(world.servers["a"]->connects(), 4U);
  EXPECT_GE(took, 2500ms);  // 1 + 2 + 2 seconds, each at least half
  EXPECT_LE(took, 5s);
}

TEST(manager, double_connect_and_use_after_close) {
  fake_world world({"a"});
  auto a = world.mgr->get("a");
  world.run(a.async_connect());
  const auto twice = error_of([&] { world.run(a.async_connect()); });
  EXPECT_EQ(twice.code(), errc::already_connected);
  EXPECT_EQ(std::string(twice.what()).substr(0, 23), "connection 'a' connect:");
  world.run(a.async_close(1s));
  const auto closed = error_of([&] { world.run(a.sql().async_query("SELECT 1")); });
  EXPECT_EQ(closed.code(), errc::connection_closed);
  world.run(a.async_connect());
  EXPECT_EQ(world.run(a.sql().async_query_value<int>("SELECT 1")), 1);
}

TEST(manager, removing_drains_promotes_and_closes_handles) {
  fake_world world({"a", "b", "c"});
  world.mgr->switch_active("b");
  auto handle = world.mgr->sql("b");
  auto unnamed = world.mgr->sql();
  world.run(handle.async_query("SELECT 1"));
  auto held = world.run(handle.async_lease());
  world.loop.spawn([](manager& mgr) -> task<void> { co_await mgr.async_remove("b", 10s); }(*world.mgr));
  world.loop.run_ready();
  EXPECT_FALSE(world.mgr->contains("b"));
  EXPECT_EQ(world.mgr->active(), "a");  // the first remaining
  EXPECT_EQ(unnamed.name(), "a");
  EXPECT_EQ(error_of([&] { world.run(handle.async_query("SELECT 1")); }).code(), errc::connection_closed);
  EXPECT_EQ(world.servers["b"]->open_sessions(), 1U);  // still on loan, still served
  EXPECT_EQ(world.run(held.sql().execute("SELECT 1")).size(), 1U);
  held.release();
  world.loop.advance(1s);
  EXPECT_EQ(world.servers["b"]->open_sessions(), 0U);
  EXPECT_EQ(error_of([&] { world.mgr->remove("b"); }).code(), errc::connection_not_found);
  // registered again under the same name, old handles follow
  world.mgr->register_connection(fake_connection("b"));
  EXPECT_EQ(world.run(handle.async_query_value<int>("SELECT 1")), 1);
  world.run(world.mgr->async_remove("a"));
  world.run(world.mgr->async_remove("b"));
  EXPECT_EQ(world.mgr->active(), "c");
  world.run(world.mgr->async_remove("c"));
  EXPECT_EQ(world.mgr->active(), "");
}

TEST(manager, a_removed_connection_interrupts_who_never_returns) {
  fake_world world({"a"});
  auto held = world.run(world.mgr->sql("a").async_lease());
  const auto started = world.time.now();
  world.run(world.mgr->async_remove("a", 5s));
  EXPECT_GE(world.time.now() - started, 5s);
  EXPECT_TRUE(held->broken());
  held.release();
  world.loop.run_ready();
  EXPECT_EQ(world.servers["a"]->open_sessions(), 0U);
}

TEST(manager, register_at_run_time) {
  fake_world world({});
  EXPECT_EQ(world.mgr->active(), "");
  world.servers["late"] = std::make_shared<testing::fake_server>();
  world.mgr->register_connection(fake_connection("late"));
  EXPECT_EQ(world.mgr->active(), "late");
  EXPECT_EQ(world.run(world.mgr->sql().async_query_value<int>("SELECT 1")), 1);  // connects on first use
  EXPECT_EQ(error_of([&] { world.mgr->register_connection(fake_connection("late")); }).code(),
            errc::already_registered);
  auto wrong = fake_connection("zero");
  wrong.overrides.max_open_conns = 0;
  EXPECT_EQ(error_of([&] { world.mgr->register_connection(wrong); }).code(), errc::invalid_configuration);
  EXPECT_FALSE(world.mgr->contains("zero"));
}

TEST(manager, handles_follow_a_switch) {
  fake_world world({"a", "b"});
  world.mgr->switch_active("a");
  auto db = world.mgr->sql();
  world.run(db.async_query("SELECT 1"));
  world.mgr->switch_active("b");
  world.run(db.async_query("SELECT 1"));
  EXPECT_EQ(world.servers["a"]->statements().size(), 1U);
  EXPECT_EQ(world.servers["b"]->statements().size(), 1U);
}

TEST(manager, an_unsupported_type_is_named) {
  config::connection documents;
  documents.name = "documents";
  documents.type = config::database_type::mongodb;
  documents.where.host = "localhost";
  fake_world world({fake_connection("a"), documents}, {});
  EXPECT_EQ(error_of([&] { world.mgr->sql("documents"); }).code(), errc::not_sql_database);
  const auto report = world.run(world.mgr->async_connect());
  ASSERT_EQ(report.failed.size(), 1U);
  EXPECT_EQ(report.failed[0].cause.code(), errc::unsupported_database);
}

// The handle that gave a task may be gone when the task begins.
TEST(manager, tasks_outlive_the_handle_they_came_from) {
  fake_world world({"a"});
  task<void> connecting = world.mgr->get("a").async_connect();
  world.run(std::move(connecting));
  task<connection_health> checking = world.mgr->get("a").async_health_check();
  task<server_info> describing = world.mgr->get("a").async_describe();
  task<lease> borrowing = world.mgr->get("a").async_lease();
  EXPECT_EQ(world.run(std::move(checking)).status, health_status::healthy);
  EXPECT_EQ(world.run(std::move(describing)).role, server_info::role_type::primary);
  EXPECT_TRUE(world.run(std::move(borrowing)));
  task<std::uint64_t> counting = world.mgr->sql("a").async_execute("SELECT 1");
  world.run(std::move(counting));
}

TEST(manager, tags_filter) {
  auto a = fake_connection("a");
  a.tags["team"] = "billing";
  auto b = fake_connection("b");
  b.tags["team"] = "search";
  fake_world world({a, b}, {});
  const auto found = world.mgr->with_tag("team", "search");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].name(), "b");
  EXPECT_TRUE(world.mgr->with_tag("team", "none").empty());
}

TEST(manager, closing_refuses_new_work_at_once) {
  fake_world world({"a"});
  world.run(world.mgr->async_connect());
  auto db = world.mgr->sql("a");
  auto held = world.run(db.async_lease());
  bool closed = false;
  world.loop.spawn([](manager& mgr, bool& done) -> task<void> {
    co_await mgr.async_close(30s, 40s);
    done = true;
  }(*world.mgr, closed));
  world.loop.run_ready();
  EXPECT_FALSE(closed);
  const auto refused = error_of([&] { world.run(db.async_query("SELECT 1")); });
  EXPECT_EQ(refused.code(), errc::shutting_down);
  EXPECT_EQ(refused.cause(), "Cannot get connection pool during shutdown");
  EXPECT_EQ(error_of([&] { world.mgr->get("a"); }).code(), errc::shutting_down);
  held.release();
  world.loop.run_ready();
  EXPECT_TRUE(closed);
  world.run(world.mgr->async_close(1s, 2s));  // idempotent
}

TEST(manager, listing_has_no_secrets) {
  auto a = fake_connection("a");
  a.where.password = "hunter2";
  a.where.port = 5433;
  fake_world world({a}, {});
  const auto lines = world.mgr->list();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].target, "a:5433/app");
  EXPECT_TRUE(lines[0].active);
  EXPECT_TRUE(lines[0].critical);  // the only one counts
}

// health -------------------------------------------------------------------------------------------------------------

TEST(health, whole_and_per_database) {
  auto core = fake_connection("core");
  core.critical = true;
  config::settings base;
  base.defaults.health_check_interval = 0s;  // only these checks
  fake_world world({core, fake_connection("app")}, base);
  world.run(world.mgr->async_connect());
  auto report = world.run(world.mgr->async_health_check());
  EXPECT_TRUE(report.healthy);
  EXPECT_EQ(report.count(health_status::healthy), 2U);
  EXPECT_EQ(report.databases[0].detail, "Connection 'core' is healthy");
  const error gone(errc::connect_failed, "refused");
  world.servers["app"]->cut_all();
  world.servers["app"]->fail_connects(gone);
  world.time.advance(1s);  // idle for longer than 500 ms: the probe sees the dead session
  report = world.run(world.mgr->async_health_check());
  EXPECT_TRUE(report.healthy);  // app is not critical
  EXPECT_EQ(report.count(health_status::unhealthy), 1U);
  world.servers["core"]->cut_all();
  world.servers["core"]->fail_connects(gone);
  report = world.run(world.mgr->async_health_check());
  EXPECT_FALSE(report.healthy);
  EXPECT_EQ(report.count(health_status::unhealthy), 2U);
  EXPECT_EQ(world.mgr->statistics().degraded, 2U);  // what they count as: it takes three failures in a row
}

TEST(health, checks_by_itself_and_reconnects) {
  config::settings base;
  base.defaults.health_check_interval = 30s;
  base.defaults.keepalive_interval = 0s;
  fake_world world({"a"}, base);
  world.run(world.mgr->async_connect());
  world.loop.advance(31s);
  EXPECT_GE(world.mgr->get("a").statistics().health_checks, 1U);
  world.servers["a"]->cut_all();
  world.servers["a"]->fail_connects(error(errc::connect_failed, "refused"));
  world.loop.advance(60s);
  EXPECT_EQ(world.mgr->get("a").health(), health_status::unhealthy);
  EXPECT_GE(world.mgr->get("a").statistics().reconnects_failed, 1U);
  world.servers["a"]->heal();
  world.loop.advance(20s);
  EXPECT_EQ(world.mgr->get("a").health(), health_status::healthy);
  EXPECT_EQ(world.mgr->get("a").statistics().reconnects_succeeded, 1U);
  EXPECT_EQ(world.run(world.mgr->sql("a").async_query_value<int>("SELECT 1")), 1);
}

TEST(health, auto_reconnect_can_be_off) {
  config::settings base;
  base.defaults.enable_auto_reconnect = false;
  fake_world world({"a"}, base);
  world.run(world.mgr->async_connect());
  world.servers["a"]->cut_all();
  world.servers["a"]->fail_connects(error(errc::connect_failed, "refused"), 5);
  world.loop.advance(40s);
  EXPECT_EQ(world.mgr->get("a").statistics().reconnects_failed, 0U);
}

TEST(health, one_failed_probe_does_not_tear_the_pool_down) {
  fake_world world({"a"});
  world.run(world.mgr->async_connect());
  world.servers["a"]->fail_probes(error(errc::deadline_exceeded, "slow"), 1);
  const auto opened = world.mgr->get("a").statistics().pool.opened;
  world.run(world.mgr->async_health_check());
  EXPECT_EQ(world.run(world.mgr->sql("a").async_query_value<int>("SELECT 1")), 1);
  EXPECT_EQ(world.mgr->get("a").statistics().pool.opened, opened);
}

TEST(health, what_was_never_used_stays_untouched) {
  config::settings base;
  base.defaults.lazy_connect = true;
  fake_world world({"a", "b"}, base);
  EXPECT_TRUE(world.run(world.mgr->async_connect()).connected.empty());
  const auto report = world.run(world.mgr->async_health_check());
  EXPECT_EQ(report.count(health_status::unknown), 2U);
  EXPECT_EQ(world.servers["a"]->connects(), 0U);
  EXPECT_EQ(world.run(world.mgr->get("a").async_health_check()).status, health_status::healthy);
}

TEST(health, reconnect_replaces_every_session) {
  fake_world world({"a"});
  world.run(world.mgr->async_connect());
  world.run(world.mgr->get("a").async_reconnect());
  const auto numbers = world.mgr->get("a").statistics();
  EXPECT_EQ(numbers.pool.closed_for(close_cause::generation), 1U);
  EXPECT_EQ(numbers.reconnects_succeeded, 1U);
}

}  // namespace
}  // namespace polypool
