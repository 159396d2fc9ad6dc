// SPDX-License-Identifier: Apache-2.0
// From JSON to BSON and back: every type, every limit, and documents made at random.
#include "drivers/mongodb/bson_reader.hpp"
#include "drivers/mongodb/bson_writer.hpp"
#include "drivers/mongodb/native.hpp"

#include <polypool/bson_values.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

namespace polypool::mongodb {
namespace {

namespace json = boost::json;

document parsed(std::string_view text) { return json::parse(text).as_object(); }

document there_and_back(const document& source, json_form form) {
  bson_document made;
  append_members(made.get(), source);
  std::size_t offset = 0;
  EXPECT_TRUE(bson_validate(made.get(), BSON_VALIDATE_NONE, &offset)) << json::serialize(source);
  return read_document(made.get(), form);
}

error refusal(const document& source) {
  bson_document made;
  try {
    append_members(made.get(), source);
  } catch (const error& problem) {
    return problem;
  }
  ADD_FAILURE() << "was taken";
  return {errc::internal_error, "was taken"};
}

// Every type of BSON, in both forms.
TEST(bson, every_type_in_both_forms) {
  struct example {
    const char* canonical;
    const char* relaxed;
  };
  const example all[] = {
      {R"({"$numberDouble": "1.5"})", "1.5"},
      {R"({"$numberDouble": "-0.0"})", "-0.0"},
      {R"({"$numberDouble": "NaN"})", R"({"$numberDouble": "NaN"})"},
      {R"({"$numberDouble": "Infinity"})", R"({"$numberDouble": "Infinity"})"},
      {R"("text")", R"("text")"},
      {R"({"inner": {"$numberInt": "1"}})", R"({"inner": 1})"},
      {R"([{"$numberInt": "1"}, []])", "[1, []]"},
      {R"({"$binary": {"base64": "AP8=", "subType": "00"}})", R"({"$binary": {"base64": "AP8=", "subType": "00"}})"},
      {R"({"$binary": {"base64": "", "subType": "80"}})", R"({"$binary": {"base64": "", "subType": "80"}})"},
      {R"({"$binary": {"base64": "Zm9v", "subType": "02"}})", R"({"$binary": {"base64": "Zm9v", "subType": "02"}})"},
      {R"({"$undefined": true})", R"({"$undefined": true})"},
      {R"({"$oid": "65f1a2b3c4d5e6f708192a3b"})", R"({"$oid": "65f1a2b3c4d5e6f708192a3b"})"},
      {"true", "true"},
      {R"({"$date": {"$numberLong": "1709208000500"}})", R"({"$date": "2024-02-29T12:00:00.500Z"})"},
      {R"({"$date": {"$numberLong": "-1"}})", R"({"$date": {"$numberLong": "-1"}})"},
      {"null", "null"},
      {R"({"$regularExpression": {"pattern": "^a", "options": "im"}})",
       R"({"$regularExpression": {"pattern": "^a", "options": "im"}})"},
      {R"({"$dbPointer": {"$ref": "a.b", "$id": {"$oid": "65f1a2b3c4d5e6f708192a3b"}}})",
       R"({"$dbPointer": {"$ref": "a.b", "$id": {"$oid": "65f1a2b3c4d5e6f708192a3b"}}})"},
      {R"({"$code": "f"})", R"({"$code": "f"})"},
      {R"({"$symbol": "s"})", R"({"$symbol": "s"})"},
      {R"({"$code": "f", "$scope": {"x": {"$numberInt": "1"}}})", R"({"$code": "f", "$scope": {"x": 1}})"},
      {R"({"$numberInt": "-5"})", "-5"},
      {R"({"$timestamp": {"t": 4294967295, "i": 1}})", R"({"$timestamp": {"t": 4294967295, "i": 1}})"},
      {R"({"$numberLong": "9223372036854775807"})", "9223372036854775807"},
      {R"({"$numberDecimal": "0.1000000000000000000000000000000000"})",
       R"({"$numberDecimal": "0.1000000000000000000000000000000000"})"},
      {R"({"$numberDecimal": "1.000E+10"})", R"({"$numberDecimal": "1.000E+10"})"},
      {R"({"$numberDecimal": "NaN"})", R"({"$numberDecimal": "NaN"})"},
      {R"({"$minKey": 1})", R"({"$minKey": 1})"},
      {R"({"$maxKey": 1})", R"({"$maxKey": 1})"},
  };
  for (const auto& each : all) {
    document source;
    source["value"] = json::parse(each.canonical);
    EXPECT_EQ(json::serialize(there_and_back(source, json_form::canonical)), json::serialize(source));
    document relaxed;
    relaxed["value"] = json::parse(each.relaxed);
    EXPECT_EQ(json::serialize(there_and_back(source, json_form::relaxed)), json::serialize(relaxed));
  }
  EXPECT_EQ(there_and_back(parsed(R"({"small": 5, "large": 2147483648})"), json_form::canonical),
            parsed(R"({"small": {"$numberInt": "5"}, "large": {"$numberLong": "2147483648"}})"));
  EXPECT_EQ(there_and_back(parsed(R"({"keeps": {"$numberLong": "5"}})"), json_form::canonical),
            parsed(R"({"keeps": {"$numberLong": "5"}})"));
}

TEST(bson, names_and_texts_of_all_sorts) {
  document source;
  source[""] = "";
  source["$set"] = 1;
  source["a.b"] = std::string("nul\0inside", 10);
  source["ключ 🗝"] = "значение 🌍";
  source[std::string(5000, 'k')] = std::string(100000, 'v');
  EXPECT_EQ(there_and_back(source, json_form::relaxed), source);
  document nul;
  nul[std::string_view("a\0b", 3)] = 1;
  EXPECT_EQ(refusal(nul).portable_code(), errc::invalid_argument);
  document broken;
  broken["outer"] = document{{"inner", "\xff\xfe"}};
  const auto problem = refusal(broken);
  EXPECT_EQ(problem.portable_code(), errc::invalid_value);
  EXPECT_NE(problem.cause().find("outer.inner"), std::string::npos) << problem.what();
  document broken_name;
  broken_name["\xff"] = 1;
  EXPECT_EQ(refusal(broken_name).portable_code(), errc::invalid_value);
}

TEST(bson, what_has_no_place_in_bson) {
  document large;
  large["n"] = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(refusal(large).portable_code(), errc::invalid_value);
  EXPECT_EQ(refusal(parsed(R"({"n": {"$numberDecimal": "12,5"}})")).portable_code(), errc::invalid_argument);
  EXPECT_EQ(refusal(parsed(R"({"n": {"$numberDecimal": ""}})")).portable_code(), errc::invalid_argument);
  EXPECT_EQ(refusal(parsed(R"({"n": {"$code": "a\u0000b"}})")).portable_code(), errc::invalid_argument);
  const auto problem = refusal(parsed(R"({"list": [1, {"$oid": "short"}]})"));
  EXPECT_NE(problem.cause().find("list.1"), std::string::npos) << problem.what();
}

TEST(bson, nesting_is_limited_both_ways) {
  const auto nested = [](int levels) {
    document out;
    for (int i = 0; i < levels; ++i) {
      document outer;
      outer["a"] = std::move(out);
      out = std::move(outer);
    }
    return out;
  };
  EXPECT_EQ(there_and_back(nested(150), json_form::relaxed), nested(150));
  EXPECT_EQ(refusal(nested(400)).portable_code(), errc::invalid_value);
  bson_t* hostile = bson_new();
  for (int i = 0; i < 1000; ++i) {
    bson_t* outer = bson_new();
    bson_append_document(outer, "a", 1, hostile);
    bson_destroy(hostile);
    hostile = outer;
  }
  EXPECT_THROW(read_document(hostile, json_form::relaxed), error);
  bson_destroy(hostile);
}

TEST(bson, the_first_of_two_equal_names_counts) {
  bson_document made;
  bson_append_int32(made.get(), "a", 1, 1);
  bson_append_int32(made.get(), "a", 1, 2);
  EXPECT_EQ(read_document(made.get(), json_form::relaxed), parsed(R"({"a": 1})"));
}

TEST(bson, damaged_bytes_are_refused) {
  bson_document made;
  append_members(made.get(),
                 parsed(R"({"text": "something", "n": {"$numberLong": "5"}, "list": [1, 2, {"x": null}]})"));
  const std::string whole(reinterpret_cast<const char*>(bson_get_data(made.get())), made.get()->len);
  const auto read = [](const std::string& bytes) {
    try {
      read_document(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), json_form::canonical);
      return errc{};
    } catch (const error& problem) {
      return problem.portable_code();
    }
  };
  EXPECT_EQ(read(whole), errc{});
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_EQ(read(whole.substr(0, size)), errc::connection_lost);
  int refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int change : {1, 0x40, 0xff}) {
      auto damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ change);
      if (read(damaged) == errc::connection_lost) ++refused;
    }
  }
  EXPECT_GT(refused, 20);
}

