// SPDX-License-Identifier: Apache-2.0
// What a lease costs, and what a task costs.
#include "idle_session.hpp"
#include "pool/pool_core.hpp"

#include <polypool/asio.hpp>
#include <polypool/waits.hpp>

#include <benchmark/benchmark.h>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <new>
#include <thread>

namespace polypool {
namespace {

using bench::make_pool;

// leases -------------------------------------------------------------------------------------------------------------

pool& shared_pool() {
  static const auto work = make_thread_background();
  static const auto instance = make_pool(4, work);
  return *instance;
}

void warm(pool& p, int count) {
  std::vector<lease> all;
  for (int i = 0; i < count; ++i) all.push_back(run(p.acquire()));
}

void lease_blocking(benchmark::State& state) {
  pool& p = shared_pool();
  if (state.thread_index() == 0) warm(p, 4);
  for (auto _ : state) {
    const lease mine = run(p.acquire());
    benchmark::DoNotOptimize(mine);
  }
}
BENCHMARK(lease_blocking)->ThreadRange(1, 8)->UseRealTime();

void lease_try(benchmark::State& state) {
  pool& p = shared_pool();
  if (state.thread_index() == 0) warm(p, 4);
  for (auto _ : state) {
    const lease mine = p.try_acquire();
    benchmark::DoNotOptimize(mine);
  }
}
BENCHMARK(lease_try)->Threads(1)->UseRealTime();

void lease_in_a_task(benchmark::State& state) {
  pool& p = shared_pool();
  warm(p, 4);
  const auto rounds = [](pool& from, benchmark::State& s) -> task<void> {
    for (auto _ : s) {
      const lease mine = co_await from.acquire();
      benchmark::DoNotOptimize(mine);
    }
  };
  boost::asio::io_context context;
  spawn(context.get_executor(), rounds(p, state), boost::asio::detached);
  context.run();
}
BENCHMARK(lease_in_a_task);

// The floor: what locking twice and asking the coarse clock twice cost on this machine.
void two_locks_and_two_coarse_times(benchmark::State& state) {
  std::mutex mutex;
  clock& time = clock::system();
  for (auto _ : state) {
    for (int i = 0; i < 2; ++i) {
      benchmark::DoNotOptimize(time.coarse_now());
      const std::scoped_lock lock(mutex);
      benchmark::ClobberMemory();
    }
  }
}
BENCHMARK(two_locks_and_two_coarse_times);

// From a release to the moment when the waiting task has the session: two tasks that pass one session to and fro.
// Each queues at once after its release, so no one ever finds it idle.
void hand_off_between_tasks(benchmark::State& state) {
  const auto work = make_thread_background();
  const auto one = make_pool(1, work);
  warm(*one, 1);
  boost::asio::io_context context;
  bool enough = false;
  const auto passes = [](pool& from, bool& end) -> task<void> {
    while (!end) const lease mine = co_await from.acquire();
  };
  const auto counts = [](pool& from, bool& end, benchmark::State& s) -> task<void> {
    lease first = co_await from.acquire();
    co_await sleep_for(std::chrono::milliseconds(5));  // until the other one waits
    first.release();
    for (auto _ : s) const lease mine = co_await from.acquire();
    end = true;
  };
  spawn(context.get_executor(), counts(*one, enough, state), boost::asio::detached);
  spawn(context.get_executor(), passes(*one, enough), boost::asio::detached);
  context.run();
  const auto waits = static_cast<double>(one->statistics().wait_count);
  state.counters["waited"] = waits / static_cast<double>(one->statistics().leases);
}
BENCHMARK(hand_off_between_tasks);

void hand_off_between_threads(benchmark::State& state) {
  const auto work = make_thread_background();
  const auto one = make_pool(1, work);
  warm(*one, 1);
  const std::jthread other([&one](const std::stop_token& enough) {
    while (!enough.stop_requested()) {
      const lease mine = run(one->acquire());
      while (one->statistics().waiting == 0 && !enough.stop_requested()) std::this_thread::yield();
    }
  });
  for (auto _ : state) {
    const lease mine = run(one->acquire());
    while (one->statistics().waiting == 0) std::this_thread::yield();
  }
}
BENCHMARK(hand_off_between_threads)->UseRealTime();

// tasks --------------------------------------------------------------------------------------------------------------

task<int> number(int value) { co_return value; }
task<int> sum(benchmark::State& state) {
  int total = 0;
  for (auto _ : state) total += co_await number(1);
  co_return total;
}

void await_blocking(benchmark::State& state) { benchmark::DoNotOptimize(run(sum(state))); }
BENCHMARK(await_blocking);

void await_async(benchmark::State& state) {
  boost::asio::io_context context;
  spawn(context.get_executor(), sum(state), [](std::exception_ptr, int total) { benchmark::DoNotOptimize(total); });
  context.run();
}
BENCHMARK(await_async);

// The same task with frames from plain operator new, to see what recycling gives.
struct plain_task {
  struct promise_type {
    int value = 0;
    std::coroutine_handle<> continuation;
    plain_task get_return_object() noexcept {
      return plain_task{std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void unhandled_exception() const noexcept { std::abort(); }
    void return_value(int v) noexcept { value = v; }
    char as_large_as_ours[sizeof(detail::promise<int>)] = {};
  };
  explicit plain_task(std::coroutine_handle<promise_type> h) noexcept : handle(h) {}
  plain_task(const plain_task&) = delete;
  ~plain_task() { handle.destroy(); }
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<>) const {
    handle.resume();
    return false;
  }
  int await_resume() const noexcept { return handle.promise().value; }
  std::coroutine_handle<promise_type> handle;
};
plain_task plain_number(int value) { co_return value; }
task<int> plain_sum(benchmark::State& state) {
  int total = 0;
  for (auto _ : state) total += co_await plain_number(1);
  co_return total;
}
void await_with_plain_frames(benchmark::State& state) { benchmark::DoNotOptimize(run(plain_sum(state))); }
BENCHMARK(await_with_plain_frames);

void frame_recycled(benchmark::State& state) {
  for (auto _ : state) {
    void* const frame = detail::allocate_frame(300);
    benchmark::DoNotOptimize(frame);
    detail::free_frame(frame, 300);
  }
}
BENCHMARK(frame_recycled);
void frame_plain(benchmark::State& state) {
  for (auto _ : state) {
    void* const frame = ::operator new(300);
    benchmark::DoNotOptimize(frame);
    ::operator delete(frame);
  }
}
BENCHMARK(frame_plain);

void run_an_empty_task(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(run(number(1)));
}
BENCHMARK(run_an_empty_task);

void spawn_a_task(benchmark::State& state) {
  boost::asio::io_context context;
  for (auto _ : state) {
    spawn(context.get_executor(), number(1), [](std::exception_ptr, int total) { benchmark::DoNotOptimize(total); });
    context.restart();
    context.run();
  }
}
BENCHMARK(spawn_a_task);

// timers -------------------------------------------------------------------------------------------------------------

struct silent_timer final : timer {
  void expired() noexcept override {}
};
void timer_arm_and_disarm(benchmark::State& state) {
  timer_queue queue;
  std::vector<silent_timer> others(static_cast<std::size_t>(state.range(0)));
  const auto now = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < others.size(); ++i) queue.arm(others[i], now + std::chrono::seconds(i * 7919 % 1000));
  silent_timer mine;
  int i = 0;
  for (auto _ : state) {
    queue.arm(mine, now + std::chrono::seconds(++i % 1000));
    queue.disarm(mine);
  }
  for (auto& each : others) queue.disarm(each);
}
BENCHMARK(timer_arm_and_disarm)->Arg(0)->Arg(1000)->Arg(100000);

// sizes --------------------------------------------------------------------------------------------------------------

void make_a_pool(benchmark::State& state) {
  const auto work = make_thread_background();
  for (auto _ : state) benchmark::DoNotOptimize(make_pool(4, work));
  state.counters["sizeof_pool_core"] = sizeof(pool_core);
  state.counters["sizeof_options"] = sizeof(pool_options);
  state.counters["sizeof_session_entry"] = sizeof(detail::pooled_session);
}
BENCHMARK(make_a_pool);

}  // namespace
}  // namespace polypool

BENCHMARK_MAIN();
