// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/caught.hpp"
#include "support/temporary_folder.hpp"

#include <polypool/sqlite.hpp>
#include <polypool/task.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <array>
#include <filesystem>
#include <functional>
#include <latch>
#include <memory>
#include <string>
#include <utility>

namespace polypool::sqlite {

/// A session with blocking calls.
class database {
 public:
  explicit database(endpoint where) : session_(run(make_driver()->connect(where))) {}
  explicit database(std::string path = ":memory:", std::map<std::string, std::string> options = {})
      : database(endpoint_of(std::move(path), std::move(options))) {}

  static endpoint endpoint_of(std::string path, std::map<std::string, std::string> options = {}) {
    endpoint where;
    where.filepath = std::move(path);
    where.options = std::move(options);
    return where;
  }

  sql_session& session() const { return dynamic_cast<sql_session&>(*session_); }
  sqlite3* handle() const { return static_cast<sqlite3*>(session_->native().pointer); }

  template <class... Args>
  result query(std::string_view text, Args&&... args) const {
    const std::array<value, sizeof...(Args)> parameters{value(std::forward<Args>(args))...};
    return run(session().execute(statement(text, parameters)));
  }
  result query_in(const environment& env, std::string_view text) const {
    return run(session().execute(statement(text)), env);
  }
  template <class T, class... Args>
  T get(std::string_view text, Args&&... args) const {
    return query(text, std::forward<Args>(args)...).front().template get<T>(0);
  }
  std::unique_ptr<cursor> open(std::string_view text) const { return run(session().open(statement(text))); }
  void script(std::string_view text) const { run(session().execute_script(text)); }
  void reset() const { run(session().reset()); }
  void close() { session_.reset(); }

 private:
  std::unique_ptr<polypool::session> session_;
};

using test::temporary_folder;

using test::caught;

/// Real time; tells how often it was asked, so that a test knows that a wait is under way.
class watched_clock final : public clock {
 public:
  explicit watched_clock(int looks) : looks_(looks) {}
  time_point now() const noexcept override {
    if (--looks_ == 0) under_way.count_down();
    return clock::system().now();
  }
  mutable std::latch under_way{1};

 private:
  mutable int looks_;
};

inline environment until(duration span) {
  environment env;
  env.deadline = env.time->now() + span;
  return env;
}

/// A statement that would count for hours.
inline constexpr std::string_view endless =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

}  // namespace polypool::sqlite