// Documents made at random, with all types.
class maker {
 public:
  explicit maker(unsigned seed) : random_(seed) {}
  document make(int depth = 0) {
    document out;
    const auto count = random_() % 6;
    for (unsigned i = 0; i < count; ++i) out[name()] = value(depth);
    return out;
  }

 private:
  std::string text(std::size_t most) {
    static constexpr std::string_view pieces[] = {
        "a", "Z", "0", " ", "\n", "é", "漢", "🌍", "\"", "\\", std::string_view("\0", 1)};
    std::string out;
    for (auto left = random_() % (most + 1); left > 0; --left) out += pieces[random_() % std::size(pieces)];
    return out;
  }
  std::string name() {
    auto out = "n" + text(5);  // never like an operator
    std::erase(out, '\0');
    return out;
  }
  json::value value(int depth) {
    const auto integer = static_cast<std::int64_t>((static_cast<std::uint64_t>(random_()) << 32) | random_());
    std::vector<std::byte> data(random_() % 10);
    switch (random_() % (depth < 4 ? 16 : 14)) {
      case 0:
        return nullptr;
      case 1:
        return random_() % 2 == 0;
      case 2:
        return bson::int32(static_cast<std::int32_t>(integer));
      case 3:
        return bson::int64(integer);
      case 4:
        return std::ldexp(static_cast<double>(integer), static_cast<int>(random_() % 100) - 50);
      case 5:
        return json::string(text(20));
      case 6:
        return bson::date(bson::time(std::chrono::milliseconds(integer)));
      case 7:
        return bson::object_id("65f1a2b3c4d5e6f70819" + std::to_string(1000 + random_() % 9000));
      case 8:
        for (auto& each : data) each = static_cast<std::byte>(random_());
        return bson::binary(data, static_cast<std::uint8_t>(128 + random_() % 100));
      case 9:
        return bson::decimal(std::to_string(integer) + "E" + std::to_string(static_cast<int>(random_() % 200) - 100));
      case 10:
        return bson::regex("^x", "i");
      case 11:
        return bson::timestamp(static_cast<std::uint32_t>(random_()), static_cast<std::uint32_t>(random_()));
      case 12:
        return json::parse(R"({"$minKey": 1})");
      case 13:
        return json::parse(R"({"$code": "f", "$scope": {
          "x" : {"$numberInt" : "1"}}
    })");
      case 14: {
        json::array out;
        for (auto left = random_() % 5; left > 0; --left) out.push_back(value(depth + 1));
        return out;
      }
      default:
        return make(depth + 1);
    }
  }
  std::mt19937 random_;
};

