// SPDX-License-Identifier: Apache-2.0
// The aids themselves: a clock moved by hand, a loop on it, a server that does as it is told.
#include <polypool/error.hpp>
#include <polypool/testing.hpp>
#include <polypool/waits.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace polypool::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class aids : public ::testing::Test {
 protected:
  std::unique_ptr<session> connect() { return loop.run(driver->connect(where)); }
  static sql_session& sql(const std::unique_ptr<session>& of) { return dynamic_cast<sql_session&>(*of); }
  result execute(const std::unique_ptr<session>& on, std::string_view text) {
    return loop.run(sql(on).execute(statement(text)));
  }
  template <class Work>
  errc failure_of(Work work) {
    try {
      work();
    } catch (const error& e) {
      return e.portable_code();
    }
    return errc{};
  }
  virtual_clock time;
  virtual_loop loop{time};
  std::shared_ptr<fake_server> server = std::make_shared<fake_server>();
  std::shared_ptr<polypool::driver> driver = make_fake_driver(server);
  endpoint where;
};

TEST_F(aids, the_clock_stops_at_every_timer_on_the_way) {
  struct note final : timer {
    std::vector<time_point>* times = nullptr;
    virtual_clock* clock = nullptr;
    void expired() noexcept override { times->push_back(clock->now()); }
  };
  std::vector<time_point> times;
  const auto start = time.now();
  std::array<note, 3> notes;
  for (auto& each : notes) {
    each.times = &times;
    each.clock = &time;
  }
  time.manual_timers()->arm(notes[0], start + 3s);
  time.manual_timers()->arm(notes[1], start + 1s);
  time.manual_timers()->arm(notes[2], start + 9s);
  time.advance(5s);
  EXPECT_THAT(times, ElementsAre(start + 1s, start + 3s));
  EXPECT_EQ(time.now(), start + 5s);
  time.advance_to(start);  // never back
  EXPECT_EQ(time.now(), start + 5s);
  time.advance_to(no_deadline);  // and never to the end of time
  EXPECT_EQ(time.now(), start + 5s);
  time.manual_timers()->disarm(notes[2]);
}

TEST_F(aids, hours_pass_in_no_time) {
  const auto start = time.now();
  EXPECT_EQ(loop.run(sleep_for(5h)), wait_result::ready);
  EXPECT_EQ(time.now(), start + 5h);
}

TEST_F(aids, a_task_that_waits_for_nothing_is_an_error) {
  event never;
  EXPECT_EQ(failure_of([&] { loop.run(never.wait()); }), errc::internal_error);
}

TEST_F(aids, tasks_may_be_woken_from_other_threads) {
  event rings;
  task<wait_result> waiting = rings.wait();
  bool done = false;
  loop.spawn([](task<wait_result> what, bool& end) -> task<void> {
    co_await std::move(what);
    end = true;
  }(std::move(waiting), done));
  loop.run_ready();
  EXPECT_FALSE(done);
  std::jthread([&] { rings.set(); }).join();
  loop.run_ready();
  EXPECT_TRUE(done);
}

