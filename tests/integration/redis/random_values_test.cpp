// SPDX-License-Identifier: Apache-2.0
// Random values there and back, through commands of every type, by both protocols.
#include "support/random_values.hpp"

#include "stack.hpp"

#include <bit>
#include <cmath>
#include <map>
#include <set>

namespace polypool::test {
namespace {

class redis_random : public redis_test, public redis_stack, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    redis_test::SetUp();
    if (!playground_) return;
    auto where = playground_->endpoint();
    where.options["protocol"] = GetParam();
    make({redis_connection("cache", where)});
  }
  void TearDown() override {
    manager_.reset();
    redis_test::TearDown();
  }
  // Any bytes, or text of what gives trouble; also long ones.
  std::string random_string() {
    if (random_() % 2 == 0) return random_text(random_, 60);
    const auto data = random_bytes(random_, random_() % 10 == 0 ? 100'000 : 200);
    return {reinterpret_cast<const char*>(data.data()), data.size()};
  }
  std::vector<std::string> random_strings() {
    std::vector<std::string> out(1 + random_() % 30);
    for (auto& each : out) each = random_string();
    return out;
  }
  double random_score() {
    const auto out = std::bit_cast<double>(random_());
    return std::isnan(out) ? 0.5 : out;
  }
  std::mt19937_64 random_{7};
};
INSTANTIATE_TEST_SUITE_P(protocols, redis_random, ::testing::Values("2", "3"),
                         [](const auto& info) { return std::string("resp") + info.param; });

TEST_P(redis_random, values_come_back_the_same) {
  auto cache = manager_->redis("cache");
  const auto k = key("k");
  for (int i = 0; i < 60; ++i) {
    SCOPED_TRACE(i);
    const auto text = random_string();
    cache.set(k, text);
    EXPECT_EQ(cache.get(k), text);
    EXPECT_EQ(cache.strlen(k), static_cast<std::int64_t>(text.size()));
    EXPECT_EQ(cache.command("ECHO", text).as<std::string>(), text);
    const auto number = random_integer(random_);
    cache.set(k, number);
    EXPECT_EQ(cache.command("GET", k).as<std::int64_t>(), number);
    EXPECT_EQ(cache.incrby(k, -(number / 2)), number - number / 2);
    const auto real = random_score();
    cache.set(k, real);
    EXPECT_EQ(cache.command("GET", k).as<double>(), real);
    cache.del(k);

    const auto list = random_strings();
    EXPECT_EQ(cache.rpush(k, list), static_cast<std::int64_t>(list.size()));
    EXPECT_EQ(cache.lrange(k, 0, -1), list);
    cache.del(k);

    std::unordered_map<std::string, std::string> fields;
    for (const auto& each : list) fields[each] = random_string();
    EXPECT_EQ(cache.hset(k, fields), static_cast<std::int64_t>(fields.size()));
    EXPECT_EQ(cache.hgetall(k), fields);
    cache.del(k);

    const std::set<std::string> members(list.begin(), list.end());
    EXPECT_EQ(cache.sadd(k, members), static_cast<std::int64_t>(members.size()));
    EXPECT_EQ(cache.command("SMEMBERS", k).as<std::set<std::string>>(), members);
    cache.del(k);

    std::map<std::string, double> scores;
    for (const auto& each : list) scores[each] = random_score();
    std::vector<std::pair<double, std::string>> scored;
    for (const auto& [member, score] : scores) scored.emplace_back(score, member);
    EXPECT_EQ(cache.zadd(k, scored), static_cast<std::int64_t>(scores.size()));
    const auto found = cache.zrange_with_scores(k, 0, -1);
    EXPECT_EQ((std::map<std::string, double>(found.begin(), found.end())), scores);
    EXPECT_TRUE(std::ranges::is_sorted(found, {}, &redis_scored::second));
    cache.del(k);
  }
}

TEST_P(redis_random, many_at_once_through_pipelines_scripts_and_messages) {
  auto cache = manager_->redis("cache");
  auto news = cache.subscribe({key("news")});
  news.start();
  for (int i = 0; i < 20; ++i) {
    SCOPED_TRACE(i);
    const auto all = random_strings();
    auto together = cache.pipeline();
    std::vector<redis_slot<std::optional<std::string>>> slots;
    for (std::size_t n = 0; n < all.size(); ++n) {
      together.add(redis_calls::set(key(std::to_string(n)), all[n]));
      slots.push_back(together.add(redis_calls::get(key(std::to_string(n)))));
    }
    const auto answers = together.run();
    for (std::size_t n = 0; n < all.size(); ++n) EXPECT_EQ(answers.get(slots[n]), all[n]);
    const redis_script nested("return {ARGV, {#ARGV, {ARGV[1]}}}");
    const auto reply = cache.eval(nested, {}, all);
    EXPECT_EQ(reply[0].as<std::vector<std::string>>(), all);
    EXPECT_EQ(reply[1][0].as<std::size_t>(), all.size());
    EXPECT_EQ(reply[1][1][0].text(), all[0]);
    EXPECT_EQ(cache.publish(key("news"), all[0]), 1);
    EXPECT_EQ(news.receive().payload, all[0]);
  }
}

}  // namespace
}  // namespace polypool::test
