// SPDX-License-Identifier: Apache-2.0
// Sessions with SQL Server over ODBC: the test server that speaks TDS, and FreeTDS.
#pragma once

#include "support/odbc_libraries.hpp"
#include "support/process.hpp"
#include "support/tds_server.hpp"
#include "support/ways.hpp"

#include <polypool/odbc.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace polypool::test {

using namespace std::chrono_literals;

/// A session with SQL Server.
class mssql_client : public sql_client {
 public:
  mssql_client(runner& go, const endpoint& where) : sql_client(go, *odbc::make_mssql_driver(), where) {}
};

class mssql_ways : public ::testing::TestWithParam<way> {
 protected:
  mssql_ways() : go_(GetParam()) {}
  void SetUp() override {
    if (const auto reason = why_no_library("libtdsodbc.so"); !reason.empty()) GTEST_SKIP() << reason;
    server_ = std::make_unique<tds_server>();
  }
  endpoint where() const {
    auto out = server_->endpoint();
    out.options["Driver"] = odbc_library("libtdsodbc.so");
    return out;
  }
  mssql_client make_client() { return {go_, where()}; }
  std::unique_ptr<tds_server> server_;
  runner go_;
};

}  // namespace polypool::test
