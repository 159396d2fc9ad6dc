// SPDX-License-Identifier: Apache-2.0
#include <polypool/asio.hpp>
#include <polypool/error.hpp>
#include <polypool/testing.hpp>
#include <polypool/waits.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <future>
#include <latch>
#include <mutex>
#include <numeric>
#include <stop_token>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace polypool {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;

task<int> number(int value) { co_return value; }
task<std::int64_t> sum(int count) {
  std::int64_t total = 0;
  for (int i = 0; i < count; ++i) total += co_await number(i);
  co_return total;
}
task<int> fails() {
  throw error(errc::unique_violation, "taken");
  co_return 1;
}
task<std::string> rethrows() {
  try {
    co_await fails();
  } catch (const error& e) {
    co_return e.cause();
  }
  co_return "nothing";
}

struct no_default {
  explicit no_default(int v) : value(v) {}
  int value;
};
task<no_default> make_no_default(int v) { co_return no_default(v); }

struct socket_pair {
  std::array<int, 2> ends{};
  socket_slot slot;
  socket_pair() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0); }
  ~socket_pair() {
    slot.reset();
    ::close(ends[0]);
    ::close(ends[1]);
  }
  void send(char c) const { EXPECT_EQ(::write(ends[1], &c, 1), 1); }
  char take() const {
    char c = 0;
    return ::read(ends[0], &c, 1) == 1 ? c : '\0';
  }
};

task<wait_result> readable(socket_pair& s) {
  co_return co_await socket_ready(s.ends[0], s.slot, socket_interest::read);
}

TEST(task, blocking_result_and_error) {
  EXPECT_EQ(run(sum(10)), 45);
  EXPECT_THROW(run(fails()), error);
  EXPECT_EQ(run(rethrows()), "taken");
}

TEST(task, a_million_awaits_do_not_grow_the_stack) {
  EXPECT_GT(run(sum(1'000'000)), 0);
  asio::io_context context;
  auto result = spawn(context.get_executor(), sum(1'000'000), asio::use_future);
  context.run();
  EXPECT_GT(result.get(), 0);
}

TEST(task, one_that_never_starts_costs_nothing) { const auto unused = sum(3); }

TEST(task, socket_blocking) {
  socket_pair s;
  s.send('x');
  EXPECT_EQ(run(readable(s)), wait_result::ready);
  EXPECT_EQ(s.take(), 'x');
  EXPECT_EQ(run(with_timeout(5ms, readable(s))), wait_result::timed_out);
  EXPECT_EQ(run(with_deadline(time_point::min(), readable(s))), wait_result::timed_out);
}

TEST(task, socket_blocking_stops_from_another_thread) {
  socket_pair s;
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  environment env;
  env.stop = stop.get_token();
  EXPECT_EQ(run(readable(s), env), wait_result::stopped);
}

TEST(task, socket_on_asio_registers_once_and_waits_often) {
  socket_pair s;
  asio::io_context context;
  const auto ping_pong = [](socket_pair& pair) -> task<int> {
    int rounds = 0;
    for (; rounds < 100; ++rounds) {
      pair.send('a');
      const wait_result ready = co_await socket_ready(pair.ends[0], pair.slot, socket_interest::read);
      if (ready != wait_result::ready || pair.take() != 'a') break;
      const wait_result both = co_await socket_ready(pair.ends[0], pair.slot, socket_interest::read_or_write);
      if (both != wait_result::ready) break;
    }
    co_return rounds;
  };
  auto rounds = spawn(context.get_executor(), ping_pong(s), asio::use_future);
  context.run();
  EXPECT_EQ(rounds.get(), 100);
}

TEST(task, socket_on_asio_times_out_and_stops) {
  socket_pair s;
  asio::io_context context;
  auto late = spawn(context.get_executor(), with_timeout(5ms, readable(s)), asio::use_future);
  context.run();
  EXPECT_EQ(late.get(), wait_result::timed_out);
  context.restart();
  std::stop_source stop;
  auto stopped = spawn(context.get_executor(), with_stop(stop.get_token(), readable(s)), asio::use_future);
  asio::post(context, [&] { stop.request_stop(); });
  context.run();
  EXPECT_EQ(stopped.get(), wait_result::stopped);
}

