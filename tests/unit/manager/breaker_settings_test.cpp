// SPDX-License-Identifier: Apache-2.0
// Circuit breakers as they are configured: by default for each type of database, and setting by setting.
#include "manager/safeguards.hpp"

#include <polypool/config_changes.hpp>

#include <gtest/gtest.h>

namespace polypool::detail {
namespace {

using namespace std::chrono_literals;
using config::database_type;

// Of each connection of this configuration, by its place in it.
std::vector<breaker_options> breakers_of(std::string_view yaml) {
  const auto whole = config::parse(yaml);
  std::vector<breaker_options> out;
  for (const auto& each : whole.connections) out.push_back(breaker_options_of(config::limits_of(whole, each)));
  return out;
}

TEST(breaker_settings, each_type_has_its_defaults) {
  struct expected {
    database_type type;
    duration slow_after;
    double failure_rate;
    duration reset;
  };
  for (const auto& [type, slow_after, failure_rate, reset] :
       {expected{database_type::postgres, 5s, 0.5, 30s}, expected{database_type::mysql, 5s, 0.5, 30s},
        expected{database_type::sqlite, 5s, 0.5, 30s}, expected{database_type::mssql, 5s, 0.5, 30s},
        expected{database_type::mongodb, 10s, 0.6, 45s}, expected{database_type::redis, 1s, 0.7, 15s}}) {
    const auto its = breaker_options_of(config::defaults_for(type, config::tuning()));
    EXPECT_TRUE(its.enabled);
    EXPECT_EQ(its.slow_after, slow_after) << config::to_string(type);
    EXPECT_DOUBLE_EQ(its.failure_rate, failure_rate) << config::to_string(type);
    EXPECT_EQ(its.reset_time, reset) << config::to_string(type);
    EXPECT_EQ(its.window, 10s);
    EXPECT_EQ(its.volume_threshold, 10U);
  }
}

TEST(breaker_settings, are_those_for_all_unless_a_connection_has_its_own) {
  const auto found = breakers_of(R"(polypool:
  circuit_failure_percent: 20
  circuit_slow_percent: 90
  circuit_slow_after: 3s
  circuit_window: 20s
  circuit_volume: 7
  circuit_reset: 2s
  circuit_reset_max: 9s
  circuit_trials: 4
  connections:
    cache: redis://127.0.0.1
    books:
      type: sqlite
      filepath: books.db
      circuit_breaker: false
      circuit_failure_percent: 30
      circuit_slow_percent: 80
      circuit_slow_after: 4s
      circuit_window: 30s
      circuit_volume: 8
      circuit_reset: 3s
      circuit_reset_max: 10s
      circuit_trials: 5
)");
  ASSERT_EQ(found.size(), 2U);
  breaker_options all;
  all.failure_rate = 0.2;
  all.slow_rate = 0.9;
  all.slow_after = 3s;
  all.window = 20s;
  all.volume_threshold = 7;
  all.reset_time = 2s;
  all.reset_max = 9s;
  all.trial_calls = 4;
  all.trial_timeout = found[0].trial_timeout;
  EXPECT_EQ(found[0], all) << "what is written for all counts for Redis as well";
  breaker_options own;
  own.enabled = false;
  own.failure_rate = 0.3;
  own.slow_rate = 0.8;
  own.slow_after = 4s;
  own.window = 30s;
  own.volume_threshold = 8;
  own.reset_time = 3s;
  own.reset_max = 10s;
  own.trial_calls = 5;
  own.trial_timeout = found[1].trial_timeout;
  EXPECT_EQ(found[1], own);
}

TEST(retry_settings, reach_the_retries) {
  const auto whole = config::parse(R"(polypool:
  retry_attempts: 7
  query_retry_delay: 30ms
  retry_max_delay: 4s
  connections:
    a: {type: sqlite, filepath: a.db}
    b: {type: sqlite, filepath: b.db, retry_attempts: 2}
)");
  const auto first = retry_options_of(config::limits_of(whole, whole.connections[0]));
  EXPECT_EQ(first.attempts, 7U);
  EXPECT_EQ(first.delay, 30ms);
  EXPECT_EQ(first.max_delay, 4s);
  EXPECT_EQ(retry_options_of(config::limits_of(whole, whole.connections[1])).attempts, 2U);
  const auto untouched = retry_options_of(config::tuning());
  EXPECT_EQ(untouched.attempts, 3U);
  EXPECT_EQ(untouched.delay, 100ms);
}

}  // namespace
}  // namespace polypool::detail
