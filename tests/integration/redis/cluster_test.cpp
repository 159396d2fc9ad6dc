// SPDX-License-Identifier: Apache-2.0
// A real cluster of three primaries: keys that live apart, slots that move, nodes that go.
#include "drivers/redis/cluster_map.hpp"
#include "stack.hpp"

#include <polypool/asio.hpp>

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <random>
#include <set>
#include <thread>

namespace polypool::test {
namespace {

/// Three primaries that share the slots.
class cluster_of_three {
 public:
  cluster_of_three() {
    for (int i = 0; i < 3; ++i) {
      nodes_.push_back(std::make_unique<private_redis>(redis_lines{
          {"cluster-enabled", "yes"}, {"cluster-node-timeout", "1000"}, {"cluster-require-full-coverage", "no"}}));
      admins_.push_back(std::make_unique<redis_admin>(nodes_.back()->address()));
    }
    const int bounds[] = {0, 5461, 10923, 16384};
    for (std::size_t i = 0; i < 3; ++i) {
      admin(i)({"CLUSTER", "ADDSLOTSRANGE", std::to_string(bounds[i]), std::to_string(bounds[i + 1] - 1)});
      admin(i)({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)});
    }
    for (std::size_t i = 1; i < 3; ++i) {
      admin(0)({"CLUSTER", "MEET", "127.0.0.1", std::to_string(port(i))});
    }
    ready_ = wait_until([&] {
      for (std::size_t i = 0; i < 3; ++i) {
        const auto info = admin(i)({"CLUSTER", "INFO"});
        if (info.find("cluster_state:ok") == std::string::npos) return false;
        if (info.find("cluster_known_nodes:3") == std::string::npos) return false;
        if (info.find("cluster_slots_assigned:16384") == std::string::npos) return false;
      }
      return true;
    });
  }
  bool ready() const { return ready_; }
  private_redis& node(std::size_t i) { return *nodes_[i]; }
  redis_admin& admin(std::size_t i) { return *admins_[i]; }
  std::uint16_t port(std::size_t i) const { return nodes_[i]->address().port; }
  std::string id(std::size_t i) { return admin(i)({"CLUSTER", "MYID"}); }
  endpoint where() const {
    endpoint out;
    out.host = "127.0.0.1:" + std::to_string(port(0)) + ",127.0.0.1:" + std::to_string(port(1));
    out.options["cluster"] = "true";
    return out;
  }
  /// Which node has the slot of this key, as the cluster says it.
  static std::size_t owner(std::string_view key) {
    const auto slot = redis::slot_of(key);
    return slot < 5461 ? 0 : slot < 10923 ? 1 : 2;
  }