TEST(task, a_slot_moves_between_contexts_and_survives_them) {
  socket_pair s;
  for (int i = 0; i < 3; ++i) {
    s.send('x');
    {
      asio::io_context context;
      auto ready = spawn(context.get_executor(), readable(s), asio::use_future);
      context.run();
      EXPECT_EQ(ready.get(), wait_result::ready);
    }
    EXPECT_EQ(run(readable(s)), wait_result::ready);
  }
}

TEST(task, cancellation_slot_requests_a_stop) {
  socket_pair s;
  asio::io_context context;
  asio::cancellation_signal cancel;
  wait_result how = wait_result::ready;
  spawn(context.get_executor(), readable(s),
        asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr, wait_result r) { how = r; }));
  asio::post(context, [&] { cancel.emit(asio::cancellation_type::terminal); });
  context.run();
  EXPECT_EQ(how, wait_result::stopped);
}

TEST(task, in_an_awaitable) {
  asio::io_context context;
  const auto user = []() -> asio::awaitable<int> {
    auto executor = co_await asio::this_coro::executor;
    const auto first = static_cast<int>(co_await spawn(executor, sum(4), asio::use_awaitable));
    const auto second = static_cast<int>(co_await as_awaitable(sum(5)));
    no_default made = co_await as_awaitable(make_no_default(1));
    const int third = made.value;
    bool threw = false;
    try {
      co_await as_awaitable(fails());
    } catch (const error& e) {
      threw = e.code() == errc::unique_violation;
    }
    co_return threw ? first + second + third : -1;
  };
  auto result = asio::co_spawn(context, user(), asio::use_future);
  context.run();
  EXPECT_EQ(result.get(), 6 + 10 + 1);
}

TEST(task, a_type_without_default_comes_as_optional) {
  asio::io_context context;
  auto made = spawn(context.get_executor(), make_no_default(7), asio::use_future);
  context.run();
  EXPECT_EQ(made.get()->value, 7);
}

TEST(task, sleep_blocking_and_async) {
  const auto started = std::chrono::steady_clock::now();
  EXPECT_EQ(run(sleep_for(3ms)), wait_result::ready);
  EXPECT_GE(std::chrono::steady_clock::now() - started, 3ms);
  EXPECT_EQ(run(with_timeout(1ms, sleep_for(1h))), wait_result::timed_out);
  asio::io_context context;
  auto slept = spawn(context.get_executor(), sleep_for(3ms), asio::use_future);
  context.run();
  EXPECT_EQ(slept.get(), wait_result::ready);
}

TEST(task, offload_runs_elsewhere_and_keeps_the_context_busy) {
  const auto where = []() -> task<std::thread::id> {
    const auto ask = [] { return std::this_thread::get_id(); };
    co_return co_await offload(ask);
  };
  EXPECT_EQ(run(where()), std::this_thread::get_id());
  asio::io_context context;
  auto elsewhere = spawn(context.get_executor(), where(), asio::use_future);
  context.run();
  EXPECT_NE(elsewhere.get(), std::this_thread::get_id());
}

TEST(task, shielded_work_outlives_the_deadline) {
  const auto cleanup = []() -> task<int> {
    const environment env = co_await this_environment();
    EXPECT_FALSE(env.expired());
    EXPECT_FALSE(env.stop.stop_requested());
    co_return 1;
  };
  const auto work = [&]() -> task<int> {
    task<int> cleaning = cleanup();
    co_return co_await shielded(1s, std::move(cleaning));
  };
  EXPECT_EQ(run(with_deadline(time_point::min(), work())), 1);
}

TEST(task, a_dropped_context_drops_its_tasks) {
  const auto flag = std::make_shared<int>(1);
  event never;
  {
    asio::io_context context;
    const auto waits = [](std::shared_ptr<int>, event& e) -> task<void> {
      const wait_result how = co_await e.wait();
      (void)how;
    };
    spawn(context.get_executor(), waits(flag, never), asio::detached);
    spawn(context.get_executor(), waits(flag, never), asio::detached);
    context.poll();
    EXPECT_GT(flag.use_count(), 1);
  }
  EXPECT_EQ(flag.use_count(), 1);
}

