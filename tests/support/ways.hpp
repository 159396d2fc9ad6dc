// SPDX-License-Identifier: Apache-2.0
// Every test of a driver runs twice: its tasks block a thread, or are spawned on an Asio event loop.
#pragma once

#include <polypool/driver.hpp>
#include <polypool/error.hpp>
#include <polypool/task.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

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
std::string_view to_string(way how) noexcept;

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

/// Opens a session that speaks SQL. Throws what the driver throws.
std::unique_ptr<sql_session> connect(runner& go, driver& with, const endpoint& where);

/// A session with the tests' usual calls.
class sql_client {
 public:
  sql_client(runner& go, driver& with, const endpoint& where) : go_(go), session_(connect(go, with, where)) {}
  sql_session& session() { return *session_; }
  sql_session* operator->() { return session_.get(); }

  template <class... Values>
  result query(std::string_view text, Values&&... values) {
    const std::vector<value> all{value(std::forward<Values>(values))...};
    return go_(session_->execute(statement(text, all)));
  }
  template <class... Values>
  error failure(std::string_view text, Values&&... values) {
    const std::vector<value> all{value(std::forward<Values>(values))...};
    return failure_of(go_, session_->execute(statement(text, all)));
  }
  /// The first value of the first row as text for people.
  template <class... Values>
  std::string text(std::string_view sql, Values&&... values) {
    return query(sql, std::forward<Values>(values)...).front()[0].to_display();
  }
  /// Not started yet.
  task<result> executing(std::string_view text) { return session_->execute(statement(text)); }
  task<std::unique_ptr<cursor>> opening(std::string_view text) { return session_->open(statement(text)); }
  void script(std::string_view text) { go_(session_->execute_script(text)); }
  std::unique_ptr<cursor> open(std::string_view text, std::vector<value> values = {}) {
    return go_(session_->open(statement(text, values)));
  }
  void reset() { go_(session_->reset()); }
  void close() { session_.reset(); }

 private:
  runner& go_;
  std::unique_ptr<sql_session> session_;
};

#define POLYPOOL_BOTH_WAYS(fixture)                                                                               \
  INSTANTIATE_TEST_SUITE_P(ways, fixture,                                                                         \
                           ::testing::Values(::polypool::test::way::blocking, ::polypool::test::way::event_loop), \
                           [](const ::testing::TestParamInfo<::polypool::test::way>& info) {                      \
                             return std::string(::polypool::test::to_string(info.param));                         \
                           })

}  // namespace polypool::test
