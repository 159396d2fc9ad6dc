// SPDX-License-Identifier: Apache-2.0
// The bulkhead under everything that may happen to those who wait in front of it.
#include <polypool/asio.hpp>
#include <polypool/bulkhead.hpp>
#include <polypool/testing.hpp>
#include <polypool/waits.hpp>

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace polypool {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// One who asks for a place, and what came of it.
struct visitor {
  bulkhead::place held;
  std::optional<error> failure;
  bool done = false;
  int turn = 0;  // served as the how manyth
  priority rank = priority::normal;
  std::stop_source stop;
  std::unique_ptr<testing::virtual_loop> own_loop;  // of one who may be dropped
};

class bulkhead_fixture : public ::testing::Test {
 protected:
  task<void> ask_for(visitor& who) {
    try {
      task<bulkhead::place> entering = tested->enter(who.rank);
      bulkhead::place got = co_await std::move(entering);
      who.held = std::move(got);
    } catch (const error& e) {
      who.failure.emplace(e);
    }
    who.done = true;
    who.turn = ++turns;
  }
  visitor& ask(priority rank = priority::normal, duration within = duration::max(), bool may_be_dropped = false) {
    visitor& who = visitors.emplace_back();
    who.rank = rank;
    task<void> asking = with_timeout(within, ask_for(who));
    if (may_be_dropped) who.own_loop = std::make_unique<testing::virtual_loop>(time);
    (may_be_dropped ? *who.own_loop : loop).spawn(with_stop(who.stop.get_token(), std::move(asking)));
    run_ready();
    return who;
  }
  void run_ready() {
    for (bool again = true; again;) {
      const int before = turns;
      loop.run_ready();
      for (auto& each : visitors) {
        if (each.own_loop) each.own_loop->run_ready();
      }
      again = turns != before;
    }
  }
  void pass(duration span) {
    loop.advance(span);
    run_ready();
  }
  void drop(visitor& who) {
    who.own_loop.reset();
    who.done = true;
  }
  std::uint32_t held() const {
    std::uint32_t count = 0;
    for (const auto& each : visitors) count += each.held ? 1U : 0U;
    return count;
  }
  std::uint32_t asking() const {
    std::uint32_t count = 0;
    for (const auto& each : visitors) count += each.done ? 0U : 1U;
    return count;
  }

  testing::virtual_clock time;
  std::unique_ptr<bulkhead> tested;
  std::deque<visitor> visitors;
  testing::virtual_loop loop{time};  // its tasks go first
  int turns = 0;
};

TEST_F(bulkhead_fixture, a_newcomer_never_overtakes_one_who_waits) {
  tested = std::make_unique<bulkhead>("max_concurrent", 1, 0);
  visitor& first = ask();
  visitor& second = ask();
  visitor& third = ask();
  EXPECT_FALSE(tested->try_enter());
  first.held = {};
  EXPECT_FALSE(tested->try_enter()) << "the place is the second's, who has not run yet";
  run_ready();
  EXPECT_TRUE(second.held);
  EXPECT_FALSE(third.done);
}

TEST_F(bulkhead_fixture, one_dropped_after_it_was_served_passes_its_place_on) {
  tested = std::make_unique<bulkhead>("max_concurrent", 1, 0);
  visitor& first = ask();
  visitor& dropped = ask(priority::high, duration::max(), true);
  visitor& next = ask();
  first.held = {};  // to the one of high rank, who never runs again
  drop(dropped);
  run_ready();
  EXPECT_TRUE(next.held);
  EXPECT_EQ(tested->snapshot().at_work, 1U);
}

TEST_F(bulkhead_fixture, a_deadline_and_a_stop_say_what_they_waited_for) {
  tested = std::make_unique<bulkhead>("max_concurrent", 1, 2);
  ask();
  visitor& late = ask(priority::normal, 1s);
  visitor& stopped = ask();
  visitor& refused = ask();
  ASSERT_TRUE(refused.failure);
  EXPECT_EQ(refused.failure->portable_code(), errc::pool_queue_full);
  stopped.stop.request_stop();
  pass(1s);
  ASSERT_TRUE(late.failure && stopped.failure);
  EXPECT_EQ(late.failure->portable_code(), errc::pool_timeout);
  EXPECT_THAT(late.failure->what(), HasSubstr("1 calls are at work, which is max_concurrent"));
  EXPECT_EQ(stopped.failure->portable_code(), errc::cancelled);
  EXPECT_EQ(tested->snapshot().waiting, 0U);
}

TEST_F(bulkhead_fixture, a_limit_that_grows_lets_those_in_who_wait) {
  tested = std::make_unique<bulkhead>("max_concurrent", 1, 0);
  visitor& first = ask();
  visitor& low = ask(priority::low);
  visitor& high = ask(priority::high);
  visitor& last = ask(priority::low);
  tested->resize(2, 0);
  run_ready();
  EXPECT_TRUE(high.held) << "the most urgent one";
  EXPECT_FALSE(low.done);
  tested->resize(0, 0);
  run_ready();
  EXPECT_TRUE(first.held && low.held && last.held);
  EXPECT_FALSE(tested->is_limited());
  EXPECT_EQ(tested->snapshot().at_work, 4U);
}

TEST_F(bulkhead_fixture, a_limit_that_shrinks_waits_for_the_calls_at_work) {
  tested = std::make_unique<bulkhead>("max_concurrent", 3, 0);
  for (int i = 0; i < 3; ++i) ask();
  visitor& next = ask(priority::normal, 1s);
  tested->resize(1, 0);
  EXPECT_EQ(tested->snapshot().at_work, 3U);
  for (std::size_t i = 0; i < 2; ++i) {
    visitors[i].held = {};
    run_ready();
    EXPECT_FALSE(next.done) << "one is still at work";
  }
  pass(1s);
  ASSERT_TRUE(next.failure);
  EXPECT_THAT(next.failure->what(), HasSubstr("1 calls are at work, which is max_concurrent"));
  visitors[2].held = {};
  visitor& then = ask();
  EXPECT_TRUE(then.held);
}

TEST_F(bulkhead_fixture, a_limit_that_appears_counts_those_who_come_then) {
  tested = std::make_unique<bulkhead>("max_concurrent", 0, 0);
  EXPECT_FALSE(tested->is_limited());
  tested->resize(1, 1);
  visitor& first = ask();
  EXPECT_TRUE(first.held);
  ask();
  visitor& third = ask();
  ASSERT_TRUE(third.failure) << "the queue has its new limit, too";
  EXPECT_EQ(third.failure->portable_code(), errc::pool_queue_full);
}

TEST_F(bulkhead_fixture, says_it_when_more_are_at_work_than_the_limit) {
  tested = std::make_unique<bulkhead>("max_concurrent", 3, 0);
  for (int i = 0; i < 3; ++i) ask();
  tested->resize(2, 0);
  visitor& late = ask(priority::normal, 1s);
  pass(1s);
  ASSERT_TRUE(late.failure);
  EXPECT_THAT(late.failure->what(), HasSubstr("3 calls are at work, max_concurrent is 2, and"));
}

// Thousands of random events, and what has to hold after each of them.
class bulkhead_property : public bulkhead_fixture, public ::testing::WithParamInterface<unsigned> {
 protected:
  int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random); }
  visitor* pick(const std::function<bool(const visitor&)>& fits) {
    std::vector<visitor*> fitting;
    for (auto& each : visitors) {
      if (fits(each)) fitting.push_back(&each);
    }
    return fitting.empty() ? nullptr : fitting[static_cast<std::size_t>(below(static_cast<int>(fitting.size())))];
  }
  void step() {
    const int dice = below(100);
    if (dice < 40) {
      const auto within = below(4) == 0 ? duration(below(50) * 1ms) : duration::max();
      ask(static_cast<priority>(below(4)), within, below(4) == 0);
    } else if (dice < 75) {
      if (auto* who = pick([](const visitor& v) { return static_cast<bool>(v.held); })) who->held = {};
    } else if (dice < 82) {
      if (auto* who = pick([](const visitor& v) { return !v.done; })) who->stop.request_stop();
    } else if (dice < 88) {
      if (auto* who = pick([](const visitor& v) { return !v.done && v.own_loop; })) drop(*who);
    } else if (dice < 92) {
      if (auto quick = tested->try_enter()) {
        EXPECT_EQ(asking(), 0U) << "it overtook somebody";
      }
    } else {
      pass(below(30) * 1ms);
    }
    if (below(3) > 0) run_ready();
  }
  // Of one rank, those who were served were served in the order in which they asked. Where several are served at once,
  // only those of one loop tell it in that order.
  void check_order(bool of_one_loop = false) {
    std::map<priority, int> last;
    for (const auto& each : visitors) {
      if (each.turn == 0 || each.failure || (of_one_loop && each.own_loop)) continue;
      EXPECT_GT(each.turn, last[each.rank]);
      last[each.rank] = each.turn;
    }
  }
  std::mt19937 random;
};

