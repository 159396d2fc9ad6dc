// SPDX-License-Identifier: Apache-2.0
// A manager over a real Redis.
#pragma once

#include "fixture.hpp"
#include "support/caught.hpp"
#include "support/log_capture.hpp"

#include <polypool/manager.hpp>

namespace polypool::test {

inline config::connection redis_connection(std::string name, endpoint where) {
  config::connection out;
  out.name = std::move(name);
  out.type = config::database_type::redis;
  out.where = std::move(where);
  out.critical = false;
  return out;
}

/// Makes managers with quick retries.
class redis_stack {
 public:
  redis_stack() {
    settings_.drain_timeout = 2s;
    settings_.force_timeout = 4s;
    settings_.defaults.retry_delay = 5ms;
    settings_.defaults.retry_max_delay = 20ms;
    settings_.defaults.health_check_interval = 0s;
  }
  manager& make(std::vector<config::connection> connections) {
    settings_.connections = std::move(connections);
    manager_ = std::make_unique<manager>(settings_, log::logger(log_));
    return *manager_;
  }
  std::shared_ptr<log_capture> log_ = std::make_shared<log_capture>();
  config::settings settings_;
  std::unique_ptr<manager> manager_;
};

/// A manager with the connection "cache" on the shared server; skipped, with the reason, without a server.
class redis_handle_test : public redis_test, public redis_stack {
 protected:
  void SetUp() override {
    redis_test::SetUp();
    if (playground_) make({redis_connection("cache", playground_->endpoint())});
  }
  void TearDown() override {
    manager_.reset();
    redis_test::TearDown();
  }
  redis_database db() { return manager_->redis("cache"); }
  int sessions() { return playground_->sessions(); }
};

}  // namespace polypool::test
