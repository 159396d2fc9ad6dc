// SPDX-License-Identifier: Apache-2.0
// A manager with the real drivers.
#pragma once

#include "support/log_capture.hpp"
#include "support/postgres_server.hpp"
#include "support/temporary_folder.hpp"

#include <polypool/manager.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <concepts>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polypool::test {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

inline config::connection postgres_connection(std::string name, endpoint where) {
  config::connection out;
  out.name = std::move(name);
  out.type = config::database_type::postgres;
  out.where = std::move(where);
  out.enable_logging = true;
  out.critical = false;
  return out;
}

inline config::connection sqlite_connection(std::string name, std::string file) {
  config::connection out;
  out.name = std::move(name);
  out.type = config::database_type::sqlite;
  out.where.filepath = std::move(file);
  out.enable_logging = true;
  out.critical = false;
  return out;
}

/// What a call throws; fails the test when it throws nothing.
template <std::invocable Work>
error error_of(Work&& work) {
  try {
    std::forward<Work>(work)();
  } catch (const error& problem) {
    return problem;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {errc::internal_error, "nothing was thrown"};
}

class stopwatch {
 public:
  duration elapsed() const { return std::chrono::steady_clock::now() - started_; }

 private:
  time_point started_ = std::chrono::steady_clock::now();
};

/// A manager over the shared PostgreSQL and SQLite files; skipped, with the reason, without a server.
class manager_test : public postgres_test {
 protected:
  void SetUp() override {
    postgres_test::SetUp();
    settings_.drain_timeout = 2s;
    settings_.force_timeout = 4s;
    settings_.defaults.retry_delay = 5ms;
    settings_.defaults.retry_max_delay = 20ms;
    settings_.defaults.health_check_interval = 0s;
  }
  void TearDown() override {
    manager_.reset();
    postgres_test::TearDown();
  }
  config::connection postgres(std::string name = "pg") {
    return postgres_connection(std::move(name), playground_->endpoint());
  }
  config::connection sqlite(std::string name = "lite") { return sqlite_connection(name, folder_.file(name + ".db")); }
  manager& make(std::vector<config::connection> connections) {
    settings_.connections = std::move(connections);
    manager_ = std::make_unique<manager>(settings_, log::logger(log_));
    return *manager_;
  }
  postgres_admin& admin() { return playground_->admin(); }
  int sessions() { return playground_->sessions(); }
  bool sessions_become(int wanted) { return playground_->sessions_become(wanted); }
  /// How many statements run on the server now.
  int running() {
    return std::stoi(
        admin().value("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND "
                      "application_name = '" +
                      playground_->name() + "'"));
  }

  temporary_folder folder_;
  std::shared_ptr<log_capture> log_ = std::make_shared<log_capture>();
  config::settings settings_;
  std::unique_ptr<manager> manager_;
};

}  // namespace polypool::test
