// SPDX-License-Identifier: Apache-2.0
// Documents there and back: all types, and the limits.
#include "fixture.hpp"
#include "support/mongodb_script.hpp"

#include <mutex>

namespace polypool::test {
namespace {

namespace json = boost::json;

using mongodb_values = mongodb_ways;
POLYPOOL_BOTH_WAYS(mongodb_values);

TEST_P(mongodb_values, types_that_the_server_keeps) {
  auto db = make_client();
  const auto source = doc(R"({
    "_id": {"$oid": "65f1a2b3c4d5e6f708192a3b"},
    "double": {"$numberDouble": "1.5"}, "whole": {"$numberDouble": "1.0"}, "text": "text \" \\ \n é 漢 🌍", "empty": "",
    "document": {"a": {"b": {}}}, "array": [{"$numberInt": "1"}, {"$numberLong": "2"}, {"x": []}],
    "binary": {"$binary": {"base64": "AP+A", "subType": "00"}}, "uuid": {"$binary": {"base64": "yO2rw/c4TKO2jauSqRR4ow==", "subType": "04"}},
    "yes": true, "no": false, "date": {"$date": {"$numberLong": "1709208000500"}}, "long ago": {"$date": {"$numberLong": "-1"}},
    "null": null, "regex": {"$regularExpression": {"pattern": "^a", "options": "i"}}, "int": {"$numberInt": "-5"},
    "stamp": {"$timestamp": {"t": 1709208000, "i": 7}}, "long": {"$numberLong": "5"},
    "least": {"$numberLong": "-9223372036854775808"}, "most": {"$numberLong": "9223372036854775807"}
  })");
  db.insert("types", {source});
  const auto found = db.all(doc(R"({"find": "types"})"), json_form::canonical);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(json::serialize(found[0]), json::serialize(source));
  const auto relaxed = db.all(R"({"find": "types"})").at(0);
  EXPECT_EQ(relaxed.at("date"), doc(R"({"$date": "2024-02-29T12:00:00.500Z"})"));
  EXPECT_EQ(relaxed.at("least").as_int64(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(db.all(R"({"find": "types", "filter": {"_id": {"$oid": "65f1a2b3c4d5e6f708192a3b"}}})").size(), 1u);
  EXPECT_EQ(db.all(R"({"find": "types", "filter": {"date": {"$lt": {"$date": "2024-03-01T00:00:00Z"}}}})").size(), 1u);
}

TEST_P(mongodb_values, large_documents) {
  auto db = make_client();
  document large;
  large["_id"] = 1;
  large["text"] = std::string(15 * 1024 * 1024, 'x');
  db.insert("large", {large});
  const auto found = db.all(R"({"find": "large"})");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].at("text").as_string().size(), 15u * 1024 * 1024);
  large["_id"] = 2;
  large["text"] = std::string(17 * 1024 * 1024, 'x');
  try {
    db.insert("large", {large});
    ADD_FAILURE() << "was taken";
  } catch (const document_write_error& problem) {
    EXPECT_EQ(problem.portable_code(), errc::invalid_value) << problem.what();
    EXPECT_EQ(problem.outcome().inserted, 0u);
  }
  EXPECT_FALSE(db->broken());
  EXPECT_EQ(db.run(R"({"count": "large"})").at("n"), 1);
}

TEST_P(mongodb_values, many_writes_are_split_into_messages) {
  auto db = make_client();
  std::vector<document_write> writes;
  for (int i = 0; i < 60; ++i) {
    writes.push_back(document_write::insert({{"_id", i}, {"text", std::string(1024 * 1024, 'x')}}));
  }
  const auto outcome = db.write("many", std::move(writes));
  EXPECT_EQ(outcome.inserted, 60u) << "of 60 MB, over the limit of one message";
  EXPECT_EQ(outcome.inserted_ids.size(), 60u);
  EXPECT_EQ(db.run(R"({"count": "many"})").at("n"), 60);
}

TEST_P(mongodb_values, names_of_members) {
  auto db = make_client();
  const auto source = doc(R"({"_id": 1, "with blank": 1, "é": 2, "漢": {"🌍": 3}})");
  db.insert("names", {source});
  EXPECT_EQ(db.all(R"({"find": "names"})").at(0), source);
  document nul;
  nul[std::string_view("a\0b", 3)] = 1;
  EXPECT_THROW(db.insert("names", {nul}), error);
  EXPECT_EQ(db.failure(document{{"find", "names"}, {"filter", nul}}).portable_code(), errc::invalid_argument);
}

TEST_P(mongodb_values, deep_nesting) {
  auto db = make_client();
  document deep;
  deep["leaf"] = true;
  for (int i = 0; i < 90; ++i) deep = document{{"n", std::move(deep)}};
  deep["_id"] = 1;
  db.insert("deep", {deep});
  EXPECT_EQ(db.all(R"({"find": "deep"})").at(0).at("n"), deep.at("n"));
}

// What FerretDB does not keep, kept by a server that only remembers.
class mongodb_echo : public ::testing::TestWithParam<way> {
 protected:
  mongodb_echo() : go_(GetParam()) {
    server_.on_command([this](const script_request& request) -> std::optional<script_answer> {
      const std::scoped_lock lock(mutex_);
      if (request.name == "insert") kept_ = request.body.at("documents").as_array().at(0).as_object();
      if (request.name == "find") return script_answer::batch("scripted.things", {kept_});
      return std::nullopt;
    });
  }
  mongodb_script server_;
  std::mutex mutex_;
  document kept_;
  runner go_;
};
POLYPOOL_BOTH_WAYS(mongodb_echo);

TEST_P(mongodb_echo, every_type_of_bson) {
  mongodb_client db(go_, server_.where());
  const auto source = doc(R"({
    "_id": {"$numberLong": "1"}, "decimal": {"$numberDecimal": "0.10"}, "nan": {"$numberDouble": "NaN"},
    "infinity": {"$numberDouble": "-Infinity"}, "undefined": {"$undefined": true}, "symbol": {"$symbol": "s"},
    "code": {"$code": "f"}, "scoped": {"$code": "f", "$scope": {"x": {"$numberInt": "1"}}}, "min": {"$minKey": 1},
    "max": {"$maxKey": 1}, "pointer": {"$dbPointer": {"$ref": "a.b", "$id": {"$oid": "65f1a2b3c4d5e6f708192a3b"}}},
    "own": {"$binary": {"base64": "Zm9v", "subType": "80"}}, "": "empty name", "lists": [[], [[{"$numberLong": "2"}]]], "a.b": {"$numberInt": "1"}
  })");
  db.insert("things", {source});
  const auto found = db.all(doc(R"({"find": "things"})"), json_form::canonical);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(json::serialize(found[0]), json::serialize(source));
}

