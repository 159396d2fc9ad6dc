// SPDX-License-Identifier: Apache-2.0
#include "driver/sqlstate.hpp"

#include <polypool/retry.hpp>

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace polypool {
namespace {

using namespace std::chrono_literals;

error failing(errc code, disposition what) { return error(code, "x").with_disposition(what); }

TEST(retry, follows_the_disposition) {
  const retry_situation first;
  EXPECT_TRUE(may_retry(failing(errc::serialization_failure, disposition::retryable), first));
  EXPECT_TRUE(may_retry(failing(errc::read_only, disposition::retryable_elsewhere), first));
  EXPECT_FALSE(may_retry(failing(errc::unique_violation, disposition::permanent), first));
}

TEST(retry, never_in_a_transaction) {
  retry_situation inside;
  inside.in_transaction = inside.idempotent = true;
  EXPECT_FALSE(may_retry(failing(errc::serialization_failure, disposition::retryable), inside));
}

TEST(retry, in_doubt_only_what_is_idempotent) {
  const auto doubt = failing(errc::connection_lost, disposition::in_doubt);
  retry_situation situation;
  EXPECT_FALSE(may_retry(doubt, situation));
  situation.idempotent = true;
  EXPECT_TRUE(may_retry(doubt, situation));
}

// What servers say in SQLSTATEs. In 08 and 57P the statement may have happened.
TEST(retry, sqlstates_that_are_worth_another_attempt) {
  const auto said = [](std::string_view sqlstate) { return error(code_of_sqlstate(sqlstate), "x"); };
  retry_situation plain, idempotent, inside;
  idempotent.idempotent = inside.idempotent = inside.in_transaction = true;
  for (const auto* undone : {"40001", "40P01", "53300"}) {
    EXPECT_TRUE(may_retry(said(undone), plain)) << undone;
    EXPECT_FALSE(may_retry(said(undone), inside)) << undone;
  }
  for (const auto* unknown : {"08000", "08001", "08003", "08004", "08006", "08007", "57P01", "57P02"}) {
    EXPECT_FALSE(may_retry(said(unknown), plain)) << unknown;
    EXPECT_TRUE(may_retry(said(unknown), idempotent)) << unknown;
    EXPECT_FALSE(may_retry(said(unknown), inside)) << unknown;
  }
  EXPECT_EQ(code_of_sqlstate("57P03"), errc::connect_failed) << "said to who connects, and pools try that again";
  for (const auto* permanent : {"23505", "42601", "28P01", "22003", "25P02"}) {
    EXPECT_FALSE(may_retry(said(permanent), idempotent)) << permanent;
  }
}

TEST(retry, not_what_waited_or_was_tried_again_already) {
  retry_situation situation;
  situation.idempotent = true;
  for (const auto code : {errc::pool_timeout, errc::pool_queue_full, errc::circuit_open, errc::deadline_exceeded,
                          errc::cancelled, errc::shutting_down, errc::connect_failed, errc::rate_limited}) {
    EXPECT_FALSE(may_retry(failing(code, disposition::retryable), situation)) << to_string(code);
  }
}

TEST(retry, delays_double_up_to_the_limit_and_are_spread_over_all_of_it) {
  retry_options options;
  options.delay = 100ms;
  options.max_delay = 1s;
  EXPECT_EQ(retry_delay(options, 1, 0.0), 0ms);
  EXPECT_EQ(retry_delay(options, 1, 0.5), 50ms);
  EXPECT_EQ(retry_delay(options, 3, 0.5), 200ms);
  EXPECT_EQ(retry_delay(options, 60, 0.5), 500ms);
}

TEST(retry, a_budget_runs_out_and_is_filled_by_successes) {
  retry_budget budget;
  const error broken(errc::connection_lost, "x");
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(budget.take(broken));
  EXPECT_FALSE(budget.take(broken));
  for (int i = 0; i < 4; ++i) budget.give_back();
  EXPECT_FALSE(budget.take(broken));
  budget.give_back();
  EXPECT_TRUE(budget.take(broken));
  for (int i = 0; i < 2000; ++i) budget.give_back();
  EXPECT_EQ(budget.left(), retry_budget::capacity);
  EXPECT_TRUE(budget.take(error(errc::lock_timeout, "x")));
  EXPECT_EQ(budget.left(), retry_budget::capacity - retry_budget::timeout_cost);
}

TEST(retry, a_budget_shared_by_threads_never_goes_below_zero) {
  retry_budget budget;
  const error broken(errc::connection_lost, "x");
  std::atomic<int> taken = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) taken += budget.take(broken);
      });
    }
  }
  EXPECT_EQ(taken, 100);
  EXPECT_EQ(budget.left(), 0);
}

}  // namespace
}  // namespace polypool
