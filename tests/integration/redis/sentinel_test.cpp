// SPDX-License-Identifier: Apache-2.0
// A primary with a replica, watched by a real sentinel.
#include "stack.hpp"

namespace polypool::test {
namespace {

class redis_sentinel : public ::testing::Test, public redis_stack {
 protected:
  void SetUp() override {
    if (const auto reason = private_redis::why_not(); !reason.empty()) GTEST_SKIP() << reason;
    primary_ = std::make_unique<private_redis>();
    const std::string port = std::to_string(primary_->address().port);
    replica_ = std::make_unique<private_redis>(redis_lines{{"replicaof", "127.0.0.1 " + port}});
    sentinel_ = std::make_unique<private_redis>(redis_lines{{"sentinel", "monitor mine 127.0.0.1 " + port + " 1"},
                                                            {"sentinel", "down-after-milliseconds mine 300"},
                                                            {"sentinel", "failover-timeout mine 2000"}},
                                                "redis-sentinel");
  }
  endpoint where() const {
    endpoint out;
    out.host = "127.0.0.1:" + std::to_string(free_port()) + ",127.0.0.1:" + std::to_string(sentinel_->address().port);
    out.options["sentinel"] = "mine";
    return out;
  }
  // The sentinel has to know the replica before it can be promoted.
  bool ready() {
    return wait_until([&] {
      redis_admin ask(sentinel_->address());
      const auto said = ask({"SENTINEL", "replicas", "mine"});
      return said.find("master-link-status ok") != std::string::npos;
    });
  }
  std::unique_ptr<private_redis> primary_, replica_, sentinel_;
};

int port_of(redis_database& db) {
  const std::string info = db.info("server");
  const auto at = info.find("tcp_port:");
  return std::stoi(info.substr(at + 9));
}

// The first of the two sentinels does not run.
TEST_F(redis_sentinel, finds_the_primary_and_follows_a_failover) {
  make({redis_connection("cache", where())});
  auto cache = manager_->redis("cache");
  cache.set("a", 1);
  EXPECT_EQ(port_of(cache), primary_->address().port);
  ASSERT_TRUE(ready());
  EXPECT_TRUE(wait_until([&] { return redis_admin(replica_->address())({"GET", "a"}) == "1"; }));
  primary_->kill();
  EXPECT_TRUE(wait_until([&] {
    try {
      cache.set("a", 2);
      return true;
    } catch (const error&) {
      return false;
    }
  }));
  EXPECT_EQ(port_of(cache), replica_->address().port);
  EXPECT_EQ(cache.get("a"), "2");
}

// A demoted primary's sessions are not used again, though they work.
TEST_F(redis_sentinel, leaves_a_primary_that_was_demoted) {
  make({redis_connection("cache", where())});
  auto cache = manager_->redis("cache");
  cache.set("a", 1);
  ASSERT_TRUE(ready());
  redis_admin ask(sentinel_->address());
  EXPECT_TRUE(wait_until([&] {
    try {
      return ask({"SENTINEL", "failover", "mine"}) == "OK";
    } catch (const std::exception&) {
      return false;  // not yet
    }
  }));
  const std::string promoted = std::to_string(replica_->address().port);
  EXPECT_TRUE(
      wait_until([&] { return ask({"SENTINEL", "get-master-addr-by-name", "mine"}) == "127.0.0.1 " + promoted; }));
  // What the sentinel does as well, some seconds later.
  redis_admin(primary_->address())({"REPLICAOF", "127.0.0.1", promoted});
  EXPECT_TRUE(wait_until([&] {
    try {
      cache.set("a", 2);
      return port_of(cache) == replica_->address().port;
    } catch (const error&) {
      return false;
    }
  }));
}

TEST_F(redis_sentinel, says_what_is_wrong) {
  auto wrong = where();
  wrong.options["sentinel"] = "other";
  wrong.connect_timeout = 5s;
  const auto unknown = caught([&] { run(redis::make_driver()->connect(wrong)); });
  EXPECT_EQ(unknown.portable_code(), errc::connect_failed);
  EXPECT_THAT(unknown.what(), HasSubstr("knows no primary 'other'"));
  EXPECT_THAT(unknown.what(), HasSubstr("refused"));
}

}  // namespace
}  // namespace polypool::test
