// SPDX-License-Identifier: Apache-2.0
// Tests of drivers run twice: their tasks block a thread, or are spawned on an Asio event loop.
#pragma once

#include <polypool/error.hpp>
#include <polypool/task.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace polypool::test {

/// An event loop of its own that runs tasks to their end.
class task_loop {
 public:
  task_loop();
  ~task_loop();
  void run(task<void> work);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

enum class way { blocking, event_loop };
std::string name_of(const ::testing::TestParamInfo<way>& info);

/// Runs tasks one way or the other.
class runner {
 public:
  explicit runner(way how) {
    if (how == way::event_loop) loop_.emplace();
  }
  template <class T>
  T operator()(task<T> work) {
    if (!loop_) return run(std::move(work));
    if constexpr (std::is_void_v<T>) {
      loop_->run(std::move(work));
    } else {
      std::optional<T> out;
      loop_->run(keep(std::move(work), out));
      return std::move(*out);
    }
  }

 private:
  template <class T>
  static task<void> keep(task<T> work, std::optional<T>& out) {
    out.emplace(co_await std::move(work));
  }
  std::optional<task_loop> loop_;
};

/// What a task throws; fails the test when it throws nothing.
template <class T>
error failure_of(runner& go, task<T> work) {
  try {
    go(std::move(work));
  } catch (const error& problem) {
    return problem;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {errc::internal_error, "nothing was thrown"};
}

#define POLYPOOL_BOTH_WAYS(fixture)                                                                         \
  INSTANTIATE_TEST_SUITE_P(                                                                                 \
      ways, fixture, ::testing::Values(::polypool::test::way::blocking, ::polypool::test::way::event_loop), \
      [](const ::testing::TestParamInfo<::polypool::test::way>& info) { return ::polypool::test::name_of(info); })

}  // namespace polypool::test
