// SPDX-License-Identifier: Apache-2.0
// Everything that a collection can do.
#include "manager_fixture.hpp"

#include <algorithm>
#include <set>

namespace polypool::test {
namespace {

namespace json = boost::json;
POLYPOOL_BOTH_WAYS(mongodb_handles);

json::array array(std::string_view text) { return json::parse(text).as_array(); }

TEST_P(mongodb_handles, inserts_and_finds) {
  const auto one = go_(articles().async_insert_one(doc(R"({"title": "first", "views": 1})")));
  EXPECT_TRUE(one.acknowledged);
  EXPECT_EQ(bson::as_object_id(one.id).size(), 24u);
  const auto many =
      go_(articles().async_insert_many({doc(R"({"_id": 7, "title": "seven"})"), doc(R"({"title": "x"})")}));
  ASSERT_EQ(many.ids.size(), 2u);
  EXPECT_EQ(many.ids[0], 7);

  document by_id;
  by_id["_id"] = one.id;
  const auto found = go_(articles().async_find_one(by_id));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->at("title"), "first");
  EXPECT_EQ(found->at("_id"), one.id);
  EXPECT_FALSE(go_(articles().async_find_one(doc(R"({"title": "none"})"))));
  EXPECT_EQ(articles().find_one(doc(R"({"_id": 7})"))->at("title"), "seven");

  auto cursor = go_(articles().async_find());
  std::set<std::string> titles;
  while (auto next = go_(cursor.async_next())) titles.insert(std::string(next->at("title").as_string()));
  EXPECT_EQ(titles, (std::set<std::string>{"first", "seven", "x"}));
  EXPECT_FALSE(go_(cursor.async_next()));
}

TEST_P(mongodb_handles, options_of_find) {
  std::vector<document> numbers;
  for (int i = 1; i <= 20; ++i) numbers.push_back({{"_id", i}, {"odd", i % 2 == 1}, {"text", "t" + std::to_string(i)}});
  go_(articles().async_insert_many(numbers));
  const auto how = find_options().sort(doc(R"({"_id": -1})")).skip(2).limit(3).projection(doc(R"({"text": 1})"));
  auto cursor = go_(articles().async_find(doc(R"({"odd": true})"), how));
  const auto found = go_(cursor.async_all());
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0], doc(R"({"_id": 15, "text": "t15"})"));
  EXPECT_EQ(found[2].at("_id"), 11);
  const auto last = go_(articles().async_find_one({}, find_options().sort(doc(R"({"_id": -1})"))));
  EXPECT_EQ(last->at("_id"), 20);
  const auto exact = go_(articles().async_find_one(doc(R"({"_id": 1})"), find_options().canonical()));
  EXPECT_EQ(exact->at("_id"), bson::int32(1));
  // In several fetches, and in a range.
  int sum = 0;
  for (auto& each : articles().find({}, find_options().batch_size(3)))
    sum += static_cast<int>(each.at("_id").as_int64());
  EXPECT_EQ(sum, 210);
  EXPECT_EQ(mgr_->get("documents").statistics().pool.in_use, 0u);
}

TEST_P(mongodb_handles, counts_and_distinct_values) {
  go_(articles().async_insert_many(
      {doc(R"({"kind": "a", "n": 1})"), doc(R"({"kind": "b", "n": 2})"), doc(R"({"kind": "a", "n": 3})")}));
  EXPECT_EQ(go_(articles().async_count_documents()), 3u);
  EXPECT_EQ(go_(articles().async_count_documents(doc(R"({"kind": "a"})"))), 2u);
  EXPECT_EQ(go_(articles().async_count_documents(doc(R"({"kind": "none"})"))), 0u);
  EXPECT_EQ(go_(articles().async_count_documents({}, count_options().skip(1).limit(1))), 1u);
  EXPECT_EQ(articles().count_documents(), 3u);
  EXPECT_EQ(go_(articles().async_estimated_document_count()), 3u);
  auto kinds = go_(articles().async_distinct("kind"));
  std::ranges::sort(kinds, {}, [](const json::value& each) { return std::string(each.as_string()); });
  EXPECT_EQ(kinds, array(R"(["a", "b"])"));
  EXPECT_EQ(go_(articles().async_distinct("n", doc(R"({"kind": "b"})"))), array("[2]"));
  EXPECT_EQ(go_(db_->collection("nothing").async_count_documents()), 0u);
}