TEST_P(bulkhead_property, holds_after_every_event) {
  constexpr std::uint32_t limit = 3;
  constexpr std::uint32_t queue = 12;
  random.seed(GetParam());
  tested = std::make_unique<bulkhead>("max_concurrent", limit, queue);
  for (int i = 0; i < 4000; ++i) {
    step();
    run_ready();
    const auto seen = tested->snapshot();
    EXPECT_EQ(seen.at_work, held());
    EXPECT_LE(seen.at_work, limit);
    EXPECT_LE(seen.waiting, queue);
    EXPECT_EQ(seen.waiting, asking());
    if (seen.waiting > 0) {
      EXPECT_EQ(seen.at_work, limit) << "somebody waits in front of a free place";
    }
    check_order();
    while (!visitors.empty() && visitors.front().done && !visitors.front().held) visitors.pop_front();
    ASSERT_FALSE(HasFailure()) << "step " << i << " of seed " << GetParam();
  }
  for (int i = 0; i < 100; ++i) {  // everybody is served
    for (auto& each : visitors) each.held = {};
    run_ready();
  }
  EXPECT_EQ(asking(), 0U);
  EXPECT_EQ(tested->snapshot().at_work, 0U);
  EXPECT_GT(tested->snapshot().refused, 0U);
  EXPECT_GT(tested->snapshot().timed_out, 0U);
}