 private:
  std::vector<std::unique_ptr<private_redis>> nodes_;
  std::vector<std::unique_ptr<redis_admin>> admins_;
  bool ready_ = false;
};

class redis_cluster : public ::testing::Test, public redis_stack {
 protected:
  void SetUp() override {
    if (const auto reason = private_redis::why_not(); !reason.empty()) GTEST_SKIP() << reason;
    cluster_ = std::make_unique<cluster_of_three>();
    ASSERT_TRUE(cluster_->ready());
    make({redis_connection("cache", cluster_->where())});
  }
  redis_database db() { return manager_->redis("cache"); }
  std::unique_ptr<cluster_of_three> cluster_;
};

TEST_F(redis_cluster, keys_live_apart) {
  auto cache = db();
  for (const std::string key : {"foo", "{user1000}.following", "{}x", "a{b}{c}", "{", "}{", "123456789", ""}) {
    EXPECT_EQ(cluster_->admin(0)({"CLUSTER", "KEYSLOT", key}), std::to_string(redis::slot_of(key))) << key;
  }
  std::map<std::string, std::string> all;
  for (int i = 0; i < 300; ++i) all["k" + std::to_string(i)] = std::to_string(i);
  cache.mset(all);
  std::vector<std::string> keys;
  for (const auto& [key, value] : all) keys.push_back(key);
  const auto values = cache.mget(keys, "none");
  ASSERT_EQ(values.size(), 301u);
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(values[i], all[keys[i]]);
  EXPECT_EQ(values.back(), std::nullopt);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_GT(std::stoi(cluster_->admin(i)({"DBSIZE"})), 50);
  EXPECT_EQ(cache.dbsize(), 300);
  EXPECT_EQ(cache.keys("k*").size(), 300u);
  std::set<std::string> seen;
  for (const std::string& key : cache.scan({.match = {}, .count = 20, .type = {}})) seen.insert(key);
  EXPECT_EQ(seen.size(), 300u);
  EXPECT_EQ(cache.exists(keys, "none"), 300);
  EXPECT_EQ(cache.del("k0", "k1", "none"), 2);
  const auto crossed = caught([&] { cache.command("RENAME", "k2", "elsewhere"); });
  EXPECT_EQ(crossed.portable_code(), errc::invalid_argument);
  EXPECT_THAT(crossed.what(), HasSubstr("{tag}"));
  cache.flushall();
  EXPECT_EQ(cache.dbsize(), 0);
  EXPECT_EQ(cache.ping(), "PONG");
  EXPECT_EQ(manager_->get_redis("cache").describe().role, server_info::role_type::primary);
}

TEST_F(redis_cluster, pipelines_transactions_and_scripts) {
  auto cache = db();
  auto together = cache.pipeline();
  std::vector<redis_slot<void>> sets;
  std::vector<redis_slot<std::optional<std::string>>> gets;
  for (int i = 0; i < 100; ++i) {
    const std::string key = "p" + std::to_string(i);
    sets.push_back(together.add(redis_calls::set(key, i)));
    gets.push_back(together.add(redis_calls::get(key)));
  }
  const auto wrong = together.add(redis_calls::lpush("p5", "x"));
  const auto both = together.add(redis_calls::mget("p1", "p2", "p3"));
  const auto answers = together.run();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(answers.get(gets[static_cast<std::size_t>(i)]), std::to_string(i));
  EXPECT_EQ(caught([&] { answers.get(wrong); }).portable_code(), errc::type_mismatch);
  EXPECT_EQ(answers.get(both), (std::vector<std::optional<std::string>>{"1", "2", "3"}));

  auto atomic = cache.transaction();
  const auto n = atomic.add(redis_calls::incr("{t}n"));
  atomic.add(redis_calls::incr("{t}m"));
  EXPECT_EQ(atomic.run().get(n), 1);
  auto apart = cache.transaction();
  apart.add(redis_calls::incr("p1"));
  apart.add(redis_calls::incr("p2"));
  EXPECT_EQ(caught([&] { apart.run(); }).portable_code(), errc::transaction_aborted);
  {
    auto tx = cache.watch("{t}n");
    EXPECT_EQ(tx.get("{t}n"), "1");
    const auto later = tx.add(redis_calls::incr("{t}n"));
    EXPECT_EQ(tx.commit()->get(later), 2);
  }
  {
    auto tx = cache.watch("{t}n");
    cache.incr("{t}n");
    tx.add(redis_calls::incr("{t}n"));
    EXPECT_FALSE(tx.commit());
  }
  const redis_script script("return redis.call('INCRBY', KEYS[1], ARGV[1])");
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(cache.eval(script, {"s" + std::to_string(i)}, 5).integer(), 5) << "each node learns the script";
  }
  cache.rpush("list", "x");
  EXPECT_EQ(cache.blpop({"list"}, 1s)->second, "x");
}

// What concerns several nodes comes after what stands before it, and before what stands behind.
TEST_F(redis_cluster, pipelines_keep_their_order) {
  auto cache = db();
  auto together = cache.pipeline();
  together.add(redis_calls::set("a", 1));
  const auto before = together.add(redis_calls::mget("a", "b", "c"));
  together.add(redis_calls::mset("a", 2, "b", 2, "c", 2));
  const auto a = together.add(redis_calls::get("a"));
  const auto b = together.add(redis_calls::incr("b"));
  const auto gone = together.add(redis_calls::del("a", "b", "c"));
  const auto after = together.add(redis_calls::exists("a", "b", "c"));
  const auto answers = together.run();
  EXPECT_EQ(answers.get(before), (std::vector<std::optional<std::string>>{"1", std::nullopt, std::nullopt}));
  EXPECT_EQ(answers.get(a), "2");
  EXPECT_EQ(answers.get(b), 3);
  EXPECT_EQ(answers.get(gone), 3);
  EXPECT_EQ(answers.get(after), 0);
}

// A slot that has moved is learned from the first redirection.
TEST_F(redis_cluster, slots_that_move) {
  auto cache = db();
  cache.set("foo", "before");
  const auto from = cluster_of_three::owner("foo");
  const auto to = (from + 1) % 3;
  const std::string slot = std::to_string(redis::slot_of("foo"));
  // On its way: keys that are there already are found by ASK, and the others where they were.
  cluster_->admin(to)({"CLUSTER", "SETSLOT", slot, "IMPORTING", cluster_->id(from)});
  cluster_->admin(from)({"CLUSTER", "SETSLOT", slot, "MIGRATING", cluster_->id(to)});
  EXPECT_EQ(cache.get("foo"), "before");
  cluster_->admin(from)({"MIGRATE", "127.0.0.1", std::to_string(cluster_->port(to)), "foo", "0", "1000"});
  EXPECT_EQ(cache.get("foo"), "before") << "asked for at the other node";
  cache.set("{foo}new", "born there");
  EXPECT_EQ(cache.get("{foo}new"), "born there");
  auto together = cache.pipeline();
  const auto a = together.add(redis_calls::get("foo"));
  const auto b = together.add(redis_calls::append("foo", "!"));
  const auto answers = together.run();
  EXPECT_EQ(answers.get(a), "before");
  EXPECT_EQ(answers.get(b), 7);
  for (std::size_t i = 0; i < 3; ++i) {
    cluster_->admin(i)({"CLUSTER", "SETSLOT", slot, "NODE", cluster_->id(to)});
  }
  EXPECT_EQ(cache.get("foo"), "before!");
  auto atomic = cache.transaction();
  const auto c = atomic.add(redis_calls::append("foo", "!"));
  EXPECT_EQ(atomic.run().get(c), 8);
  EXPECT_EQ(manager_->get_redis("cache").statistics().errors, 0u);
}

