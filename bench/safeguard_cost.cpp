// SPDX-License-Identifier: Apache-2.0
// What breaker, retries, bulkheads and counting cost a call that goes well (the aim is 150 ns), and how fast an open
// breaker answers (the aim is 1 µs). The same call with and without them, in turn, on a SQLite in memory.
#include "manager/call_guard.hpp"
#include "manager/call_target.hpp"
#include "ratio.hpp"

#include <polypool/sqlite.hpp>

#include <chrono>
#include <cstdio>
#include <memory>

namespace polypool {
namespace {

using detail::manager_core;

constexpr int calls = 200000;
constexpr int rounds = 25;

template <class Work>
double nanoseconds_per_call(int count, Work&& work) {
  const auto started = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) work();
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - started;
  return took.count() / count;
}

std::shared_ptr<manager_core> make_core() {
  config::settings all;
  all.connections.push_back(config::connection_from_url("memory", "sqlite::memory:"));
  all.connections.back().overrides.max_concurrent = 64;
  all.max_concurrent_total = 1000;
  manager_options options;
  options.drivers.push_back(sqlite::make_driver());
  return std::make_shared<manager_core>(std::move(all), std::move(options));
}

// Calls as sql_database makes them, and the same less what stands before the server.
result call_with(const manager_core& core, const detail::connection_pointer& state, statement what) {
  auto context = detail::target_of(core, state, nullptr, database_kind::sql, "query");
  const environment env = context.limited(detail::blocking_environment(context.state->time()));
  return detail::make_call_now(context, detail::again::if_undone, env, "query", [&](detail::call_attempts& attempts) {
    lease borrowed = context.state->usable_pool().try_acquire(what.where());
    if (!borrowed) borrowed = run(context.state->acquire(what.where()), env);
    attempts.begun();
    return run(static_cast<sql_session&>(borrowed.session()).execute(what), env);
  });
}

result call_without(const manager_core& core, const detail::connection_pointer& state, statement what) {
  const auto context = detail::target_of(core, state, nullptr, database_kind::sql, "query");
  const environment env = context.limited(detail::blocking_environment(context.state->time()));
  lease borrowed = context.state->usable_pool().try_acquire(what.where());
  if (!borrowed) borrowed = run(context.state->acquire(what.where()), env);
  return run(static_cast<sql_session&>(borrowed.session()).execute(what), env);
}

void measure() {
  const auto core = make_core();
  const auto state = core->find("memory", detail::name_space::databases);
  const located_text text("SELECT 1");
  const statement what(text, std::span<const value>());
  const auto with = [&] { call_with(*core, state, what); };
  const auto without = [&] { call_without(*core, state, what); };
  std::vector<double> withs, withouts, differences;
  nanoseconds_per_call(calls, with);
  for (int i = 0; i < rounds; ++i) {
    withouts.push_back(nanoseconds_per_call(calls, without));
    withs.push_back(nanoseconds_per_call(calls, with));
    differences.push_back(withs.back() - withouts.back());
  }
  std::printf(
      "a call with breaker, retries, bulkheads, metrics: %.0f ns, without %.0f ns, on top %.0f ns (medians of %d)\n",
      bench::median(withs), bench::median(withouts), bench::median(differences), rounds);

  auto& guards = state->guards();
  guards.breaker.force_open(core->time().now());
  std::vector<double> decisions, refusals;
  for (int i = 0; i < rounds; ++i) {
    decisions.push_back(nanoseconds_per_call(calls, [&] {
      if (guards.breaker.admit(core->time().coarse_now())) std::abort();
    }));
    refusals.push_back(nanoseconds_per_call(calls / 10, [&] {
      try {
        call_with(*core, state, what);
        std::abort();
      } catch (const error&) {
      }
    }));
  }
  std::printf("an open breaker decides in %.0f ns; a refused call, with its error thrown and caught: %.0f ns\n",
              bench::median(decisions), bench::median(refusals));
}

}  // namespace
}  // namespace polypool

int main() { polypool::measure(); }
