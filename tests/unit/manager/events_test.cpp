// SPDX-License-Identifier: Apache-2.0
#include "support/fake_manager.hpp"

#include <polypool/events.hpp>
#include <polypool/testing.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <thread>

// Sanitizers have an operator new of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define POLYPOOL_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define POLYPOOL_TEST_SANITIZED 1
#endif
#endif

namespace {
thread_local std::size_t allocations = 0;
}

#ifndef POLYPOOL_TEST_SANITIZED
// Counts what this program allocates, on each thread. Not inlined: g++ would not recognize its own pairs.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace polypool {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::virtual_clock;
using testing::virtual_loop;

void publish(event_bus& bus, std::string_view name, event_kind kind = event_kind::circuit_open) {
  bus.publish(kind, name, config::database_type::postgres, "closed", "open", "6 of 10 calls failed");
}

std::vector<std::string> names(const std::vector<connection_event>& list) {
  std::vector<std::string> out;
  for (const auto& each : list) out.push_back(each.connection);
  return out;
}

TEST(events, words_both_ways) {
  for (std::size_t i = 0; i < event_kind_count; ++i) {
    const auto kind = static_cast<event_kind>(i);
    EXPECT_EQ(parse_event_kind(to_string(kind)), kind);
  }
  EXPECT_EQ(to_string(event_kind::circuit_half_open), "circuit-half-open");
  EXPECT_EQ(parse_event_kind("circuit"), std::nullopt);
}

TEST(events, are_kept_in_their_order) {
  event_bus bus;
  for (const char* name : {"a", "b", "c", "d"}) publish(bus, name);
  EXPECT_THAT(names(bus.recent()), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(names(bus.recent(2)), ElementsAre("c", "d"));
  EXPECT_THAT(names(bus.recent(10, 3)), ElementsAre("d"));
  EXPECT_THAT(names(bus.next(1, 2)), ElementsAre("b", "c"));
  EXPECT_TRUE(bus.recent(10, 4).empty());
  EXPECT_TRUE(bus.recent(10, 99).empty());
  const auto last = bus.recent(1).front();
  EXPECT_EQ(last.id, 4U);
  EXPECT_EQ(last.kind, event_kind::circuit_open);
  EXPECT_EQ(last.from + last.to + last.detail, "closedopen6 of 10 calls failed");
  EXPECT_GT(last.at.time_since_epoch().count(), 0);
}

TEST(events, the_oldest_go) {
  event_bus bus;
  for (int i = 1; i <= 2500; ++i) publish(bus, std::to_string(i));
  const auto all = bus.recent();
  ASSERT_EQ(all.size(), event_bus::kept);
  EXPECT_EQ(all.front().connection, "1501");
  EXPECT_EQ(all.front().id, 1501U);
  EXPECT_EQ(bus.next(3, 1).front().id, 1501U);  // what came after 3 is gone
  EXPECT_EQ(bus.last_id(), 2500U);
}

TEST(events, long_texts_are_cut_between_characters) {
  event_bus bus;
  std::string wide;
  for (int i = 0; i < 400; ++i) wide += "ä";
  bus.publish(event_kind::leak, wide, config::database_type::redis, wide, wide, "x" + wide);
  const auto what = bus.recent().front();
  EXPECT_EQ(what.connection.size(), event_bus::longest_name);
  EXPECT_EQ(what.detail.size(), event_bus::longest_detail - 1);
  EXPECT_EQ(what.detail.substr(what.detail.size() - 2), "ä");
}

TEST(events, publishing_allocates_nothing) {
#ifdef POLYPOOL_TEST_SANITIZED
  GTEST_SKIP() << "sanitizers allocate themselves";
#endif
  event_bus bus;
  const std::string reason = "6 of the 10 calls within the last ten seconds failed";
  publish(bus, "warm");
  const auto before = allocations;
  for (int i = 0; i < 3000; ++i) {
    bus.publish(event_kind::circuit_open, "primary", config::database_type::postgres, "closed", "open", reason);
  }
  EXPECT_EQ(allocations, before);
}

TEST(events, listeners_are_not_called_by_whoever_publishes) {
  virtual_clock time;
  virtual_loop loop(time);
  event_bus bus;
  bus.deliver_on(loop);
  std::vector<std::string> seen;
  auto member = bus.subscribe([&](const connection_event& what) { seen.push_back(what.connection); });
  loop.run_ready();
  publish(bus, "a");
  publish(bus, "b");
  EXPECT_TRUE(seen.empty());
  EXPECT_EQ(bus.recent().size(), 2U);  // readers see them at once
  loop.run_ready();
  EXPECT_THAT(seen, ElementsAre("a", "b"));
  {
    auto gone = std::move(member);
  }
  publish(bus, "c");
  loop.run_ready();
  EXPECT_EQ(seen.size(), 2U);
  auto again = bus.subscribe([&](const connection_event& what) { seen.push_back("again " + what.connection); });
  publish(bus, "d");
  loop.run_ready();
  EXPECT_THAT(seen, ElementsAre("a", "b", "again d"));  // nothing from before it came
  bus.end_delivery();
  publish(bus, "e");
  loop.run_ready();
  EXPECT_EQ(seen.size(), 3U);
}

TEST(events, a_listener_may_publish_throw_and_leave) {
  event_bus bus;  // delivers inline
  std::vector<std::string> seen;
  auto thrower = bus.subscribe([](const connection_event&) { throw std::runtime_error("oops"); });
  event_bus::subscription self;
  self = bus.subscribe([&](const connection_event& what) {
    seen.push_back(what.connection);
    if (what.connection == "a") publish(bus, "from the listener");
    if (what.connection == "from the listener") self = {};
  });
  publish(bus, "a");
  publish(bus, "b");
  EXPECT_THAT(seen, ElementsAre("a", "from the listener"));
}

TEST(events, from_many_threads) {
  const auto work = make_thread_background();
  std::vector<std::uint64_t> ids;
  std::atomic<std::size_t> count{0};
  event_bus bus;
  bus.deliver_on(*work);
  {
    auto member = bus.subscribe([&](const connection_event& what) {
      ids.push_back(what.id);
      count = ids.size();
    });
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
          for (int i = 0; i < 200; ++i) publish(bus, "x");
        });
      }
    }
    while (count < 800) std::this_thread::yield();
  }
  ASSERT_EQ(ids.size(), 800U);
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], i + 1);
  bus.end_delivery();
}

TEST(events, of_a_manager_reach_its_subscribers) {
  testing::fake_world world({"a"});
  std::vector<std::string> seen;
  const auto member = world.mgr->events().subscribe(
      [&](const connection_event& what) { seen.push_back(std::string(to_string(what.kind)) + ' ' + what.to); });
  world.run(world.mgr->async_connect());
  world.loop.run_ready();
  EXPECT_THAT(seen, ElementsAre("health-change healthy"));
}

}  // namespace
}  // namespace polypool
