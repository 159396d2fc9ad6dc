// SPDX-License-Identifier: Apache-2.0
// Random documents there and back.
#include "support/random_values.hpp"

#include "driver/extended_json.hpp"
#include "fixture.hpp"
#include "support/mongodb_script.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <mutex>

namespace polypool::test {
namespace {

namespace json = boost::json;

// Documents in canonical extended JSON, of the types that every server keeps.
class random_documents {
 public:
  /// @param nested_arrays FerretDB has none
  random_documents(std::uint64_t seed, bool nested_arrays) : random_(seed), nested_arrays_(nested_arrays) {}

  document members(int level) {
    document out;
    for (auto left = random_() % 8; left > 0; --left) {
      out["m" + std::to_string(left) + (random_() % 3 == 0 ? " é漢🌍" : "")] = value(level);
    }
    return out;
  }

 private:
  template <class T>
  static json::value wrapped(const char* name, T inner) {
    document out;
    out[name] = std::move(inner);
    return out;
  }

  json::value value(int level) {
    switch (random_() % (level < 4 ? 14 : 11)) {
      case 0:
        return nullptr;
      case 1:
        return random_() % 2 == 0;
      case 2:
        return wrapped("$numberInt", std::to_string(static_cast<std::int32_t>(random_integer(random_))));
      case 3:
      case 4:
        return wrapped("$numberLong", std::to_string(random_integer(random_)));
      case 5:
        return wrapped("$numberDouble", extended_json::real_text(real()));
      case 6:
        return bson::object_id(digits(24));
      case 7:
        return wrapped("$date", wrapped("$numberLong", std::to_string(random_integer(random_) % 50'000'000'000'000)));
      case 8:
        return bson::binary(random_bytes(random_), random_() % 2 == 0 ? 0 : 0x80);
      case 9:
        return bson::timestamp(static_cast<std::uint32_t>(random_()), static_cast<std::uint32_t>(random_()));
      case 10:
        return json::string(random_text(random_));
      case 11:
        return members(level + 1);
      default:
        return elements(level + 1);
    }
  }

  json::array elements(int level) {
    json::array out;
    for (auto left = random_() % 6; left > 0; --left) {
      auto each = value(level);
      if (nested_arrays_ || !each.is_array()) out.push_back(std::move(each));
    }
    return out;
  }

  double real() {
    const auto out = std::bit_cast<double>(random_());
    return std::isfinite(out) ? out : 0.1;
  }
  std::string digits(int count) {
    std::string out;
    while (count-- > 0) out += "0123456789abcdef"[random_() % 16];
    return out;
  }

  std::mt19937_64 random_;
  bool nested_arrays_;
};

using mongodb_random = mongodb_ways;
POLYPOOL_BOTH_WAYS(mongodb_random);

TEST_P(mongodb_random, documents_come_back_the_same) {
  auto db = make_client();
  random_documents source(GetParam() == way::blocking ? 1 : 2, false);
  std::vector<document> all;
  for (int i = 0; i < 200; ++i) {
    document one{{"_id", document{{"$numberInt", std::to_string(i)}}}};
    one["inner"] = source.members(1);
    all.push_back(std::move(one));
  }
  db.insert("random", all);
  const auto found = db.all(doc(R"({"find": "random", "sort": {"_id": 1}})"), json_form::canonical);
  ASSERT_EQ(found.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(json::serialize(found[i]), json::serialize(all[i]));
  // What people read is the same to the server when it comes back.
  const auto relaxed = db.all(doc(R"({"find": "random", "sort": {"_id": 1}})"));
  db.run(R"({"drop": "random"})");
  db.insert("random", relaxed);
  const auto again = db.all(doc(R"({"find": "random", "sort": {"_id": 1}})"));
  ASSERT_EQ(again.size(), relaxed.size());
  for (std::size_t i = 0; i < again.size(); ++i) EXPECT_EQ(json::serialize(again[i]), json::serialize(relaxed[i]));
}

// All of it, with a server that only remembers.
TEST_P(mongodb_random, documents_of_any_shape) {
  mongodb_script server;
  std::mutex mutex;
  document kept;
  server.on_command([&](const script_request& request) -> std::optional<script_answer> {
    const std::scoped_lock lock(mutex);
    if (request.name == "insert") kept = request.body.at("documents").as_array().at(0).as_object();
    if (request.name == "find") return script_answer::batch("scripted.things", {kept});
    return std::nullopt;
  });
  mongodb_client db(go_, server.where());
  random_documents source(GetParam() == way::blocking ? 3 : 4, true);
  for (int i = 0; i < 100; ++i) {
    document one{{"_id", document{{"$numberInt", std::to_string(i)}}}};
    one["inner"] = source.members(1);
    db.insert("things", {one});
    const auto found = db.all(doc(R"({"find": "things"})"), json_form::canonical);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(json::serialize(found[0]), json::serialize(one));
  }
}

}  // namespace
}  // namespace polypool::test