TEST(event, wakes_threads_and_tasks) {
  event ready;
  asio::thread_pool pool(2);
  std::vector<std::future<wait_result>> tasks;
  for (int i = 0; i < 50; ++i) tasks.push_back(spawn(pool.get_executor(), ready.wait(), asio::use_future));
  std::vector<std::jthread> threads;
  std::atomic<int> woken{0};
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { woken += run(ready.wait()) == wait_result::ready; });
  ready.set();
  for (auto& each : tasks) EXPECT_EQ(each.get(), wait_result::ready);
  threads.clear();
  EXPECT_EQ(woken, 4);
  EXPECT_EQ(run(ready.wait()), wait_result::ready);
  ready.reset();
  EXPECT_EQ(run(with_timeout(1ms, ready.wait())), wait_result::timed_out);
}

// Wake-ups from other threads race with deadlines on a many-threaded executor; every wait ends exactly once.
TEST(event, races_end_every_wait_once) {
  asio::thread_pool pool(4);
  for (int round = 0; round < 300; ++round) {
    event ready;
    std::vector<std::future<wait_result>> waits;
    for (int i = 0; i < 8; ++i) {
      waits.push_back(
          spawn(pool.get_executor(), with_timeout(std::chrono::microseconds(10 * i), ready.wait()), asio::use_future));
    }
    ready.set();
    for (auto& each : waits) {
      const auto how = each.get();
      EXPECT_TRUE(how == wait_result::ready || how == wait_result::timed_out);
    }
  }
}

// Calls that wait for each other: with fewer threads than calls they would wait for ever.
TEST(task, offloaded_calls_do_not_wait_for_each_others_threads) {
  constexpr int calls = 60;
  asio::io_context context;
  std::mutex mutex;
  std::condition_variable all_here;
  int here = 0;
  int done = 0;
  const auto meet = [&]() -> task<void> {
    const auto call = [&] {
      std::unique_lock lock(mutex);
      if (++here == calls) all_here.notify_all();
      all_here.wait(lock, [&] { return here >= calls; });
    };
    offload waiting(call);
    co_await waiting;
    ++done;
  };
  for (int round = 1; round <= 2; ++round) {
    here = 0;
    for (int i = 0; i < calls; ++i) spawn(context.get_executor(), meet(), asio::detached);
    context.restart();
    context.run();
    EXPECT_EQ(done, round * calls);
  }
}

TEST(virtual_loop, hours_pass_at_once_and_in_order) {
  testing::virtual_clock time;
  testing::virtual_loop loop(time);
  std::vector<int> order;
  const auto after = [&](duration span, int id) -> task<void> {
    co_await sleep_for(span);
    order.push_back(id);
  };
  loop.spawn(after(3h, 3));
  loop.spawn(after(1h, 1));
  loop.spawn(after(2h, 2));
  loop.advance(150min);
  EXPECT_EQ(order, (std::vector{1, 2}));
  loop.advance(1h);
  EXPECT_EQ(order, (std::vector{1, 2, 3}));
  EXPECT_EQ(loop.run(with_timeout(1h, sleep_for(2h))), wait_result::timed_out);
}

TEST(timer_queue, fires_in_order_and_disarms) {
  struct probe final : timer {
    std::vector<int>* out = nullptr;
    int id = 0;
    void expired() noexcept override { out->push_back(id); }
  };
  timer_queue queue;
  std::vector<int> out;
  std::array<probe, 100> timers;
  const time_point zero{};
  for (int i = 0; i < 100; ++i) {
    timers[static_cast<std::size_t>(i)].out = &out;
    timers[static_cast<std::size_t>(i)].id = (i * 37) % 100;
    queue.arm(timers[static_cast<std::size_t>(i)], zero + std::chrono::seconds((i * 37) % 100));
  }
  for (auto& t : timers) {
    if (t.id % 3 == 0) queue.disarm(t);
  }
  EXPECT_EQ(queue.earliest(), zero + 1s);
  EXPECT_EQ(queue.fire(zero + 50s), zero + 52s);
  queue.fire(zero + 1000s);
  std::vector<int> expected;
  for (int i = 0; i < 100; ++i) {
    if (i % 3 != 0) expected.push_back(i);
  }
  EXPECT_EQ(out, expected);
}

}  // namespace
}  // namespace polypool
