// SPDX-License-Identifier: Apache-2.0
// What the tests of the driver share.
#pragma once

#include "support/postgres_server.hpp"
#include "support/ways.hpp"

#include <polypool/postgres.hpp>
#include <polypool/task.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polypool::test {

using namespace std::chrono_literals;

/// A session with the tests' usual calls.
class client {
 public:
  client(runner& go, const endpoint& where);
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
  int backend() { return std::stoi(text("SELECT pg_backend_pid()")); }
  void close() { session_.reset(); }

 private:
  runner& go_;
  std::unique_ptr<sql_session> session_;
};

/// Opens a session that speaks SQL. Throws what the driver throws.
std::unique_ptr<sql_session> connect(runner& go, const endpoint& where);

class postgres_ways : public postgres_test, public ::testing::WithParamInterface<way> {
 protected:
  postgres_ways() : go_(GetParam()) {}
  client make_client() { return {go_, playground_->endpoint()}; }
  postgres_admin& admin() { return playground_->admin(); }
  /// What the server says this backend is doing, such as "active" or "idle".
  std::string state_of(int backend) {
    const auto rows = admin().execute("SELECT state FROM pg_stat_activity WHERE pid = " + std::to_string(backend));
    return rows.empty() ? "gone" : rows[0][0];
  }
  runner go_;
};

}  // namespace polypool::test