TEST_P(bulkhead_property, holds_while_its_limit_changes) {
  constexpr std::uint32_t queue = 12;
  random.seed(GetParam());
  std::uint32_t limit = 3;
  tested = std::make_unique<bulkhead>("max_concurrent", limit, queue);
  int appeared = 0, vanished = 0, shrunk_below = 0;
  for (int i = 0; i < 6000; ++i) {
    const auto before = held();
    if (below(12) == 0) {
      const auto next = static_cast<std::uint32_t>(below(7));
      appeared += limit == 0 && next > 0;
      vanished += limit > 0 && next == 0;
      shrunk_below += next > 0 && next < before;
      limit = next;
      tested->resize(limit, queue);
    } else {
      step();
    }
    run_ready();
    const auto seen = tested->snapshot();
    EXPECT_EQ(seen.limit, limit);
    EXPECT_EQ(seen.at_work, held());
    if (limit > 0) {
      EXPECT_LE(seen.at_work, std::max(limit, before)) << "somebody entered above the limit";
    }
    EXPECT_LE(seen.waiting, queue);
    EXPECT_EQ(seen.waiting, asking());
    if (seen.waiting > 0) {
      EXPECT_GT(limit, 0U);
      EXPECT_GE(seen.at_work, limit) << "somebody waits in front of a free place";
    }
    check_order(true);
    while (!visitors.empty() && visitors.front().done && !visitors.front().held) visitors.pop_front();
    ASSERT_FALSE(HasFailure()) << "step " << i << " of seed " << GetParam();
  }
  EXPECT_GT(appeared, 10);
  EXPECT_GT(vanished, 10);
  EXPECT_GT(shrunk_below, 10);
  tested->resize(2, queue);
  for (int i = 0; i < 100; ++i) {  // everybody is served
    for (auto& each : visitors) each.held = {};
    run_ready();
  }
  EXPECT_EQ(asking(), 0U);
  EXPECT_EQ(tested->snapshot().at_work, 0U);
}

INSTANTIATE_TEST_SUITE_P(seeds, bulkhead_property, ::testing::Values(1U, 2U, 3U, 4U, 5U, 6U));