TEST_P(mongodb_handles, updates) {
  go_(articles().async_insert_many({doc(R"({"_id": 1, "n": 1})"), doc(R"({"_id": 2, "n": 1})")}));
  const auto one = go_(articles().async_update_one(doc(R"({"n": 1})"), doc(R"({"$set": {"n": 5}})")));
  EXPECT_EQ(one.matched, 1u);
  EXPECT_EQ(one.modified, 1u);
  EXPECT_FALSE(one.upserted_id);
  const auto same = go_(articles().async_update_one(doc(R"({"n": 5})"), doc(R"({"$set": {"n": 5}})")));
  EXPECT_EQ(same.matched, 1u);
  EXPECT_EQ(same.modified, 0u);
  const auto many = go_(articles().async_update_many({}, doc(R"({"$inc": {"n": 10}})")));
  EXPECT_EQ(many.matched, 2u);
  const auto made = go_(
      articles().async_update_one(doc(R"({"_id": "new"})"), doc(R"({"$set": {"n": 0}})"), update_options().upsert()));
  EXPECT_EQ(made.matched, 0u);
  ASSERT_TRUE(made.upserted_id);
  EXPECT_EQ(*made.upserted_id, "new");
  const auto replaced = go_(articles().async_replace_one(doc(R"({"_id": 1})"), doc(R"({"all": "new"})")));
  EXPECT_EQ(replaced.modified, 1u);
  EXPECT_EQ(*articles().find_one(doc(R"({"_id": 1})")), doc(R"({"_id": 1, "all": "new"})"));
  const auto mixed_up = failure_of(go_, articles().async_update_one({}, doc(R"({"n": 1})")));
  EXPECT_EQ(mixed_up.portable_code(), errc::invalid_argument);
  EXPECT_EQ(failure_of(go_, articles().async_replace_one({}, doc(R"({"$set": {"n": 1}})"))).portable_code(),
            errc::invalid_argument);
  EXPECT_EQ(go_(articles().async_delete_one(doc(R"({"_id": 1})"))).deleted, 1u);
  EXPECT_EQ(go_(articles().async_delete_one(doc(R"({"_id": 1})"))).deleted, 0u);
  EXPECT_EQ(go_(articles().async_delete_many({})).deleted, 2u);
}

TEST_P(mongodb_handles, finds_and_modifies) {
  go_(articles().async_insert_many({doc(R"({"_id": 1, "n": 1})"), doc(R"({"_id": 2, "n": 2})")}));
  const auto before = go_(articles().async_find_one_and_update(doc(R"({"_id": 1})"), doc(R"({"$inc": {"n": 1}})")));
  EXPECT_EQ(before->at("n"), 1);
  const auto after = go_(articles().async_find_one_and_update(doc(R"({"_id": 1})"), doc(R"({"$inc": {"n": 1}})"),
                                                              modify_options().return_after()));
  EXPECT_EQ(after->at("n"), 3);
  EXPECT_FALSE(go_(articles().async_find_one_and_update(doc(R"({"_id": 9})"), doc(R"({"$inc": {"n": 1}})"))));
  const auto made = go_(articles().async_find_one_and_update(doc(R"({"_id": 9})"), doc(R"({"$set": {"n": 9}})"),
                                                             modify_options().upsert().return_after()));
  EXPECT_EQ(made->at("n"), 9);
  const auto replaced = go_(articles().async_find_one_and_replace(doc(R"({"_id": 2})"), doc(R"({"m": 1})")));
  EXPECT_EQ(replaced->at("n"), 2);
  const auto gone = go_(articles().async_find_one_and_delete({}, modify_options().sort(doc(R"({"_id": -1})"))));
  EXPECT_EQ(gone->at("_id"), 9);
  EXPECT_FALSE(go_(articles().async_find_one_and_delete(doc(R"({"_id": 9})"))));
  EXPECT_EQ(articles().count_documents(), 2u);
}

TEST_P(mongodb_handles, aggregates) {
  go_(articles().async_insert_many(
      {doc(R"({"kind": "a", "n": 1})"), doc(R"({"kind": "b", "n": 2})"), doc(R"({"kind": "a", "n": 3})")}));
  auto cursor = go_(articles().async_aggregate(
      array(R"([{"$group": {"_id": "$kind", "sum": {"$sum": "$n"}}}, {"$sort": {"_id": 1}}])")));
  const auto sums = go_(cursor.async_all());
  ASSERT_EQ(sums.size(), 2u);
  EXPECT_EQ(sums[0], doc(R"({"_id": "a", "sum": 4})"));
  auto few =
      go_(articles().async_aggregate(array(R"([{"$match": {"kind": "a"}}])"), aggregate_options().batch_size(1)));
  EXPECT_EQ(go_(few.async_all()).size(), 2u);
  const auto problem = failure_of(go_, articles().async_aggregate(array(R"([{"$noSuchStage": 1}])")));
  EXPECT_TRUE(problem.portable_code() == errc::syntax_error || problem.portable_code() == errc::database_error ||
              problem.portable_code() == errc::unsupported)
      << problem.what();
}

