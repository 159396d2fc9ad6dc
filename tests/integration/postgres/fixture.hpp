// SPDX-License-Identifier: Apache-2.0
// Sessions with the shared PostgreSQL server, both ways.
#pragma once

#include "support/postgres_server.hpp"
#include "support/ways.hpp"

#include <polypool/postgres.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace polypool::test {

using namespace std::chrono_literals;

/// A session with PostgreSQL.
class client : public sql_client {
 public:
  client(runner& go, const endpoint& where) : sql_client(go, *postgres::make_driver(), where) {}
  int backend() { return std::stoi(text("SELECT pg_backend_pid()")); }
};

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