TEST_F(aids, a_loop_that_goes_drops_its_tasks) {
  const auto held = std::make_shared<int>(1);
  {
    virtual_loop other(time);
    event never;
    other.spawn([](std::shared_ptr<int>, event& e) -> task<void> { co_await e.wait(); }(held, never));
    other.spawn([](std::shared_ptr<int>) -> task<void> { co_return; }(held));  // not even started
    other.run_ready();
    other.spawn([](std::shared_ptr<int>) -> task<void> { co_return; }(held));
    EXPECT_EQ(held.use_count(), 3);
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(aids, counts_sessions_while_they_are_open) {
  server->connect_takes(1s);
  auto one = connect();
  auto two = connect();
  EXPECT_EQ(server->open_sessions(), 2U);
  one.reset();
  EXPECT_EQ(server->open_sessions(), 1U);
  EXPECT_EQ(server->most_open_sessions(), 2U);
  EXPECT_EQ(server->connects(), 2U);
  server->fail_connects(error(errc::connect_failed, "no"), 1);
  EXPECT_EQ(failure_of([&] { connect(); }), errc::connect_failed);
  EXPECT_EQ(server->open_sessions(), 1U);
  connect();
}

TEST_F(aids, a_connect_that_hangs_ends_at_the_deadline_or_with_its_task) {
  server->hang(true, false);
  EXPECT_EQ(failure_of([&] { loop.run(with_timeout(3s, driver->connect(where))); }), errc::deadline_exceeded);
  EXPECT_EQ(server->open_sessions(), 0U);
  {
    virtual_loop other(time);
    other.spawn(
        [](polypool::driver& from, const endpoint& to) -> task<void> { co_await from.connect(to); }(*driver, where));
    other.run_ready();
    EXPECT_EQ(server->open_sessions(), 1U);
  }
  EXPECT_EQ(server->open_sessions(), 0U);
}

TEST_F(aids, answers_statements_and_remembers_them) {
  const auto one = connect();
  EXPECT_EQ(execute(one, "SELECT 1").size(), 1U);
  EXPECT_EQ(execute(one, "SELECT 2").size(), 0U);
  server->on_statement([](std::string_view text, std::span<const value>) {
    return make_result({"text", "null"}, {{std::string(text), nullptr}, {"more", 2}}, 7);
  });
  const result answer = execute(one, "SELECT 3");
  ASSERT_EQ(answer.size(), 2U);
  EXPECT_EQ(answer[0].get<std::string>("text"), "SELECT 3");
  EXPECT_EQ(answer.affected_rows(), 7U);
  EXPECT_THAT(server->statements(), ElementsAre("SELECT 1", "SELECT 2", "SELECT 3"));
}

TEST_F(aids, follows_transactions) {
  const auto one = connect();
  using enum sql_session::transaction_state;
  execute(one, "begin");
  EXPECT_EQ(sql(one).transaction(), active);
  EXPECT_TRUE(one->dirty());
  execute(one, "COMMIT");
  EXPECT_EQ(sql(one).transaction(), none);
  EXPECT_FALSE(one->dirty());
  execute(one, "BEGIN");
  loop.run(one->reset());
  EXPECT_EQ(sql(one).transaction(), none);
  EXPECT_EQ(server->resets(), 1U);
}

TEST_F(aids, fails_as_often_as_told) {
  const auto one = connect();
  server->fail_statements(error(errc::deadlock, "chosen"), 2);
  EXPECT_EQ(failure_of([&] { execute(one, "SELECT 1"); }), errc::deadlock);
  EXPECT_EQ(failure_of([&] { execute(one, "SELECT 1"); }), errc::deadlock);
  EXPECT_EQ(failure_of([&] { execute(one, "SELECT 1"); }), errc{});
  EXPECT_FALSE(one->broken());
  error fatal(errc::connection_lost, "gone");
  server->fail_statements(fatal.with_poisoned_session(), 1);
  EXPECT_EQ(failure_of([&] { execute(one, "SELECT 1"); }), errc::connection_lost);
  EXPECT_TRUE(one->broken());
  server->fail_probes(error(errc::connection_lost, "gone"));
  const auto two = connect();
  EXPECT_EQ(failure_of([&] { loop.run(two->probe()); }), errc::connection_lost);
  server->heal();
  EXPECT_EQ(failure_of([&] { loop.run(two->probe()); }), errc{});
}

TEST_F(aids, cuts_the_sessions_of_now) {
  const auto old = connect();
  server->cut_all();
  const auto fresh = connect();
  EXPECT_EQ(failure_of([&] { loop.run(old->probe()); }), errc::connection_lost);
  EXPECT_TRUE(old->broken());
  EXPECT_EQ(failure_of([&] { loop.run(fresh->probe()); }), errc{});
}

TEST_F(aids, a_black_hole_swallows_everything_until_the_deadline) {
  const auto one = connect();
  server->hang(false, true);
  EXPECT_EQ(failure_of([&] { loop.run(with_timeout(1s, one->probe())); }), errc::deadline_exceeded);
  EXPECT_EQ(failure_of([&] { loop.run(with_timeout(1s, sql(one).execute(statement("SELECT 1")))); }),
            errc::deadline_exceeded);
  EXPECT_TRUE(one->dirty());
  EXPECT_FALSE(one->broken());
  server->heal();
  loop.run(one->reset());
  EXPECT_FALSE(one->dirty());
}

TEST_F(aids, an_interrupt_ends_what_runs_and_what_comes) {
  const auto one = connect();
  server->statements_take(1h);
  errc ended{};
  loop.spawn([](sql_session& on, errc& how) -> task<void> {
    const statement query("SELECT 1");
    try {
      co_await on.execute(query);
    } catch (const error& e) {
      how = e.portable_code();
    }
  }(sql(one), ended));
  loop.run_ready();
  EXPECT_EQ(ended, errc{});
  one->interrupt();
  loop.run_ready();
  EXPECT_EQ(ended, errc::connection_closed);
  EXPECT_TRUE(one->broken());
  EXPECT_EQ(failure_of([&] { execute(one, "SELECT 1"); }), errc::connection_closed);
}

TEST_F(aids, blocking_tasks_move_the_clock_themselves) {
  server->statements_take(2s);
  environment env;
  env.time = &time;
  const auto one = run(driver->connect(where), env);
  const auto start = time.now();
  EXPECT_EQ(run(sql(one).execute(statement("SELECT 1")), env).size(), 1U);
  EXPECT_EQ(time.now(), start + 2s);
}

TEST_F(aids, every_row_needs_every_column) {
  EXPECT_EQ(failure_of([] { make_result({"a", "b"}, {{1}}); }), errc::invalid_argument);
}

}  // namespace
}  // namespace polypool::testing
