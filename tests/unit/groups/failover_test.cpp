// SPDX-License-Identifier: Apache-2.0
// Which member takes writes: by what servers say, and whatever happens.
#include "manager/group_failover.hpp"

#include <gtest/gtest.h>

#include <random>

namespace polypool::detail {
namespace {

using namespace std::chrono_literals;
using role_type = server_info::role_type;

class group_failover : public ::testing::Test {
 protected:
  void start(failover_options options = {}) {
    machine_.emplace(std::vector<std::string>{"a", "b", "dr"},
                     std::vector<member_role>{member_role::primary, member_role::replica, member_role::backup},
                     options);
  }
  void saw(std::size_t i, role_type role, std::optional<duration> lag = 0s) {
    server_info info;
    info.role = role;
    info.lag = lag;
    machine_->saw(i, info, now_);
  }
  void miss(std::size_t i, int times = 2) {
    for (int k = 0; k < times; ++k) machine_->missed(i, now_);
  }
  const failover_decision& decide() { return machine_->decide(now_); }
  int primary() {
    const auto& d = decide();
    return d.primary ? static_cast<int>(*d.primary) : -1;
  }
  void usual() {
    saw(0, role_type::primary);
    saw(1, role_type::replica);
    saw(2, role_type::replica);
    ASSERT_EQ(primary(), 0);
  }
  static failover_options in_order(config::fail_back_policy policy = config::fail_back_policy::automatic) {
    failover_options out;
    out.two_primaries = config::several_primaries::in_order;
    out.fail_back = policy;
    return out;
  }
  time_point now_{1h};
  std::optional<failover_machine> machine_;
};

TEST_F(group_failover, the_configured_primary_counts_until_somebody_was_asked) {
  start();
  EXPECT_EQ(primary(), 0);
  saw(1, role_type::primary);
  EXPECT_EQ(primary(), 0) << "it was not asked yet, and may say the same";
  miss(0);
  EXPECT_EQ(primary(), 1);
}

TEST_F(group_failover, a_promoted_replica_follows_an_unreachable_primary) {
  start();
  usual();
  miss(0, 1);
  EXPECT_EQ(primary(), 0) << "one miss is no failover";
  miss(0, 1);
  EXPECT_EQ(primary(), 0) << "nobody else is one: a call says best what is wrong";
  saw(1, role_type::primary);
  EXPECT_EQ(primary(), 1);
  EXPECT_FALSE(machine_->decision().several);
}

TEST_F(group_failover, a_demoted_primary_gets_no_writes) {
  start();
  usual();
  saw(0, role_type::read_only);
  EXPECT_EQ(primary(), -1);
  EXPECT_NE(machine_->decision().why.find("'a' is a read_only"), std::string::npos) << machine_->decision().why;
  miss(0);  // its last word was that it is read-only
  EXPECT_EQ(primary(), -1);
  saw(1, role_type::primary);
  EXPECT_EQ(primary(), 1);
}

TEST_F(group_failover, two_primaries_are_refused_until_one_is_left) {
  start();
  usual();
  saw(1, role_type::primary);
  EXPECT_EQ(primary(), -1);
  EXPECT_TRUE(machine_->decision().several);
  EXPECT_NE(machine_->decision().why.find("'a' and 'b' say they are the primary"), std::string::npos);
  EXPECT_TRUE(machine_->decision().readable[1] == false);
  saw(0, role_type::replica);
  EXPECT_EQ(primary(), 1);
  EXPECT_TRUE(machine_->decision().readable[0]);
}

TEST_F(group_failover, by_hand_one_of_two_primaries_is_taken_and_the_other_one_left_alone) {
  start();
  usual();
  saw(1, role_type::primary);
  EXPECT_EQ(primary(), -1);
  EXPECT_EQ(machine_->fail_over_to(1, now_), "");
  EXPECT_EQ(primary(), 1);
  saw(0, role_type::primary);
  EXPECT_EQ(primary(), 1);
  saw(0, role_type::replica);  // repaired
  EXPECT_EQ(primary(), 1);
  saw(1, role_type::replica);
  saw(0, role_type::primary);
  EXPECT_EQ(primary(), 0);
}

TEST_F(group_failover, nobody_is_made_a_primary_by_hand) {
  start();
  usual();
  EXPECT_NE(machine_->fail_over_to(1, now_).find("promote its server first"), std::string::npos);
  miss(2);
  EXPECT_EQ(machine_->fail_over_to(2, now_), "'dr' cannot be reached");
  EXPECT_EQ(primary(), 0);
}

TEST_F(group_failover, replicas_too_far_behind_are_not_read_from) {
  failover_options options;
  options.max_lag = 10s;
  start(options);
  saw(0, role_type::primary);
  saw(1, role_type::replica, 5s);
  saw(2, role_type::replica, 0s);
  EXPECT_EQ(decide().readable, (std::vector<bool>{false, true, false})) << "backups are not read from";
  saw(1, role_type::replica, 11s);
  EXPECT_FALSE(decide().readable[1]);
  saw(1, role_type::replica, std::nullopt);
  EXPECT_FALSE(decide().readable[1]) << "one that cannot tell may be anywhere";
  miss(1, 1);
  EXPECT_FALSE(decide().readable[1]);
}

TEST_F(group_failover, where_all_take_writes_the_first_in_order_follows) {
  start(in_order());
  for (std::size_t i = 0; i < 3; ++i) saw(i, role_type::primary);
  EXPECT_EQ(primary(), 0);
  miss(0);
  EXPECT_EQ(primary(), 1);
  miss(1);
  EXPECT_EQ(primary(), 2);
  saw(1, role_type::primary);
  EXPECT_EQ(primary(), 2) << "the one in use stays";
}

TEST_F(group_failover, the_primary_is_back_after_it_has_settled) {
  start(in_order());
  for (std::size_t i = 0; i < 3; ++i) saw(i, role_type::primary);
  EXPECT_EQ(primary(), 0);
  miss(0);
  EXPECT_EQ(primary(), 1);
  now_ += 1min;
  saw(0, role_type::primary);
  EXPECT_EQ(primary(), 1);
  EXPECT_EQ(machine_->decision().again_at, now_ + 10s);
  now_ += 9s;
  EXPECT_EQ(primary(), 1);
  now_ += 1s;
  EXPECT_EQ(primary(), 0);
}

TEST_F(group_failover, fail_back_waits_as_long_as_it_is_told_or_for_ever) {
  auto options = in_order();
  options.fail_back_after = 5min;
  for (const bool manual : {false, true}) {
    if (manual) options = in_order(config::fail_back_policy::manual);
    start(options);
    for (std::size_t i = 0; i < 3; ++i) saw(i, role_type::primary);
    EXPECT_EQ(primary(), 0);
    miss(0);
    EXPECT_EQ(primary(), 1);
    saw(0, role_type::primary);
    now_ += 5min - 1s;
    EXPECT_EQ(primary(), 1);
    now_ += 1s;
    EXPECT_EQ(primary(), manual ? 1 : 0);
    now_ += 24h;
    EXPECT_EQ(primary(), manual ? 1 : 0);
    EXPECT_EQ(machine_->fail_back(now_), "");
    EXPECT_EQ(primary(), 0);
  }
}

TEST_F(group_failover, who_was_chosen_by_hand_stays) {
  start(in_order());
  for (std::size_t i = 0; i < 3; ++i) saw(i, role_type::primary);
  EXPECT_EQ(primary(), 0);
  EXPECT_EQ(machine_->next_after_current(), 1U);
  EXPECT_EQ(machine_->fail_over_to(2, now_), "");
  now_ += 24h;
  EXPECT_EQ(primary(), 2);
  EXPECT_EQ(machine_->fail_back(now_), "");
  EXPECT_EQ(primary(), 0);
}

TEST_F(group_failover, a_primary_that_comes_and_goes_is_left_alone_more_and_more) {
  start(in_order());
  for (std::size_t i = 0; i < 3; ++i) saw(i, role_type::primary);
  EXPECT_EQ(primary(), 0);
  std::vector<duration> waits;
  for (int round = 0; round < 4; ++round) {
    miss(0);
    EXPECT_EQ(primary(), 1);
    saw(0, role_type::primary);
    const auto since = now_;
    while (primary() != 0) now_ += 1s;
    waits.push_back(now_ - since);
  }
  EXPECT_GE(waits[1], 2 * waits[0]);
  EXPECT_GE(waits[2], 2 * waits[1]);
  EXPECT_LE(waits[3], failover_machine::memory);
}

TEST_F(group_failover, servers_that_say_nothing_are_what_is_configured) {
  start();
  for (std::size_t i = 0; i < 3; ++i) saw(i, role_type::unknown);
  EXPECT_EQ(primary(), 0);
  EXPECT_TRUE(machine_->decision().readable[1]);
  miss(0);
  EXPECT_EQ(primary(), 2) << "a backup stands in, a replica never";
  saw(0, role_type::unknown);
  EXPECT_EQ(primary(), 2);
  now_ += 1min;
  EXPECT_EQ(primary(), 0);
}

// Whatever happens to the servers, in whatever order it is seen.
class group_failover_at_random : public ::testing::TestWithParam<int> {};

TEST_P(group_failover_at_random, never_breaks_its_promises) {
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  const auto any = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  failover_options options;
  options.unreachable_after = static_cast<std::uint32_t>(1 + any(3));
  options.two_primaries = any(3) == 0 ? config::several_primaries::in_order : config::several_primaries::refuse;
  options.fail_back = any(2) == 0 ? config::fail_back_policy::manual : config::fail_back_policy::automatic;
  const std::size_t count = 2 + static_cast<std::size_t>(any(4));
  std::vector<std::string> names;
  std::vector<member_role> declared;
  for (std::size_t i = 0; i < count; ++i) {
    names.push_back("m" + std::to_string(i));
    declared.push_back(i == 0 ? member_role::primary : any(2) == 0 ? member_role::replica : member_role::backup);
  }
  failover_machine machine(names, declared, options);
  constexpr std::array roles{role_type::primary, role_type::replica, role_type::read_only};
  std::vector<std::optional<role_type>> last_word(count);
  time_point now{1h};
  for (int step = 0; step < 2000; ++step) {
    now += std::chrono::milliseconds(any(20000));
    const auto who = static_cast<std::size_t>(any(static_cast<int>(count)));
    bool by_hand = false;
    if (any(3) == 0) {
      machine.missed(who, now);
    } else if (any(40) == 0) {
      machine.fail_over_to(who, now);
      by_hand = true;
    } else {
      server_info info;
      info.role = roles[static_cast<std::size_t>(any(3))];
      last_word[who] = info.role;
      machine.saw(who, info, now);
    }
    const auto& d = machine.decide(now);
    if (d.primary) {
      const auto word = last_word[*d.primary];
      ASSERT_TRUE(!word || *word == role_type::primary) << "a write to a read-only node, step " << step;
      ASSERT_FALSE(d.readable[*d.primary]);
    }
    std::size_t claimants = 0;
    for (std::size_t i = 0; i < count; ++i) {
      claimants += machine.reachable(i) == true && last_word[i] == role_type::primary ? 1U : 0U;
      ASSERT_FALSE(d.readable[i] && last_word[i] == role_type::primary);
    }
    if (options.two_primaries == config::several_primaries::refuse && d.several) {
      ASSERT_FALSE(d.primary);
    }
    if (!by_hand && claimants == 0 && d.primary) {
      ASSERT_NE(machine.reachable(*d.primary), true);
    }
  }
  // Whatever was: once the servers are in order, so is the group.
  const auto settled = static_cast<std::size_t>(any(static_cast<int>(count)));
  for (std::size_t i = 0; i < count; ++i) {
    server_info info;
    info.role = role_type::replica;
    machine.saw(i, info, now);
  }
  server_info info;
  info.role = role_type::primary;
  machine.saw(settled, info, now);
  const auto& d = machine.decide(now);
  ASSERT_TRUE(d.primary);
  EXPECT_EQ(*d.primary, settled);
}
INSTANTIATE_TEST_SUITE_P(seeds, group_failover_at_random, ::testing::Range(0, 40));

}  // namespace
}  // namespace polypool::detail
