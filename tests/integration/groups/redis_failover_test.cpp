// SPDX-License-Identifier: Apache-2.0
// A failover group whose members are Redis servers without a sentinel: somebody else promotes them.
#include "support/redis_server.hpp"

#include <polypool/polypool.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <thread>
#include <vector>

namespace polypool::test {
namespace {

using namespace std::chrono_literals;
using role_type = server_info::role_type;
using ::testing::HasSubstr;

class RedisFailover : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = private_redis::why_not(); !why.empty()) GTEST_SKIP() << why;
    first_.emplace();
    second_.emplace(redis_lines{{"replicaof", "127.0.0.1 " + port_of(*first_)}});
    ASSERT_TRUE(wait_until([&] { return says(*second_, {"INFO", "replication"}).contains("master_link_status:up"); }));
    config::settings all;
    all.defaults.retry_attempts = 1;
    all.defaults.connect_timeout = 5s;
    all.defaults.circuit_breaker = false;  // what is tested is the group
    all.defaults.max_open_conns = 1;
    all.connections.push_back(config::connection_from_url("first", first_->address().url()));
    all.connections.push_back(config::connection_from_url("second", second_->address().url()));
    config::group cache;
    cache.name = "cache";
    cache.primary = "first";
    cache.replicas.push_back({"second"});
    cache.role_check_interval = 100ms;
    cache.unreachable_after = 1;
    all.groups.push_back(std::move(cache));
    manager_.emplace(std::move(all));
    manager_->connect();
  }
  static std::string port_of(const private_redis& which) { return std::to_string(which.address().port); }
  static std::string says(const private_redis& which, const std::vector<std::string>& command) {
    return redis_admin(which.address())(command);
  }
  void follow(const private_redis& which, const private_redis& primary) {
    says(which, {"REPLICAOF", "127.0.0.1", port_of(primary)});
  }
  void promote(const private_redis& which) { says(which, {"REPLICAOF", "NO", "ONE"}); }
  redis_database cache() { return manager_->redis("cache"); }
  group_status status() { return manager_->group("cache").refresh(); }
  bool becomes(const std::string& primary) {
    return wait_until([&] { return status().primary == primary; });
  }
  std::uint32_t waiting(const char* name) { return manager_->get_redis(name).statistics().pool.waiting; }

  std::optional<private_redis> first_, second_;
  std::optional<manager> manager_;
};

// Whoever waits for a session of a server that is demoted meanwhile gets one of the new primary.
TEST_F(RedisFailover, WhoWaitedForASessionGoesWhereWritesGoNow) {
  auto held = cache().lease();
  std::jthread leases([&] {
    const lease taken = cache().lease();
    EXPECT_EQ(run(taken.key_value().execute(redis_command("SET", "lease", "1"))).text(), "OK");
  });
  std::jthread watches([&] {
    auto tx = cache().watch("watched");
    tx.add(redis_calls::set("watched", 1));
    EXPECT_TRUE(tx.commit());
  });
  std::jthread any([&] {
    const lease taken = manager_->get_redis("cache").lease();
    EXPECT_EQ(run(taken.key_value().execute(redis_command("SET", "any", "1"))).text(), "OK");
  });
  ASSERT_TRUE(wait_until([&] { return waiting("first") >= 4; })) << "these three, and whoever looks at the members";
  promote(*second_);
  follow(*first_, *second_);
  // Nobody can ask the first one as long as its only session is held.
  EXPECT_EQ(manager_->group("cache").fail_over("second").primary, "second");
  held.release();
  for (auto* each : {&leases, &watches, &any}) each->join();
  for (const char* key : {"lease", "watched", "any"}) EXPECT_EQ(says(*second_, {"EXISTS", key}), "1") << key;
}

// The old primary is back and still says that it is one. Nobody but the operator knows which one is right, so that is
// said everywhere where he may look.
TEST_F(RedisFailover, TwoPrimariesAreRefusedUntilSomebodySaysWhichOneIsRight) {
  std::mutex mutex;
  std::vector<std::string> told;
  const auto listening = manager_->events().subscribe([&](const connection_event& what) {
    const std::scoped_lock lock(mutex);
    if (what.kind == event_kind::failover && what.connection == "cache") told.push_back(what.detail);
  });
  cache().set("a", 1);
  first_->kill();
  promote(*second_);
  ASSERT_TRUE(becomes("second")) << status().detail;
  cache().set("a", 2);
  first_->start();
  ASSERT_TRUE(wait_until([&] { return status().several_primaries; }));
  try {
    cache().set("a", 3);
    ADD_FAILURE() << "it was written to one of two primaries";
  } catch (const error& e) {
    EXPECT_EQ(e.portable_code(), errc::no_primary);
    EXPECT_THAT(e.what(), HasSubstr("'first' and 'second' say they are the primary"));
    EXPECT_THAT(e.hint(), HasSubstr("polypool failover cache --to"));
  }
  const auto health = manager_->get_redis("cache").health_check();
  EXPECT_EQ(health.status, health_status::unhealthy);
  EXPECT_THAT(health.detail, HasSubstr("say by hand which one is right"));
  EXPECT_TRUE(wait_until([&] {
    const std::scoped_lock lock(mutex);
    return !told.empty() && told.back().contains("say by hand which one is right");
  }));

  EXPECT_EQ(manager_->group("cache").fail_over("second").primary, "second");
  cache().set("a", 4);
  EXPECT_EQ(says(*second_, {"GET", "a"}), "4");
  // A restart of the one that was set aside does not bring it back as long as it was no replica.
  first_->restart();
  ASSERT_TRUE(wait_until([&] { return status().members[0].reachable == true; }));
  EXPECT_EQ(status().primary, "second");
  follow(*first_, *second_);
  ASSERT_TRUE(wait_until([&] { return status().members[0].observed == role_type::replica; }));
  EXPECT_EQ(status().primary, "second");
}

}  // namespace
}  // namespace polypool::test
