// SPDX-License-Identifier: Apache-2.0
// Groups of connections in configuration.
#include "helpers.hpp"

namespace polypool::config::testing {
namespace {

const std::string connections =
    "connections:\n"
    "  pg-a: postgres://a/x\n"
    "  pg-b: postgres://b/x\n"
    "  pg-dr: postgres://c/x\n"
    "  cache: redis://d\n";

TEST(Groups, AreReadWithAllTheirFields) {
  const auto all = read(connections + R"(
groups:
  orders:
    type: failover
    primary: pg-a
    replicas: [pg-b]
    backups: [{name: pg-dr, weight: 2}]
    fail_back: 5m
    max_lag: 10s
    read_your_writes: true
    two_primaries: in_order
    role_check_interval: 2s
    unreachable_after: 3
    settle_time: 1s
    tags: {team: shop}
    critical: true
  sessions:
    type: balance
    members: [pg-a, {name: pg-b, weight: 3}]
    strategy: least_in_use
    eject_after: 0
    eject_time: 1s
    eject_max: 1m
    slow_start: 0s
default_connection: orders
)");
  ASSERT_EQ(all.groups.size(), 2U);
  const auto& orders = all.groups[0];
  EXPECT_EQ(orders.name, "orders");
  EXPECT_EQ(orders.type, group_type::failover);
  EXPECT_EQ(orders.names(), (std::vector<std::string>{"pg-a", "pg-b", "pg-dr"}));
  EXPECT_EQ(orders.backups[0].weight, 2U);
  EXPECT_EQ(orders.fail_back, fail_back_policy::automatic);
  EXPECT_EQ(orders.fail_back_after, std::chrono::minutes(5));
  EXPECT_EQ(orders.max_lag, std::chrono::seconds(10));
  EXPECT_TRUE(orders.read_your_writes);
  EXPECT_EQ(orders.two_primaries, several_primaries::in_order);
  EXPECT_EQ(orders.role_check_interval, std::chrono::seconds(2));
  EXPECT_EQ(orders.unreachable_after, 3U);
  EXPECT_EQ(orders.settle_time, std::chrono::seconds(1));
  EXPECT_EQ(orders.tags.at("team"), "shop");
  EXPECT_EQ(orders.critical, true);
  const auto& sessions = all.groups[1];
  EXPECT_EQ(sessions.strategy, balance_strategy::least_in_use);
  EXPECT_EQ(sessions.members[1].weight, 3U);
  EXPECT_EQ(sessions.eject_after, 0U);
  EXPECT_EQ(all.default_connection, "orders");
}

TEST(Groups, MayBeJson) {
  const auto all = read_json(R"({"connections": {"a": "redis://a", "b": "redis://b"}, "default_redis": "both",
    "groups": {"both": {"type": "balance", "members": ["a", "b"], "strategy": "weighted"}}})");
  ASSERT_EQ(all.groups.size(), 1U);
  EXPECT_EQ(all.groups[0].strategy, balance_strategy::weighted);
}

struct wrong_group {
  const char* name;
  const char* text;  // under `groups:`, from line 7
  const char* expected;
};
class WrongGroups : public ::testing::TestWithParam<wrong_group> {};

TEST_P(WrongGroups, AreToldWithLineAndField) {
  const auto problems = problems_in(connections + "groups:\n" + GetParam().text);
  EXPECT_NE(problems.find(GetParam().expected), std::string::npos) << problems;
  EXPECT_EQ(std::ranges::count(problems, '\n'), 1) << problems;
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongGroups,
    ::testing::Values(
        wrong_group{"NoType", "  g: {members: [pg-a]}\n", "test.yaml:7: groups.g.type: is missing"},
        wrong_group{"OtherType", "  g: {type: balanced, members: [pg-a]}\n", "'balanced' is not a type"},
        wrong_group{"Misspelt", "  g:\n    type: balance\n    member: [pg-a]\n    members: [pg-a]\n",
                    "test.yaml:9: groups.g.member: unknown field 'member'; did you mean 'members'?"},
        wrong_group{"UnknownMember", "  g:\n    type: balance\n    members: [pg-a, pg-bb]\n",
                    "test.yaml:9: groups.g.members: 'pg-bb' is not the name of a connection; did you mean"},
        wrong_group{"Twice", "  g: {type: balance, members: [pg-a, pg-a]}\n", "'pg-a' is in the group twice"},
        wrong_group{"OtherKind", "  g: {type: balance, members: [pg-a, cache]}\n", "speak one language"},
        wrong_group{"Taken", "  pg-a: {type: balance, members: [pg-b]}\n", "has this name already"},
        wrong_group{"NoPrimary", "  g: {type: failover, replicas: [pg-b]}\n", "groups.g.primary: is missing"},
        wrong_group{"NoReplica", "  g: {type: failover, primary: pg-a}\n", "groups.g.replicas: are missing"},
        wrong_group{"MembersOfFailover", "  g: {type: failover, primary: pg-a, replicas: [pg-b], members: [pg-dr]}\n",
                    "groups.g.members: are of a balance group"},
        wrong_group{"FailBack", "  g: {type: failover, primary: pg-a, replicas: [pg-b], fail_back: never}\n",
                    "or a time such as 5m to wait before"},
        wrong_group{"Weight", "  g: {type: balance, members: [{name: pg-a, weight: 0}]}\n",
                    "groups.g.members[0].weight"},
        wrong_group{"NoName", "  g: {type: balance, members: [{weight: 2}]}\n", "groups.g.members[0]: has no name"},
        wrong_group{"OfGroups", "  g: {type: balance, members: [pg-a]}\n  h: {type: balance, members: [g]}\n",
                    "'g' is a group; the members of a group are connections"},
        wrong_group{"Max", "  g: {type: balance, members: [pg-a], eject_time: 1m, eject_max: 1s}\n",
                    "groups.g.eject_max: 1s is less than eject_time"},
        wrong_group{"List", "  - g\n", "groups: is a list; a map of groups by name is expected"}),
    [](const auto& one) { return one.param.name; });

TEST(Groups, PutTogetherInCodeAreCheckedToo) {
  settings all;
  all.connections.push_back(connection_from_url("a", "redis://a"));
  group one;
  one.name = "g";
  one.type = group_type::balance;
  one.members.push_back({"a", 101});
  all.groups.push_back(one);
  const auto found = validate(all);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].field, "groups.g.weight");
}

}  // namespace
}  // namespace polypool::config::testing
