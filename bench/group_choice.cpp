// SPDX-License-Identifier: Apache-2.0
// What it costs to choose among the members of a group; the aim is 100 ns among 100.
#include "manager/call_target.hpp"

#include <polypool/testing.hpp>

#include <benchmark/benchmark.h>

#include <map>
#include <mutex>
#include <string>

namespace polypool {
namespace {

using detail::manager_core;

config::group group_of(config::balance_strategy strategy, int count) {
  config::group made;
  made.name = "all";
  made.type = config::group_type::balance;
  made.strategy = strategy;
  made.slow_start = std::chrono::seconds(0);
  made.role_check_interval = std::chrono::hours(1);
  for (int i = 0; i < count; ++i) {
    made.members.push_back({"m" + std::to_string(i), static_cast<std::uint32_t>(1 + i % 3)});
  }
  return made;
}

config::group failover_group(int count) {
  auto made = group_of(config::balance_strategy::round_robin, 0);
  made.type = config::group_type::failover;
  made.two_primaries = config::several_primaries::in_order;
  made.primary = "m0";
  for (int i = 1; i < count; ++i) made.replicas.push_back({"m" + std::to_string(i)});
  return made;
}

// Connections to a server that is not there to be asked, in a manager of their own.
std::shared_ptr<manager_core> make_core(const config::group& made) {
  config::settings all;
  all.defaults.lazy_connect = true;
  for (const auto& name : made.names()) {
    config::connection one;
    one.name = one.where.host = name;
    all.connections.push_back(std::move(one));
  }
  all.groups.push_back(made);
  manager_options options;
  options.drivers.push_back(testing::make_fake_driver(std::make_shared<testing::fake_server>()));
  auto core = std::make_shared<manager_core>(std::move(all), std::move(options));
  environment env;
  env.time = &core->time();
  run(core->find("all", detail::name_space::databases)->group()->look(), env);
  return core;
}

void choose_from(benchmark::State& state, const config::group& made) {
  static std::map<std::string, std::shared_ptr<manager_core>> cores;
  static std::mutex mutex;
  std::shared_ptr<manager_core> core;
  {
    const std::scoped_lock lock(mutex);
    auto& known = cores[std::string(to_string(made.type)) + std::string(to_string(made.strategy)) +
                        std::to_string(made.names().size())];
    if (!known) known = make_core(made);
    core = known;
  }
  auto& router = *core->find("all", detail::name_space::databases)->group();
  for (auto _ : state) {
    const auto member = router.choose(nullptr, nullptr);
    benchmark::DoNotOptimize(member.get());
  }
}

#define POLYPOOL_CHOICE(strategy)                                                                      \
  void strategy(benchmark::State& state) {                                                             \
    choose_from(state, group_of(config::balance_strategy::strategy, static_cast<int>(state.range()))); \
  }                                                                                                    \
  BENCHMARK(strategy)->Arg(3)->Arg(100);                                                               \
  BENCHMARK(strategy)->Arg(100)->Threads(2)->UseRealTime()

POLYPOOL_CHOICE(round_robin);
POLYPOOL_CHOICE(weighted);
POLYPOOL_CHOICE(least_in_use);
POLYPOOL_CHOICE(power_of_two);

void primary(benchmark::State& state) { choose_from(state, failover_group(static_cast<int>(state.range()))); }
BENCHMARK(primary)->Arg(3)->Arg(100);

}  // namespace
}  // namespace polypool

BENCHMARK_MAIN();