/// Threads and tasks on event loops that share a bulkhead.
class bulkhead_crowd : public ::testing::Test {
 protected:
  void make(std::uint32_t limit) { shared = std::make_unique<bulkhead>("max_concurrent", limit, 0); }
  task<void> visit(unsigned dice) {
    task<bulkhead::place> entering = shared->enter(static_cast<priority>(dice % 4));
    const bulkhead::place mine = co_await std::move(entering);
    if (++inside > static_cast<int>(shared->snapshot().limit)) ++too_many;
    ++served;
    --inside;
  }
  task<void> visits(unsigned seed, int rounds) {
    std::minstd_rand random(seed + 1);
    for (int i = 0; i < rounds; ++i) {
      const auto dice = static_cast<unsigned>(random());
      try {
        const duration within = dice % 7 == 0 ? duration(1us * (dice % 300)) : duration(60s);
        task<void> one = with_timeout(within, visit(dice));
        co_await std::move(one);
      } catch (const error& e) {
        if (e.portable_code() != errc::pool_timeout) ++unexpected;
      }
    }
    ++finished;
  }
  // Keeps its place over a wait, so that there is always somebody in the queue.
  task<void> stay_again_and_again() {
    for (unsigned i = 0;; ++i) {
      task<bulkhead::place> entering = shared->enter(static_cast<priority>(i % 4));
      const bulkhead::place mine = co_await std::move(entering);
      task<wait_result> staying = sleep_for(duration(1us));
      co_await std::move(staying);
    }
  }
  std::unique_ptr<bulkhead> shared;
  std::atomic<int> inside{0}, too_many{0}, served{0}, unexpected{0}, finished{0};
};

TEST_F(bulkhead_crowd, threads_and_tasks_never_exceed_the_limit_and_all_end) {
  make(3);
  constexpr int each = 8;
  boost::asio::io_context context;
  for (unsigned i = 0; i < each; ++i) spawn(context.get_executor(), visits(i, 300), boost::asio::detached);
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < 4; ++i) threads.emplace_back([this, i] { run(visits(100 + i, 300)); });
    for (int i = 0; i < 2; ++i) threads.emplace_back([&] { context.run(); });
  }
  EXPECT_EQ(finished, each + 4);
  EXPECT_EQ(too_many, 0);
  EXPECT_EQ(unexpected, 0);
  EXPECT_GT(served, 0);
  EXPECT_EQ(shared->snapshot().at_work, 0U);
  EXPECT_EQ(shared->snapshot().waiting, 0U);
}

TEST_F(bulkhead_crowd, its_limit_changes_under_threads_and_tasks) {
  make(3);
  constexpr int each = 8;
  boost::asio::io_context context;
  for (unsigned i = 0; i < each; ++i) spawn(context.get_executor(), visits(i, 300), boost::asio::detached);
  std::atomic<bool> stop = false;
  std::jthread resizing([&] {
    std::minstd_rand random(7);
    while (!stop) shared->resize(static_cast<std::uint32_t>(random() % 5), 0);
  });
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < 4; ++i) threads.emplace_back([this, i] { run(visits(100 + i, 300)); });
    for (int i = 0; i < 2; ++i) threads.emplace_back([&] { context.run(); });
  }
  stop = true;
  resizing.join();
  EXPECT_EQ(finished, each + 4) << "a waiter is lost";
  EXPECT_EQ(unexpected, 0);
  EXPECT_EQ(shared->snapshot().at_work, 0U) << "a place is lost";
  EXPECT_EQ(shared->snapshot().waiting, 0U);
  shared->resize(3, 0);  // and the count is right to the end
  inside = too_many = 0;
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < 4; ++i) threads.emplace_back([this, i] { run(visits(200 + i, 100)); });
  }
  EXPECT_EQ(too_many, 0);
}

// A waiter's task may go with its event loop at the very moment in which another thread gives it a place.
TEST_F(bulkhead_crowd, an_event_loop_goes_while_its_tasks_wait) {
  make(2);
  std::atomic<bool> stop = false;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      for (unsigned n = 0; !stop; ++n) run(visit(n));
    });
  }
  for (int round = 0; round < 200; ++round) {
    boost::asio::io_context context;
    for (int i = 0; i < 20; ++i) spawn(context.get_executor(), stay_again_and_again(), boost::asio::detached);
    context.run_for(1ms);
  }
  stop = true;
  threads.clear();
  EXPECT_EQ(too_many, 0);
  EXPECT_EQ(shared->snapshot().at_work, 0U) << "a place is lost";
  EXPECT_EQ(shared->snapshot().waiting, 0U);
}

}  // namespace
}  // namespace polypool