TEST(bson, random_documents_come_back) {
  for (unsigned seed = 0; seed < 2000; ++seed) {
    const auto source = maker(seed).make();
    bson_document first;
    append_members(first.get(), source);
    for (const auto form : {json_form::canonical, json_form::relaxed}) {
      const auto again = read_document(first.get(), form);
      const auto text = json::serialize(again);
      bson_document second;
      append_members(second.get(), again);
      if (form == json_form::canonical) {
        ASSERT_TRUE(bson_equal(first.get(), second.get())) << seed << ": " << text;
      } else {
        // Only the widths of integers may have changed.
        ASSERT_EQ(json::serialize(read_document(second.get(), form)), text) << seed;
      }
    }
  }
}

// What libbson itself makes of the same bytes.
TEST(bson, agrees_with_libbson) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    bson_document made;
    append_members(made.get(), maker(seed).make());
    const std::unique_ptr<char, decltype(&bson_free)> text(bson_as_canonical_extended_json(made.get(), nullptr),
                                                           &bson_free);
    ASSERT_TRUE(text);
    bson_document ours;
    append_members(ours.get(), json::parse(text.get()).as_object());
    ASSERT_TRUE(bson_equal(made.get(), ours.get())) << seed << ": " << text.get();
  }
}

}  // namespace
}  // namespace polypool::mongodb
