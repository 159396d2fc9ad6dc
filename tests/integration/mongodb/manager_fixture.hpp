// SPDX-License-Identifier: Apache-2.0
// A manager with one MongoDB connection, for tests of handles.
#pragma once

#include "fixture.hpp"

#include <polypool/config.hpp>
#include <polypool/manager.hpp>
#include <polypool/mongodb_database.hpp>

namespace polypool::test {

/// A manager whose connection `documents` goes there. @param sessions the most of them
inline std::unique_ptr<manager> make_mongodb_manager(const endpoint& where, std::uint32_t sessions = 4) {
  config::settings settings;
  config::connection one;
  one.name = "documents";
  one.type = config::database_type::mongodb;
  one.where = where;
  one.overrides.max_open_conns = sessions;
  one.overrides.max_idle_conns = sessions;
  settings.connections.push_back(std::move(one));
  manager_options options;
  options.drivers.push_back(mongodb::make_driver());
  return std::make_unique<manager>(std::move(settings), std::move(options));
}

/// Every test runs both the calls that block and, on an event loop, those that are tasks.
class mongodb_handles : public mongodb_test, public ::testing::WithParamInterface<way> {
 protected:
  mongodb_handles() : go_(GetParam()) {}
  void SetUp() override {
    mongodb_test::SetUp();
    if (!playground_) return;
    mgr_ = make_mongodb_manager(playground_->endpoint());
    db_.emplace(mgr_->mongodb("documents"));
  }
  void TearDown() override {
    db_.reset();
    mgr_.reset();
    mongodb_test::TearDown();
  }
  mongodb_collection articles() { return db_->collection("articles"); }
  runner go_;
  std::unique_ptr<manager> mgr_;
  std::optional<mongodb_database> db_;
};

}  // namespace polypool::test
