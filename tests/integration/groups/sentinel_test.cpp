// SPDX-License-Identifier: Apache-2.0
// Groups and sentinels: members that are the servers behind a sentinel, and members that are what a sentinel names.
#include "support/redis_server.hpp"

#include <polypool/polypool.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace polypool::test {
namespace {

using namespace std::chrono_literals;
using role_type = server_info::role_type;

/// A primary with a replica, which a sentinel watches, and a server that has nothing to do with them.
class SentinelGroup : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = private_redis::why_not(); !why.empty()) GTEST_SKIP() << why;
    first_.emplace();
    const auto port = std::to_string(first_->address().port);
    second_.emplace(redis_lines{{"replicaof", "127.0.0.1 " + port}});
    spare_.emplace();
    sentinel_.emplace(redis_lines{{"sentinel", "monitor mine 127.0.0.1 " + port + " 1"},
                                  {"sentinel", "down-after-milliseconds mine 300"},
                                  {"sentinel", "failover-timeout mine 2000"}},
                      "redis-sentinel");
    // It has to know the replica before it can promote it.
    ASSERT_TRUE(wait_until([&] {
      return redis_admin(sentinel_->address())({"SENTINEL", "replicas", "mine"}).contains("master-link-status ok");
    }));
  }
  void start(config::group cache) {
    config::settings all;
    all.defaults.retry_attempts = 1;
    all.defaults.connect_timeout = 5s;
    all.defaults.circuit_breaker = false;  // what is tested is the group
    add(all, "first", first_->address().url());
    add(all, "second", second_->address().url());
    add(all, "spare", spare_->address().url());
    add(all, "behind", "sentinel://127.0.0.1:" + std::to_string(sentinel_->address().port) + "/mine/0");
    cache.name = "cache";
    cache.role_check_interval = 200ms;
    cache.settle_time = 100ms;
    cache.slow_start = 0s;
    cache.unreachable_after = 1;
    all.groups.push_back(std::move(cache));
    manager_.emplace(std::move(all));
    manager_->connect();
  }
  static void add(config::settings& all, const std::string& name, const std::string& url) {
    all.connections.push_back(config::connection_from_url(name, url));
  }
  group_status status() { return manager_->group("cache").status(); }
  bool primary_becomes(const std::string& name) {
    return wait_until([&] { return status().primary == name; });
  }
  int port_of(redis_database db) {
    const std::string info = db.info("server");
    return std::stoi(info.substr(info.find("tcp_port:") + 9));
  }
  /// On which servers ten calls arrive; those that fail are left out.
  std::set<int> ports_now() {
    std::set<int> out;
    for (int i = 0; i < 10; ++i) {
      try {
        out.insert(port_of(manager_->redis("cache")));
      } catch (const error&) {
        continue;
      }
    }
    return out;
  }
  static std::string value(const private_redis& where, const std::string& key) {
    return redis_admin(where.address())({"GET", key});
  }

  std::optional<private_redis> first_, second_, spare_, sentinel_;
  std::optional<manager> manager_;
};

TEST_F(SentinelGroup, FollowsWhatTheSentinelPromotes) {
  config::group servers;
  servers.primary = "first";
  servers.replicas.push_back({"second"});
  start(std::move(servers));
  auto cache = manager_->redis("cache");
  cache.set("before", "1");
  ASSERT_TRUE(wait_until([&] { return value(*second_, "before") == "1"; }));
  EXPECT_EQ(port_of(cache), first_->address().port);

  std::atomic<bool> done{false};
  std::mutex mutex;
  std::vector<std::string> written, wrong;
  std::jthread writer([&] {
    for (int i = 0; !done; ++i) {
      const auto key = "key " + std::to_string(i);
      try {
        cache.set(key, "1");
        const std::scoped_lock lock(mutex);
        written.push_back(key);
      } catch (const error& e) {
        const std::scoped_lock lock(mutex);
        if (e.portable_code() == errc::read_only) wrong.emplace_back(e.what());
        std::this_thread::yield();
      }
    }
  });
  const auto more_is_written = [&] {
    std::size_t before = 0;
    {
      const std::scoped_lock lock(mutex);
      before = written.size();
    }
    return wait_until([&] {
      const std::scoped_lock lock(mutex);
      return written.size() >= before + 20;
    });
  };
  EXPECT_TRUE(more_is_written());
  first_->kill();
  ASSERT_TRUE(primary_becomes("second")) << status().detail;
  {
    const std::scoped_lock lock(mutex);
    written.clear();  // Redis may lose what it has acknowledged just before its end
  }
  EXPECT_TRUE(more_is_written());

  // Back again, it believes to be the primary still until the sentinel tells it, which takes ten seconds.
  first_->start();
  ASSERT_TRUE(
      wait_until([&] { return status().several_primaries || status().members[0].observed == role_type::replica; }));
  redis_admin(first_->address())({"REPLICAOF", "127.0.0.1", std::to_string(second_->address().port)});
  ASSERT_TRUE(wait_until([&] { return status().members[0].observed == role_type::replica; }));
  EXPECT_TRUE(primary_becomes("second")) << status().detail;
  EXPECT_TRUE(more_is_written());
  done = true;
  writer.join();
  EXPECT_TRUE(wrong.empty()) << wrong.front();
  int lost = 0;
  for (const auto& key : written) lost += value(*second_, key) == "1" ? 0 : 1;
  EXPECT_EQ(lost, 0) << "of " << written.size() << " that were written since the promotion";
  EXPECT_EQ(value(*second_, "before"), "1");
  EXPECT_EQ(status().failovers, 1U);
}

TEST_F(SentinelGroup, OneThatASentinelNamesIsAMemberAmongEquals) {
  config::group equals;
  equals.type = config::group_type::balance;
  equals.members.push_back({"behind"});
  equals.members.push_back({"spare"});
  start(std::move(equals));
  EXPECT_EQ(ports_now(), (std::set<int>{first_->address().port, spare_->address().port}));
  EXPECT_EQ(status().members[0].observed, role_type::primary);
  first_->kill();
  // The others get its calls meanwhile, and then it is another server.
  EXPECT_TRUE(
      wait_until([&] { return ports_now() == std::set<int>{second_->address().port, spare_->address().port}; }));
  EXPECT_TRUE(wait_until([&] { return status().members[0].reachable == true; }));
  manager_->redis("behind").set("after", "1");
  EXPECT_EQ(value(*second_, "after"), "1");
}

TEST_F(SentinelGroup, OneThatASentinelNamesHasAStandIn) {
  config::group guarded;
  guarded.primary = "behind";
  guarded.backups.push_back({"spare"});
  guarded.two_primaries = config::several_primaries::in_order;  // the spare one is a primary, too
  start(std::move(guarded));
  auto cache = manager_->redis("cache");
  EXPECT_EQ(port_of(cache), first_->address().port);
  second_->kill();  // nothing is left that the sentinel could promote
  first_->kill();
  ASSERT_TRUE(primary_becomes("spare")) << status().detail;
  cache.set("meanwhile", "1");
  EXPECT_EQ(value(*spare_, "meanwhile"), "1");
  first_->start();
  ASSERT_TRUE(primary_becomes("behind")) << status().detail;
  EXPECT_EQ(port_of(cache), first_->address().port);
}

}  // namespace
}  // namespace polypool::test
