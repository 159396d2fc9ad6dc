// SPDX-License-Identifier: Apache-2.0
// Groups over REST: looked at, moved by hand, and refused.
#include "fixture.hpp"

namespace polypool::test {
namespace {

using ::testing::HasSubstr;

class GroupRestTest : public ServerTest {
 protected:
  void make(config::several_primaries policy) {
    create_files({"a", "b"});
    config::group orders;
    orders.name = "orders";
    orders.primary = "a";
    orders.backups.push_back({"b"});
    orders.two_primaries = policy;
    manager_->register_group(orders);
    config::group spread;
    spread.name = "spread";
    spread.type = config::group_type::balance;
    spread.members.push_back({"a"});
    spread.members.push_back({"b", 3});
    spread.strategy = config::balance_strategy::weighted;
    manager_->register_group(spread);
    for (const char* each : {"orders", "spread"}) manager_->group(each).refresh();
  }
  boost::json::object post(const std::string& path, const std::string& body, int status) {
    return call("POST", admin + path, body, status);
  }
};

TEST_F(GroupRestTest, TellsWhereCallsGo) {
  make(config::several_primaries::in_order);
  const auto data = get(admin + "groups").at("data").as_object();
  EXPECT_EQ(data.at("total"), 2);
  const auto& orders = data.at("groups").at(0).as_object();
  EXPECT_EQ(orders.at("name"), "orders");
  EXPECT_EQ(orders.at("type"), "failover");
  EXPECT_EQ(orders.at("primary"), "a");
  EXPECT_EQ(orders.at("severalPrimaries"), false);
  EXPECT_EQ(orders.at("failovers"), 0);
  const auto& member = orders.at("members").at(0).as_object();
  EXPECT_EQ(member.at("declared"), "primary");
  EXPECT_EQ(member.at("observed"), "primary");
  EXPECT_EQ(member.at("reachable"), true);
  EXPECT_EQ(member.at("current"), true);
  EXPECT_TRUE(member.at("lagMs").is_null());
  const auto& spread = data.at("groups").at(1).as_object();
  EXPECT_TRUE(spread.at("primary").is_null());
  EXPECT_EQ(spread.at("strategy"), "weighted");
  EXPECT_EQ(spread.at("members").at(1).at("weight"), 3);
  const auto listed = get(admin + "list").at("data").at("databases").as_array();
  EXPECT_EQ(listed[2].at("name"), "orders");
  EXPECT_EQ(listed[2].at("group"), true);
  EXPECT_EQ(listed[2].at("target"), "a, b");
  EXPECT_FALSE(listed[0].as_object().contains("group"));
}

TEST_F(GroupRestTest, MovesByHandAndBack) {
  make(config::several_primaries::in_order);
  EXPECT_EQ(post("failover", R"({"group":"orders"})", 200).at("data").at("primary"), "b");
  EXPECT_EQ(manager_->group("orders").status().primary, "b");
  EXPECT_EQ(post("failback", R"({"group":"orders"})", 200).at("data").at("primary"), "a");
  const auto moved = post("failover", R"({"group":"orders","to":"b"})", 200);
  EXPECT_EQ(moved.at("message"), "Group 'orders': writes go to 'b'");
  EXPECT_EQ(moved.at("data").at("failovers"), 3);
}

TEST_F(GroupRestTest, RefusesWhatCannotBe) {
  make(config::several_primaries::refuse);
  EXPECT_EQ(post("failover", "{}", 400).at("error"), "Group name is required");
  EXPECT_EQ(post("failover", R"({"group":"orders","to":7})", 400).at("error"), "Member name has to be a string");
  EXPECT_EQ(post("failover", R"({"group":"nothing"})", 404).at("error"), "Group 'nothing' not found");
  EXPECT_EQ(post("failover", R"({"group":"orders","to":"nobody"})", 404).at("success"), false);
  EXPECT_EQ(post("failover", R"({"group":"spread","to":"a"})", 400).at("success"), false);
  const auto data = get(admin + "groups").at("data").at("groups").at(0).as_object();
  EXPECT_EQ(data.at("severalPrimaries"), true) << "both files say they are the primary";
  EXPECT_THAT(std::string(data.at("detail").as_string()), HasSubstr("'a' and 'b' say they are the primary"));
  EXPECT_EQ(post("failover", R"({"group":"orders","to":"b"})", 200).at("data").at("primary"), "b")
      << "somebody says which one is right";
  EXPECT_EQ(post("failover", R"({"group":"orders"})", 409).at("code"), "CONFLICT") << "there is no other one";
}

TEST_F(GroupRestTest, MakesAndRemovesGroups) {
  create_files({"a", "b"});
  const auto made = post("groups", R"({"name": "pair", "type": "balance", "members": ["a", {"name": "b", "weight": 3}],
      "strategy": "weighted", "eject_time": "5s"})",
                         200);
  EXPECT_EQ(made.at("data").at("members").at(1).at("weight"), 3);
  EXPECT_EQ(made.at("data").at("members").at(0).at("reachable"), true);
  EXPECT_EQ(manager_->sql("pair").query_value<int>("SELECT 7"), 7);
  EXPECT_EQ(post("groups", R"({"name": "pair", "type": "balance", "members": ["a"]})", 409).at("success"), false);
  EXPECT_EQ(post("multi/remove", R"({"type":"database","connectionName":"a"})", 405).at("success"), false);
  const std::string whole = R"({"type":"database","connectionName":"pair"})";
  call("DELETE", admin + "multi/remove", whole, 200);
  EXPECT_EQ(get(admin + "groups").at("data").at("total"), 0);
  EXPECT_TRUE(manager_->contains("a")) << "its members stay";
}

TEST_F(GroupRestTest, SaysAllThatIsWrongWithANewGroup) {
  create_files({"a", "b"});
  const auto details = [&](const std::string& body) {
    return std::string(post("groups", body, 400).at("details").as_string());
  };
  EXPECT_EQ(post("groups", R"({"type": "balance"})", 400).at("error"), "Group name is required");
  EXPECT_THAT(details(R"({"name": "x", "type": "failovr", "eject_tme": "5s"})"),
              AllOf(HasSubstr("did you mean 'failover'"), HasSubstr("did you mean 'eject_time'")));
  EXPECT_THAT(details(R"({"name": "x", "type": "failover", "primary": "nobody"})"),
              HasSubstr("'nobody' is not the name of a connection"));
  EXPECT_THAT(details(R"({"name": "x", "type": "failover"})"), HasSubstr("primary"));
  EXPECT_THAT(details(R"({"name": "x", "type": "failover", "primary": "${HOME}"})"), Not(HasSubstr("/root")));
  EXPECT_THAT(details(R"({"name": "x", "type": "balance", "members": 7})"), HasSubstr("a list of connections"));
  post("groups", "[1, 2]", 400);
  post("groups", R"({"name": "", "type": "balance", "members": ["a"]})", 400);
  EXPECT_EQ(get(admin + "groups").at("data").at("total"), 0);
}

}  // namespace
}  // namespace polypool::test
