// SPDX-License-Identifier: Apache-2.0
// Sessions with the shared MySQL or MariaDB server, both ways.
#pragma once

#include "support/mysql_server.hpp"
#include "support/ways.hpp"

#include <polypool/mysql.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace polypool::test {

using namespace std::chrono_literals;

/// A session with MySQL.
class client : public sql_client {
 public:
  client(runner& go, const endpoint& where) : sql_client(go, *mysql::make_driver(), where) {}
  int id() { return std::stoi(text("SELECT CONNECTION_ID()")); }
};

class mysql_ways : public mysql_test, public ::testing::WithParamInterface<way> {
 protected:
  mysql_ways() : go_(GetParam()) {}
  client make_client() { return {go_, playground_->endpoint()}; }
  mysql_admin& admin() { return playground_->admin(); }
  std::string table(std::string_view name) { return playground_->name() + "." + std::string(name); }
  /// What the server says this session is doing, such as "Query" or "Sleep".
  std::string state_of(int id) {
    for (const auto& row : admin().execute("SHOW FULL PROCESSLIST")) {
      if (row[0] == std::to_string(id)) return row[4];
    }
    return "gone";
  }
  runner go_;
};

}  // namespace polypool::test