// Slots move to and fro while many ask.
TEST_F(redis_cluster, slots_that_move_under_load) {
  auto cache = db();
  for (int i = 0; i < 50; ++i) cache.set("{foo}" + std::to_string(i), i);
  std::atomic<bool> stop = false;
  std::atomic<int> right = 0;
  const auto ask = [&](int seed) -> task<void> {
    std::minstd_rand random(static_cast<unsigned>(seed + 1));
    while (!stop) {
      const int i = static_cast<int>(random() % 50);
      task<std::optional<std::string>> getting = cache.async_get("{foo}" + std::to_string(i));
      const auto got = co_await std::move(getting);
      EXPECT_EQ(got, std::to_string(i));
      ++right;
    }
  };
  boost::asio::io_context loop;
  for (int i = 0; i < 20; ++i) spawn(loop.get_executor(), ask(i), boost::asio::detached);
  std::jthread runner([&] { loop.run(); });
  std::jthread thread([&] { run(ask(100)); });
  const std::string slot = std::to_string(redis::slot_of("foo"));
  auto here = cluster_of_three::owner("foo");
  for (int round = 0; round < 2; ++round) {
    const auto there = (here + 1) % 3;
    cluster_->admin(there)({"CLUSTER", "SETSLOT", slot, "IMPORTING", cluster_->id(here)});
    cluster_->admin(here)({"CLUSTER", "SETSLOT", slot, "MIGRATING", cluster_->id(there)});
    for (int i = 0; i < 50; ++i) {
      cluster_->admin(here)(
          {"MIGRATE", "127.0.0.1", std::to_string(cluster_->port(there)), "{foo}" + std::to_string(i), "0", "5000"});
    }
    cluster_->admin(there)({"CLUSTER", "SETSLOT", slot, "NODE", cluster_->id(there)});
    cluster_->admin(here)({"CLUSTER", "SETSLOT", slot, "NODE", cluster_->id(there)});
    const int before = right;
    EXPECT_TRUE(wait_until([&] { return right > before + 100; }));
    here = there;
  }
  stop = true;
  thread.join();
  runner.join();
  EXPECT_EQ(manager_->get_redis("cache").statistics().errors, 0u);
}

TEST_F(redis_cluster, a_node_that_restarts) {
  auto cache = db();
  cache.set("foo", 1);
  std::string other = "k0";
  for (int i = 1; cluster_of_three::owner(other) == cluster_of_three::owner("foo"); ++i)
    other = "k" + std::to_string(i);
  auto& node = cluster_->node(cluster_of_three::owner("foo"));
  node.kill();
  const auto gone = caught([&] { cache.with(call{}.timeout(300ms)).get("foo"); });
  EXPECT_TRUE(gone.portable_code() == errc::connect_failed || gone.portable_code() == errc::deadline_exceeded ||
              gone.portable_code() == errc::connection_lost)
      << gone.what();
  EXPECT_EQ(cache.incr(other), 1) << "the others are there";
  node.start();
  EXPECT_TRUE(wait_until([&] {
    try {
      return cache.incr("foo") > 0;
    } catch (const error&) {
      return false;
    }
  }));
}

TEST_F(redis_cluster, messages) {
  auto cache = db();
  auto news = cache.subscribe({"news"});
  news.start();
  for (int i = 0; i < 10; ++i) cache.publish("news", std::to_string(i));  // at one node after the other
  std::set<std::string> got;
  for (int i = 0; i < 10; ++i) got.insert(news.receive().payload);
  EXPECT_EQ(got.size(), 10u);
}

TEST_F(redis_cluster, what_is_no_cluster) {
  private_redis alone;
  auto where = alone.address().to_endpoint("test");
  where.options["cluster"] = "true";
  const auto refused = caught([&] { run(redis::make_driver()->connect(where)); });
  EXPECT_EQ(refused.portable_code(), errc::connect_failed);
  EXPECT_EQ(refused.disposition(), disposition::permanent);
  EXPECT_THAT(refused.what(), HasSubstr("not part of a cluster"));
  auto plain = cluster_->node(0).address().to_endpoint("test");
  make({redis_connection("plain", plain)});
  std::string far = "k0";
  for (int i = 1; cluster_of_three::owner(far) == 0; ++i) far = "k" + std::to_string(i);
  const auto moved = caught([&] { manager_->redis("plain").get(far); });
  EXPECT_EQ(moved.disposition(), disposition::retryable_elsewhere);
  EXPECT_THAT(moved.what(), HasSubstr("cluster=true"));
}

}  // namespace
}  // namespace polypool::test
