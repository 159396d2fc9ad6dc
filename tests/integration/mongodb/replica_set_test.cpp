// SPDX-License-Identifier: Apache-2.0
// Several servers: which one gets what, and a new primary.
#include "scripted_set.hpp"

namespace polypool::test {
namespace {

using access = document_command::access_type;

using mongodb_replica_set = scripted_set;
POLYPOOL_BOTH_WAYS(mongodb_replica_set);

TEST_P(mongodb_replica_set, reads_go_where_the_preference_says) {
  mongodb_client db(go_, whole_set());
  const auto find = doc(R"({"find": "things"})");
  const auto read = [&](std::optional<read_preference> from) {
    auto what = db.command(find, access::read);
    what.from = from;
    go_(db->run(what));
  };
  read(std::nullopt);
  EXPECT_EQ(first_.requests("find").size(), 1u);
  read(read_preference::secondary);
  ASSERT_EQ(second_.requests("find").size(), 1u);
  EXPECT_EQ(second_.requests("find")[0].body.at("$readPreference").at("mode"), "secondary");
  read(read_preference::secondary_preferred);
  EXPECT_EQ(second_.requests("find").size(), 2u);
  read(read_preference::primary_preferred);
  EXPECT_EQ(first_.requests("find").size(), 2u);
  read(read_preference::nearest);
  EXPECT_EQ(first_.requests("find").size() + second_.requests("find").size(), 5u);
  db.insert("things", {doc("{}")});
  EXPECT_EQ(first_.requests("insert").size(), 1u);
  EXPECT_TRUE(second_.requests("insert").empty());
}

TEST_P(mongodb_replica_set, the_configured_preference) {
  auto there = whole_set();
  for (const auto* spelling : {"secondary", "secondaryPreferred", "secondary_preferred"}) {
    there.options["read_preference"] = spelling;
    mongodb_client db(go_, there);
    const auto before = second_.requests("find").size();
    db.run(doc(R"({"find": "things"})"), access::read);
    EXPECT_EQ(second_.requests("find").size(), before + 1) << spelling;
  }
}

TEST_P(mongodb_replica_set, a_cursor_stays_with_its_server) {
  const auto batches = [](const script_request& request) -> std::optional<script_answer> {
    if (request.name == "find") return script_answer::batch("scripted.things", {doc(R"({"_id": 1})")}, 9);
    if (request.name == "getMore") return script_answer::batch("scripted.things", {doc(R"({"_id": 2})")}, 0, false);
    return std::nullopt;
  };
  first_.on_command(batches);
  second_.on_command(batches);
  auto there = whole_set();
  there.options["read_preference"] = "secondary";
  mongodb_client db(go_, there);
  EXPECT_EQ(db.all(R"({"find": "things"})").size(), 2u);
  EXPECT_EQ(second_.requests("getMore").size(), 1u);
  EXPECT_EQ(bson::as_int64(second_.requests("getMore")[0].body.at("getMore")), 9);
  EXPECT_TRUE(first_.requests("getMore").empty());
}

TEST_P(mongodb_replica_set, a_new_primary_is_found) {
  mongodb_client db(go_, whole_set());
  db.insert("things", {doc("{}")});
  EXPECT_EQ(first_.requests("insert").size(), 1u);
  elect(&second_);
  first_.on_command([](const script_request& request) -> std::optional<script_answer> {
    if (request.name != "insert") return std::nullopt;
    return script_answer::failure(10107, "not primary", {"RetryableWriteError"});
  });
  db.insert("things", {doc("{}")});  // repeated by libmongoc, with the same number, so that it counts once
  ASSERT_EQ(second_.requests("insert").size(), 1u);
  EXPECT_EQ(second_.requests("insert")[0].body.at("txnNumber"), first_.requests("insert").back().body.at("txnNumber"));
  EXPECT_FALSE(db->broken());
}

TEST_P(mongodb_replica_set, waits_for_a_primary) {
  elect(nullptr);
  auto there = whole_set();
  there.options["read_preference"] = "nearest";
  there.options["server_selection_timeout"] = "400ms";
  mongodb_client db(go_, there);
  const auto problem = failure_of(go_, db->run(db.command(doc(R"({"ping": 1})"), access::write)));
  EXPECT_EQ(problem.portable_code(), errc::connection_lost) << problem.what();
  EXPECT_EQ(problem.disposition(), disposition::retryable);
  EXPECT_FALSE(db->broken()) << "the members that are there can still be read";
  there.options["server_selection_timeout"] = "20s";
  mongodb_client patient(go_, there);
  std::jthread election([&] {
    EXPECT_TRUE(wait_until([&] { return second_.connections() >= 2; }));
    elect(&second_);
  });
  EXPECT_EQ(patient.run(R"({"ping": 1})", access::write).at("ok"), 1.0);
}

TEST_P(mongodb_replica_set, one_member_that_is_down) {
  second_.refuse(true);
  second_.cut_all();
  mongodb_client db(go_, whole_set());
  db.insert("things", {doc("{}")});
  EXPECT_EQ(first_.requests("insert").size(), 1u);
}

TEST_P(mongodb_replica_set, the_wrong_set) {
  auto there = whole_set();
  there.options["replica_set"] = "another";
  there.connect_timeout = 2s;
  const auto problem = failure_of(go_, mongodb::make_driver()->connect(there));
  EXPECT_EQ(problem.portable_code(), errc::connect_failed) << problem.what();
  EXPECT_NE(problem.hint().find("replica_set"), std::string::npos) << problem.what();
}

TEST_P(mongodb_replica_set, roles) {
  EXPECT_EQ(go_(mongodb_client(go_, alone(first_))->describe()).role, server_info::role_type::primary);
  mongodb_client replica(go_, alone(second_));
  EXPECT_EQ(go_(replica->describe()).role, server_info::role_type::replica);
  second_.on_command([](const script_request& request) -> std::optional<script_answer> {
    if (request.name != "insert") return std::nullopt;
    return script_answer::failure(10107, "not primary");
  });
  std::vector<document_write> writes{document_write::insert({})};
  document_writes what;
  what.database = "scripted";
  what.collection = "things";
  what.writes = &writes;
  const auto problem = failure_of(go_, replica->write(what));
  EXPECT_EQ(problem.portable_code(), errc::read_only);
  EXPECT_EQ(problem.disposition(), disposition::retryable_elsewhere);
  EXPECT_TRUE(problem.poisons_session());
  EXPECT_TRUE(replica->broken());
}

}  // namespace
}  // namespace polypool::test
