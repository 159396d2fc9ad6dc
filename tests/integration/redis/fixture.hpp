// SPDX-License-Identifier: Apache-2.0
// Every test of the driver runs twice: its tasks block a thread, or are spawned on an Asio event loop.
#pragma once

#include "support/redis_server.hpp"
#include "support/ways.hpp"

#include <polypool/key_value.hpp>
#include <polypool/redis.hpp>
#include <polypool/redis_cast.hpp>

#include <gmock/gmock.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polypool::test {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

/// Opens a session. Throws what the driver throws.
std::unique_ptr<key_value_session> connect(runner& go, const endpoint& where);

/// A session with the tests' usual calls.
class redis_client {
 public:
  redis_client(runner& go, const endpoint& where) : go_(go), session_(connect(go, where)) {}
  key_value_session& session() { return *session_; }
  key_value_session* operator->() { return session_.get(); }

  template <class... Words>
  redis_reply run(std::string_view name, const Words&... words) {
    const redis_command what(name, words...);
    return go_(session_->execute(what));
  }
  /// The reply as text for people.
  template <class... Words>
  std::string shown(std::string_view name, const Words&... words) {
    return run(name, words...).to_display();
  }
  template <class... Words>
  error failure(std::string_view name, const Words&... words) {
    const redis_command what(name, words...);
    return failure_of(go_, session_->execute(what));
  }
  std::vector<redis_reply> run_all(const redis_batch& what) { return go_(session_->pipeline(what)); }
  void reset() { go_(session_->reset()); }
  void close() { session_.reset(); }

 private:
  runner& go_;
  std::unique_ptr<key_value_session> session_;
};

class redis_ways : public redis_test, public ::testing::WithParamInterface<way> {
 protected:
  redis_ways() : go_(GetParam()) {}
  redis_client make_client() { return {go_, playground_->endpoint()}; }
  error connect_failure(const endpoint& where) { return failure_of(go_, redis::make_driver()->connect(where)); }
  runner go_;
};

/// The same with servers of its own; skipped, with the reason, where none can be started.
class redis_private_ways : public ::testing::Test, public ::testing::WithParamInterface<way> {
 protected:
  redis_private_ways() : go_(GetParam()) {}
  void SetUp() override {
    if (const auto reason = private_redis::why_not(); !reason.empty()) GTEST_SKIP() << reason;
  }
  redis_client make_client(const redis_address& where) { return {go_, where.to_endpoint("test")}; }
  error connect_failure(const endpoint& where) { return failure_of(go_, redis::make_driver()->connect(where)); }
  runner go_;
};

}  // namespace polypool::test
