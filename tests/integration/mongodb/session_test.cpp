// SPDX-License-Identifier: Apache-2.0
// What a session is on first sight.
#include "fixture.hpp"

#include <mongoc/mongoc.h>

namespace polypool::test {

std::unique_ptr<document_session> connect_mongodb(runner& go, const endpoint& where) {
  auto made = go(mongodb::make_driver()->connect(where));
  auto* documents = dynamic_cast<document_session*>(made.get());
  if (documents == nullptr) throw std::logic_error("not a session that speaks documents");
  made.release();
  return std::unique_ptr<document_session>(documents);
}

mongodb_client::mongodb_client(runner& go, const endpoint& where)
    : go_(go), database_(where.database), session_(connect_mongodb(go, where)) {}

std::vector<document> mongodb_client::rest(document_cursor& from) {
  std::vector<document> out;
  document next;
  do {
    while (from.take(next)) out.push_back(next);
  } while (go_(from.fetch()));
  return out;
}

std::vector<document> mongodb_client::all(const document& body, json_form form) {
  const auto from = open(body, form);
  return rest(*from);
}

write_outcome mongodb_client::write(const std::string& collection, std::vector<document_write> writes, bool ordered) {
  document_writes what;
  what.database = database_;
  what.collection = collection;
  what.writes = &writes;
  what.ordered = ordered;
  return go_(session_->write(what));
}

void mongodb_client::insert(const std::string& collection, std::vector<document> documents) {
  std::vector<document_write> writes;
  for (auto& each : documents) writes.push_back(document_write::insert(std::move(each)));
  write(collection, std::move(writes));
}

namespace {

using mongodb_session = mongodb_ways;
POLYPOOL_BOTH_WAYS(mongodb_session);

TEST_P(mongodb_session, says_what_it_is) {
  auto db = make_client();
  const auto info = go_(db->describe());
  EXPECT_EQ(info.version,
            std::string(playground_->admin().run("admin", R"({"buildInfo": 1})").at("version").as_string()));
  EXPECT_EQ(info.role, server_info::role_type::primary);
  EXPECT_EQ(playground_->sessions(), 1);
  EXPECT_FALSE(db->dirty());
  EXPECT_FALSE(db->broken());
  go_(db->probe());
  EXPECT_EQ(mongodb::make_driver()->type(), "mongodb");
  EXPECT_EQ(mongodb::make_driver()->kind(), database_kind::document);
}

TEST_P(mongodb_session, runs_commands) {
  auto db = make_client();
  EXPECT_EQ(db.run(R"({"ping": 1})").at("ok"), 1.0);
  db.insert("items", {doc(R"({"_id": 1, "name": "one"})"), doc(R"({"_id": 2, "name": "two"})")});
  EXPECT_EQ(db.run(R"({"count": "items"})").at("n"), 2);
  const auto found = db.all(R"({"find": "items", "filter": {"name": "two"}})");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0], doc(R"({"_id": 2, "name": "two"})"));
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(playground_->sessions(), 1);
}

TEST_P(mongodb_session, writes_of_all_kinds) {
  auto db = make_client();
  std::vector<document_write> writes;
  writes.push_back(document_write::insert(doc(R"({"_id": 1, "n": 1})")));
  writes.push_back(document_write::insert(doc(R"({"n": 2})")));
  writes.push_back(document_write::update_one(doc(R"({"_id": 1})"), doc(R"({"$set": {"n": 10}})")));
  writes.push_back(document_write::update_many(doc(R"({"n": {"$gt": 0}})"), doc(R"({"$inc": {"n": 1}})")));
  writes.push_back(document_write::replace_one(doc(R"({"_id": 1})"), doc(R"({"replaced": true})")));
  writes.push_back(document_write::delete_one(doc(R"({"_id": 1})")));
  // FerretDB counts upserts from the first one of a command, so this one begins a command.
  const auto upsert = doc(R"({"upsert": true})");
  writes.push_back(document_write::update_one(doc(R"({"_id": "new"})"), doc(R"({"$set": {"n": 5}})"), upsert));
  writes.push_back(document_write::delete_many(doc("{}")));
  const auto outcome = db.write("items", std::move(writes));
  EXPECT_EQ(outcome.inserted, 2u);
  EXPECT_EQ(outcome.matched, 4u);
  EXPECT_EQ(outcome.modified, 4u);
  EXPECT_EQ(outcome.deleted, 3u);
  ASSERT_EQ(outcome.inserted_ids.size(), 2u);
  EXPECT_EQ(outcome.inserted_ids[0], 1);
  EXPECT_EQ(bson::as_object_id(outcome.inserted_ids[1]).size(), 24u);
  ASSERT_EQ(outcome.upserted_ids.size(), 1u);
  EXPECT_EQ(outcome.upserted_ids[0].first, 6u);
  EXPECT_EQ(outcome.upserted_ids[0].second, "new");
  EXPECT_TRUE(outcome.acknowledged);
  EXPECT_EQ(db.write("items", {}).inserted, 0u);
}

TEST_P(mongodb_session, native_handle) {
  auto db = make_client();
  const auto handle = db->native();
  ASSERT_EQ(handle.type, std::type_index(typeid(mongoc_client_t*)));
  EXPECT_TRUE(db->dirty());
  auto* const client = static_cast<mongoc_client_t*>(handle.pointer);
  mongoc_collection_t* const items = mongoc_client_get_collection(client, db.database().c_str(), "items");
  bson_t* const what = BCON_NEW("_id", BCON_INT32(7));
  bson_error_t problem{};
  EXPECT_TRUE(mongoc_collection_insert_one(items, what, nullptr, nullptr, &problem)) << problem.message;
  bson_destroy(what);
  mongoc_collection_destroy(items);
  mongoc_client_set_error_api(client, 1);
  db.reset();
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(db.all(R"({"find": "items"})").size(), 1u);
  EXPECT_EQ(db.failure(R"({"noSuchCommand": 1})").portable_code(), errc::unsupported);
}

}  // namespace
}  // namespace polypool::test