TEST_P(mongodb_echo, an_id_is_made_and_told) {
  mongodb_client db(go_, server_.where());
  std::vector<document_write> writes{document_write::insert(doc(R"({"a": 1})"))};
  document_writes what;
  what.database = db.database();
  what.collection = "things";
  what.writes = &writes;
  const auto outcome = go_(db->write(what));
  const std::scoped_lock lock(mutex_);
  EXPECT_EQ(kept_.at("_id"), outcome.inserted_ids.at(0));
  EXPECT_EQ(kept_.begin()->key(), "_id") << "it comes first";
}

TEST_P(mongodb_echo, unacknowledged_writes) {
  server_.join_set("rs", {server_.address()}, true);
  mongodb_client db(go_, server_.where());
  std::vector<document_write> writes{document_write::insert(doc(R"({"a": 1})"))};
  const auto options = doc(R"({"writeConcern": {"w": 0}})");
  document_writes what;
  what.database = db.database();
  what.collection = "things";
  what.writes = &writes;
  what.options = &options;
  EXPECT_FALSE(go_(db->write(what)).acknowledged);
  EXPECT_TRUE(wait_until([&] { return !server_.requests("insert").empty(); }));
  db.run(R"({"ping": 1})");
}

}  // namespace
}  // namespace polypool::test