TEST_P(mongodb_handles, indexes) {
  EXPECT_TRUE(go_(articles().async_list_indexes()).empty()) << "there is no such collection yet";
  EXPECT_EQ(go_(articles().async_create_index(doc(R"({"author": 1, "date": -1})"))), "author_1_date_-1");
  EXPECT_EQ(go_(articles().async_create_index(doc(R"({"slug": 1})"), index_options().unique().name("slugs"))), "slugs");
  const auto all = go_(articles().async_list_indexes());
  std::set<std::string> names;
  for (const auto& each : all) names.insert(std::string(each.at("name").as_string()));
  EXPECT_EQ(names, (std::set<std::string>{"_id_", "author_1_date_-1", "slugs"}));
  go_(articles().async_insert_one(doc(R"({"slug": "same"})")));
  const auto twice = failure_of(go_, articles().async_insert_one(doc(R"({"slug": "same"})")));
  EXPECT_EQ(twice.portable_code(), errc::unique_violation);
  EXPECT_EQ(twice.native_code(), 11000);
  go_(articles().async_drop_index("slugs"));
  go_(articles().async_insert_one(doc(R"({"slug": "same"})")));
  go_(articles().async_drop_indexes());
  EXPECT_EQ(go_(articles().async_list_indexes()).size(), 1u);
  EXPECT_EQ(failure_of(go_, articles().async_drop_index("never")).portable_code(), errc::undefined_object);
}

TEST_P(mongodb_handles, collections_and_databases) {
  const auto made = go_(db_->async_create_collection("made"));
  EXPECT_EQ(made.name(), "made");
  go_(articles().async_insert_one(doc("{}")));
  auto names = go_(db_->async_collection_names());
  std::ranges::sort(names);
  EXPECT_EQ(names, (std::vector<std::string>{"articles", "made"}));
  const auto listed = go_(db_->async_list_collections(doc(R"({"name": "made"})")));
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].at("type"), "collection");
  EXPECT_NE(failure_of(go_, db_->async_create_collection("made")).native_code(), 0);
  go_(db_->async_drop_collection("made"));
  go_(db_->async_drop_collection("made"));
  EXPECT_EQ(db_->collection_names().size(), 1u);
  EXPECT_GE(go_(articles().async_stats()).at("count").to_number<int>(), 1);
  EXPECT_EQ(go_(db_->async_stats()).at("collections").to_number<int>(), 1);
  EXPECT_EQ(go_(db_->async_run_command(doc(R"({"ping": 1})"))).at("ok"), 1.0);
  EXPECT_EQ(db_->run_command(doc(R"({"ping": 1})"), command_options().reads_only()).at("ok"), 1.0);
  EXPECT_EQ(failure_of(go_, db_->async_run_command(doc(R"({"noSuchCommand": 1})"))).portable_code(), errc::unsupported);

  const auto other = db_->in(playground_->name() + "_other");
  go_(other.collection("articles").async_insert_one(doc(R"({"other": true})")));
  EXPECT_EQ(articles().count_documents(), 1u);
  EXPECT_EQ(other.collection("articles").count_documents(), 1u);
  go_(other.async_drop());
  EXPECT_TRUE(other.collection_names().empty());
}

TEST_P(mongodb_handles, bulk_writes) {
  std::vector<document_write> writes;
  writes.push_back(document_write::insert(doc(R"({"_id": 1})")));
  writes.push_back(document_write::insert(doc(R"({"_id": 1})")));
  writes.push_back(document_write::insert(doc(R"({"_id": 2})")));
  writes.push_back(document_write::update_one(doc(R"({"_id": 1})"), doc(R"({"$set": {"n": 1}})")));
  try {
    go_(articles().async_bulk_write(writes));
    ADD_FAILURE() << "nothing was thrown";
  } catch (const document_write_error& problem) {
    EXPECT_EQ(problem.portable_code(), errc::unique_violation);
    EXPECT_EQ(problem.connection(), "documents");
    EXPECT_EQ(problem.operation(), "bulk_write");
    ASSERT_EQ(problem.failures().size(), 1u);
    EXPECT_EQ(problem.failures()[0].index, 1u);
    EXPECT_EQ(problem.failures()[0].native_code, 11000);
    EXPECT_EQ(problem.outcome().inserted, 1u);
    ASSERT_EQ(problem.outcome().inserted_ids.size(), 1u);
    EXPECT_EQ(problem.outcome().inserted_ids[0], 1);
    EXPECT_EQ(problem.outcome().modified, 0u) << "it stops at the first failure";
  }
  try {
    articles().bulk_write(writes, insert_options().unordered());
    ADD_FAILURE() << "nothing was thrown";
  } catch (const document_write_error& problem) {
    EXPECT_EQ(problem.failures().size(), 2u);
    EXPECT_EQ(problem.outcome().inserted, 1u);
    EXPECT_EQ(problem.outcome().inserted_ids.at(0), 2);
    EXPECT_EQ(problem.outcome().modified, 1u);
  }
  EXPECT_EQ(go_(articles().async_bulk_write({})).inserted, 0u);
}

}  // namespace
}  // namespace polypool::test
