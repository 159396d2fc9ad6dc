// SPDX-License-Identifier: Apache-2.0
// Sessions over ODBC with the shared PostgreSQL server and with SQLite files, both ways.
#pragma once

#include "support/odbc_libraries.hpp"
#include "support/postgres_server.hpp"
#include "support/temporary_folder.hpp"
#include "support/ways.hpp"

#include <polypool/odbc.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace polypool::test {

using namespace std::chrono_literals;

/// A session over ODBC.
class odbc_client : public sql_client {
 public:
  odbc_client(runner& go, const endpoint& where) : sql_client(go, *odbc::make_driver(), where) {}
  int backend() { return std::stoi(text("SELECT pg_backend_pid()")); }
};

/// The endpoint of a PostgreSQL server, over psqlodbc.
inline endpoint over_psqlodbc(endpoint where) {
  where.options["Driver"] = odbc_library("psqlodbcw.so");
  return where;
}

class odbc_postgres_ways : public postgres_test, public ::testing::WithParamInterface<way> {
 protected:
  odbc_postgres_ways() : go_(GetParam()) {}
  void SetUp() override {
    if (const auto reason = why_no_library("psqlodbcw.so"); !reason.empty()) GTEST_SKIP() << reason;
    postgres_test::SetUp();
  }
  endpoint where() const { return over_psqlodbc(playground_->endpoint()); }
  odbc_client make_client() { return {go_, where()}; }
  postgres_admin& admin() { return playground_->admin(); }
  std::string state_of(int backend) {
    const auto rows = admin().execute("SELECT state FROM pg_stat_activity WHERE pid = " + std::to_string(backend));
    return rows.empty() ? "gone" : rows[0][0];
  }
  bool sleeps(int backend) {
    postgres_admin own(*shared_postgres::address());
    return wait_until([&] {
      return own.value("SELECT wait_event IS NOT DISTINCT FROM 'PgSleep' FROM pg_stat_activity WHERE pid = " +
                       std::to_string(backend)) == "t";
    });
  }
  runner go_;
};

class odbc_sqlite_ways : public ::testing::TestWithParam<way> {
 protected:
  odbc_sqlite_ways() : go_(GetParam()) {}
  void SetUp() override {
    if (const auto reason = why_no_library("libsqlite3odbc.so"); !reason.empty()) GTEST_SKIP() << reason;
  }
  endpoint where() const {
    endpoint out;
    out.database = folder_.file();
    out.options["Driver"] = odbc_library("libsqlite3odbc.so");
    return out;
  }
  odbc_client make_client() { return {go_, where()}; }
  temporary_folder folder_;
  runner go_;
};

}  // namespace polypool::test
