// SPDX-License-Identifier: Apache-2.0
// Sessions with SQL Server over ODBC: the test server that speaks TDS, and FreeTDS.
#pragma once

#include "support/postgres_server.hpp"
#include "support/tds_server.hpp"
#include "support/ways.hpp"

#include <polypool/odbc.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

namespace polypool::test {

using namespace std::chrono_literals;

inline constexpr const char* freetds_library = "/usr/lib/x86_64-linux-gnu/odbc/libtdsodbc.so";

/// A session with SQL Server.
class mssql_client : public sql_client {
 public:
  mssql_client(runner& go, const endpoint& where) : sql_client(go, *odbc::make_mssql_driver(), where) {}
};

class mssql_ways : public ::testing::TestWithParam<way> {
 protected:
  mssql_ways() : go_(GetParam()) {}
  void SetUp() override {
    if (!std::filesystem::exists(freetds_library)) GTEST_SKIP() << "FreeTDS (package tdsodbc) is not installed";
    server_ = std::make_unique<tds_server>();
  }
  endpoint where() const {
    auto out = server_->endpoint();
    out.options["Driver"] = freetds_library;
    return out;
  }
  mssql_client make_client() { return {go_, where()}; }
  std::unique_ptr<tds_server> server_;
  runner go_;
};

}  // namespace polypool::test
