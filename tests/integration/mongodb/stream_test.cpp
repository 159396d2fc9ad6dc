// SPDX-License-Identifier: Apache-2.0
// Documents as they are asked for.
#include "fixture.hpp"
#include "support/memory.hpp"
#include "support/mongodb_script.hpp"

#include <atomic>

namespace polypool::test {
namespace {

using mongodb_stream = mongodb_ways;
POLYPOOL_BOTH_WAYS(mongodb_stream);

TEST_P(mongodb_stream, in_constant_memory) {
  auto db = make_client();
  const std::string filler(1000, 'x');
  for (int block = 0; block < 10; ++block) {
    std::vector<document> documents;
    for (int i = 0; i < 1000; ++i) documents.push_back({{"_id", block * 1000 + i}, {"filler", filler}});
    db.insert("wide", std::move(documents));
  }
  auto rows = db.open(R"({"find": "wide", "sort": {"_id": 1}, "batchSize": 200})");
  document next;
  int expected = 0;
  long before = 0;
  long most = 0;
  do {
    while (rows->take(next)) {
      ASSERT_EQ(next.at("_id"), expected++);
      ASSERT_EQ(next.at("filler").as_string().size(), 1000u);
    }
    if (before == 0) before = resident_bytes();
    most = std::max(most, resident_bytes());
  } while (go_(rows->fetch()));
  EXPECT_EQ(expected, 10'000);
  if (memory_is_ours) {
    EXPECT_LT(most - before, 4 * 1024 * 1024) << "of 10 MB";
  }
  EXPECT_FALSE(db->dirty());
  EXPECT_FALSE(go_(rows->fetch()));
}

TEST_P(mongodb_stream, finished_and_dropped_early) {
  auto db = make_client();
  std::vector<document> documents;
  for (int i = 0; i < 500; ++i) documents.push_back({{"_id", i}});
  db.insert("many", std::move(documents));
  const auto open = doc(R"({"find": "many", "batchSize": 10})");
  auto finished = db.open(open);
  EXPECT_TRUE(db->dirty());
  go_(finished->finish());
  EXPECT_FALSE(db->dirty());
  db.open(open).reset();
  EXPECT_TRUE(db->dirty());
  db.reset();
  EXPECT_FALSE(db->dirty());
  // Several at once, in turns.
  auto one = db.open(open);
  auto other = db.open(R"({"find": "many", "filter": {"_id": {"$gte": 250}}, "batchSize": 10})");
  EXPECT_EQ(db.rest(*other).size(), 250u);
  EXPECT_EQ(db.rest(*one).size(), 500u);
  EXPECT_FALSE(db->dirty());
}

TEST_P(mongodb_stream, small_empty_and_wrong) {
  auto db = make_client();
  EXPECT_TRUE(db.all(R"({"find": "nothing"})").empty());
  db.insert("one", {doc(R"({"_id": 1})")});
  EXPECT_EQ(db.all(R"({"find": "one"})").size(), 1u);
  EXPECT_EQ(db.all(R"({"aggregate": "one", "pipeline": [], "cursor": {"batchSize": 0}})").size(), 1u);
  EXPECT_EQ(failure_of(go_, db->open(db.command(doc(R"({"ping": 1})")))).portable_code(), errc::invalid_argument);
  EXPECT_NE(failure_of(go_, db->open(db.command(doc(R"({"find": "one", "filter": {"$no": 1}})")))).native_code(), 0);
  EXPECT_FALSE(db->dirty());
}

// A million documents from a server that makes them up as fast as they are read.
TEST(mongodb_million, documents_in_constant_memory) {
  constexpr int per_batch = 10'000;
  std::vector<document> documents;
  for (int i = 0; i < per_batch; ++i) documents.push_back({{"_id", i}, {"name", "somebody"}});
  const auto first = script_answer::encoded(script_answer::batch("scripted.things", documents, 5).reply);
  const auto more = script_answer::encoded(script_answer::batch("scripted.things", documents, 5, false).reply);
  const auto last =
      script_answer::encoded(script_answer::batch("scripted.things", std::move(documents), 0, false).reply);
  mongodb_script server;
  std::atomic<int> batches = 1;
  server.on_command([&](const script_request& request) -> std::optional<script_answer> {
    if (request.name == "find") return first;
    if (request.name == "getMore") return ++batches == 100 ? last : more;
    return std::nullopt;
  });
  runner go(way::blocking);
  mongodb_client db(go, server.where());
  const auto rows = db.open(R"({"find": "things"})");
  document next;
  int count = 0;
  long before = 0;
  long most = 0;
  do {
    while (rows->take(next)) ++count;
    if (before == 0 && batches > 3) before = resident_bytes();
    most = std::max(most, resident_bytes());
  } while (go(rows->fetch()));
  EXPECT_EQ(count, 1'000'000);
  if (memory_is_ours) {
    EXPECT_LT(most - before, 16 * 1024 * 1024);
  }
}

}  // namespace
}  // namespace polypool::test
