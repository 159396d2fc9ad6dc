// SPDX-License-Identifier: Apache-2.0
// How far a secondary is behind, by what `hello` says of the last writes.
#include "scripted_set.hpp"

#include <polypool/groups.hpp>
#include <polypool/manager.hpp>
#include <polypool/mongodb_database.hpp>

#include <gmock/gmock.h>

namespace polypool::test {
namespace {

using role_type = server_info::role_type;

class mongodb_lag : public scripted_set {
 protected:
  mongodb_lag() {
    first_.wrote_at(1'700'000'020, 3, 2);
    second_.wrote_at(1'700'000'008, 9, 2);
  }
  endpoint read_from_secondary() const {
    auto out = whole_set();
    out.options["read_preference"] = "secondary";
    out.options["server_selection_timeout"] = "400ms";
    return out;
  }
};
POLYPOOL_BOTH_WAYS(mongodb_lag);

TEST_P(mongodb_lag, of_a_set_the_primary_is_asked_as_well) {
  mongodb_client db(go_, read_from_secondary());
  auto info = go_(db->describe());
  EXPECT_EQ(info.role, role_type::replica);
  EXPECT_EQ(info.position, "2:1700000008:9");
  EXPECT_EQ(info.lag, 12s);
  second_.wrote_at(1'700'000'020, 3, 2);
  EXPECT_EQ(go_(db->describe()).lag, 0s);
}

TEST_P(mongodb_lag, without_a_primary_it_is_not_known) {
  elect(nullptr);
  mongodb_client db(go_, read_from_secondary());
  const auto info = go_(db->describe());
  EXPECT_EQ(info.role, role_type::replica);
  EXPECT_EQ(info.lag, std::nullopt);
  EXPECT_FALSE(db->broken());
  EXPECT_EQ(db.run(doc(R"({"find": "things"})"), document_command::access_type::read).at("ok"), 1.0);
}

TEST_P(mongodb_lag, a_server_alone_says_where_it_is) {
  const auto source = go_(mongodb_client(go_, alone(first_))->describe());
  EXPECT_EQ(source.position, "2:1700000020:3");
  EXPECT_EQ(source.lag, std::nullopt);
  const auto info = go_(mongodb_client(go_, alone(second_))->describe());
  EXPECT_EQ(info.role, role_type::replica);
  EXPECT_EQ(info.position, "2:1700000008:9");
  EXPECT_EQ(info.lag, std::nullopt);
}

TEST_P(mongodb_lag, what_makes_no_sense_is_no_position) {
  const char* const odd[] = {R"({})", R"({"opTime": 7})", R"({"opTime": {"ts": 7, "t": 1}})",
                             R"({"opTime": {"ts": {"$timestamp": {"t": 1, "i": 1}}}})"};
  for (const auto* last_write : odd) {
    second_.on_command([&](const script_request& request) -> std::optional<script_answer> {
      if (request.name != "hello" || !request.body.contains("$db")) return std::nullopt;
      document hello{{"ok", 1.0}, {"secondary", true}, {"maxWireVersion", 21}};
      hello["lastWrite"] = doc(last_write);
      return script_answer::with(std::move(hello));
    });
    const auto info = go_(mongodb_client(go_, alone(second_))->describe());
    EXPECT_EQ(info.position, "") << last_write;
  }
}

// A group compares its members; one that is too far behind is not read from, and is not as well as it could be.
TEST_P(mongodb_lag, a_group_compares_its_members) {
  config::settings settings;
  settings.defaults.max_replica_lag = 10s;
  settings.defaults.retry_attempts = 1;
  for (const auto& [name, server] : {std::pair{"a", &first_}, {"b", &second_}}) {
    config::connection one;
    one.name = name;
    one.type = config::database_type::mongodb;
    one.where = alone(*server);
    settings.connections.push_back(std::move(one));
  }
  config::group papers;
  papers.name = "papers";
  papers.primary = "a";
  papers.replicas.push_back({"b"});
  papers.max_lag = 10s;
  settings.groups.push_back(std::move(papers));
  manager_options options;
  options.drivers.push_back(mongodb::make_driver());
  manager mgr(std::move(settings), std::move(options));
  auto now = mgr.group("papers").refresh();
  EXPECT_EQ(now.primary, "a");
  EXPECT_EQ(now.members[1].lag, 12s);
  EXPECT_FALSE(now.members[1].readable);
  const auto health = mgr.get("b").health_check();
  EXPECT_EQ(health.status, health_status::degraded);
  EXPECT_THAT(health.detail, ::testing::HasSubstr("it is 12s behind its primary"));
  auto reader = mgr.mongodb("papers").with(call().on(role::replica));
  reader.run_command(doc(R"({"find": "things"})"));
  EXPECT_EQ(second_.requests("find").size(), 0u);
  EXPECT_EQ(first_.requests("find").size(), 1u);
  second_.wrote_at(1'700'000'019, 1, 2);
  now = mgr.group("papers").refresh();
  EXPECT_EQ(now.members[1].lag, 1s);
  EXPECT_TRUE(now.members[1].readable);
  EXPECT_EQ(mgr.get("b").health_check().status, health_status::healthy);
  reader.run_command(doc(R"({"find": "things"})"));
  EXPECT_EQ(second_.requests("find").size(), 1u);
}

}  // namespace
}  // namespace polypool::test
