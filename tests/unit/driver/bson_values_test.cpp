// SPDX-License-Identifier: Apache-2.0
#include "driver/extended_json.hpp"

#include <polypool/bson_values.hpp>
#include <polypool/document.hpp>
#include <polypool/error.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace polypool {
namespace {

namespace json = boost::json;
using kind = extended_json::special::kind_type;

json::value parsed(std::string_view text) { return json::parse(text); }
extended_json::special read(std::string_view text) { return extended_json::read(parsed(text)); }

template <class Call>
errc code_of(Call call) {
  try {
    call();
  } catch (const error& problem) {
    EXPECT_FALSE(problem.cause().empty());
    return problem.portable_code();
  }
  return errc{};
}

TEST(extended_json, every_kind_is_recognized) {
  EXPECT_EQ(read(R"({"$oid": "65f1a2b3c4d5e6f708192a3b"})").kind, kind::object_id);
  EXPECT_EQ(read(R"({"$date": "2024-02-29T12:00:00.5Z"})").integer, 1709208000500);
  EXPECT_EQ(read(R"({"$date": "2024-02-29T13:00:00+01:00"})").integer, 1709208000000);
  EXPECT_EQ(read(R"({"$date": {"$numberLong": "-1"}})").integer, -1);
  EXPECT_EQ(read(R"({"$date": 5})").integer, 5);
  EXPECT_EQ(read(R"({"$numberInt": "-2147483648"})").integer, std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ(read(R"({"$numberLong": "9223372036854775807"})").integer, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(read(R"({"$numberDouble": "-1.5E+3"})").real, -1500);
  EXPECT_TRUE(std::isnan(read(R"({"$numberDouble": "NaN"})").real));
  EXPECT_TRUE(std::isinf(read(R"({"$numberDouble": "-Infinity"})").real));
  EXPECT_EQ(read(R"({"$numberDecimal": "0.1"})").kind, kind::decimal);
  EXPECT_EQ(read(R"({"$binary": {"base64": "Zm9v", "subType": "80"}})").subtype, 0x80);
  EXPECT_EQ(read(R"({"$binary": {"base64": "", "subType": "0"}})").data.size(), 0u);
  EXPECT_EQ(read(R"({"$binary": "Zm9v", "$type": "05"})").subtype, 5);
  EXPECT_EQ(read(R"({"$uuid": "c8edabc3-f738-4ca3-b68d-ab92a91478a3"})").subtype, 4);
  const auto expression = parsed(R"({"$regularExpression": {"pattern": "^a", "options": "i"}})");
  EXPECT_EQ(extended_json::read(expression).options, "i");
  EXPECT_EQ(read(R"({"$timestamp": {"t": 4294967295, "i": 1}})").seconds, 4294967295U);
  EXPECT_EQ(read(R"({"$code": "x"})").kind, kind::code);
  EXPECT_EQ(read(R"({"$scope": {"a": 1}, "$code": "x"})").kind, kind::scoped_code);
  EXPECT_EQ(read(R"({"$symbol": "x"})").kind, kind::symbol);
  EXPECT_EQ(read(R"({"$undefined": true})").kind, kind::undefined);
  EXPECT_EQ(read(R"({"$minKey": 1})").kind, kind::min_key);
  EXPECT_EQ(read(R"({"$maxKey": 1})").kind, kind::max_key);
  EXPECT_EQ(read(R"({"$dbPointer": {"$ref": "db.c", "$id": {"$oid": "65f1a2b3c4d5e6f708192a3b"}}})").kind,
            kind::pointer);
}

TEST(extended_json, operators_and_plain_documents_stay_what_they_are) {
  for (const auto* text :
       {"{}", R"({"a": 1})", R"({"$set": {"a": 1}})", R"({"$type": "string"})", R"({"$regex": "^a", "$options": "i"})",
        R"({"a": 1, "$oid": "x"})", R"({"$ref": "c", "$id": 1})", R"({"$gt": 1, "$lt": 2})", R"(["$oid"])", "null",
        "true", R"("$oid")"}) {
    EXPECT_EQ(read(text).kind, kind::none) << text;
  }
}

TEST(extended_json, what_looks_special_and_is_not_is_refused) {
  for (const auto* text : {R"({"$oid": 5})",
                           R"({"$oid": "65f1"})",
                           R"({"$oid": "65f1a2b3c4d5e6f708192a3g"})",
                           R"({"$oid": "65f1a2b3c4d5e6f708192a3b", "x": 1})",
                           R"({"$date": "yesterday"})",
                           R"({"$date": {}})",
                           R"({"$date": {"$numberInt": "1"}})",
                           R"({"$date": null})",
                           R"({"$numberInt": "2147483648"})",
                           R"({"$numberInt": 5})",
                           R"({"$numberLong": "5.5"})",
                           R"({"$numberLong": ""})",
                           R"({"$numberLong": "5 "})",
                           R"({"$numberDouble": "inf"})",
                           R"({"$numberDouble": "1,5"})",
                           R"({"$numberDecimal": 5})",
                           R"({"$binary": {"base64": "!", "subType": "00"}})",
                           R"({"$binary": {"base64": "Zm9v", "subType": "100"}})",
                           R"({"$binary": {"base64": "Zm9v"}})",
                           R"({"$binary": {"base64": "Zm9v", "subType": "0x"}})",
                           R"({"$binary": "Zm9v"})",
                           R"({"$uuid": "c8ed"})",
                           R"({"$regularExpression": {"pattern": "a"}})",
                           R"({"$regularExpression": {"pattern": "a\u0000", "options": ""}})",
                           R"({"$timestamp": {"t": -1, "i": 1}})",
                           R"({"$timestamp": {"t": 4294967296, "i": 1}})",
                           R"({"$timestamp": 5})",
                           R"({"$code": 5})",
                           R"({"$code": "x", "$scope": 5})",
                           R"({"$undefined": false})",
                           R"({"$minKey": 2})",
                           R"({"$maxKey": "1"})",
                           R"({"$dbPointer": {"$ref": 1, "$id": {}}})",
                           R"({"$symbol": null})"}) {
    EXPECT_EQ(code_of([&] { read(text); }), errc::invalid_argument) << text;
  }
}

TEST(bson_values, made_and_read_back) {
  const std::string id = "65f1a2b3c4d5e6f708192a3b";
  EXPECT_EQ(bson::as_object_id(bson::object_id(id)), id);
  EXPECT_EQ(code_of([] { bson::object_id("65f1"); }), errc::invalid_argument);
  using namespace std::chrono;
  const bson::time when = sys_days(year{2024} / February / 29) + 12h + 1ms;
  EXPECT_EQ(bson::as_date(bson::date(when)), when);
  EXPECT_EQ(bson::as_date(parsed(R"({"$date": "2024-02-29T12:00:00.001Z"})")), when);
  EXPECT_EQ(bson::as_int64(bson::int64(std::numeric_limits<std::int64_t>::min())),
            std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(bson::as_int64(bson::int32(-7)), -7);
  EXPECT_EQ(bson::as_int64(5), 5);
  EXPECT_EQ(bson::as_int64(5.0), 5);
  EXPECT_EQ(bson::as_int64(std::uint64_t{5}), 5);
  EXPECT_EQ(code_of([] { bson::as_int64(5.5); }), errc::type_mismatch);
  EXPECT_EQ(code_of([] { bson::as_int64(1e19); }), errc::type_mismatch);
  EXPECT_EQ(code_of([] { bson::as_int64(std::numeric_limits<std::uint64_t>::max()); }), errc::type_mismatch);
  EXPECT_EQ(bson::as_double(bson::decimal("1.5")), 1.5);
  EXPECT_EQ(bson::as_double(bson::decimal("-1E+400")), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(bson::as_double(bson::decimal("1E-400")), 0);
  EXPECT_EQ(bson::as_double(bson::int32(2)), 2);
  EXPECT_EQ(bson::as_double(0.5), 0.5);
  EXPECT_EQ(bson::as_decimal(bson::decimal("0.10")), "0.10");
  EXPECT_EQ(bson::as_decimal(7), "7");
  const bytes data{std::byte{0}, std::byte{255}, std::byte{7}};
  EXPECT_EQ(bson::as_binary(bson::binary(data, 128)), data);
  const auto uuid = *polypool::uuid::parse("c8edabc3-f738-4ca3-b68d-ab92a91478a3");
  EXPECT_EQ(bson::as_uuid(bson::uuid(uuid)), uuid);
  EXPECT_EQ(json::serialize(bson::regex("^a", "i")), R"({"$regularExpression":{"pattern":"^a","options":"i"}})");
  EXPECT_EQ(json::serialize(bson::timestamp(1, 2)), R"({"$timestamp":{"t":1,"i":2}})");
}

TEST(bson_values, other_values_are_refused_with_what_they_are) {
  const auto wrong = parsed(R"({"$date": "never"})");
  EXPECT_EQ(code_of([&] { bson::as_date(wrong); }), errc::type_mismatch);
  EXPECT_EQ(code_of([&] { bson::as_object_id(parsed("[]")); }), errc::type_mismatch);
  EXPECT_EQ(code_of([&] { bson::as_int64(parsed("\"5\"")); }), errc::type_mismatch);
  EXPECT_EQ(code_of([&] { bson::as_double(parsed("null")); }), errc::type_mismatch);
  EXPECT_EQ(code_of([&] { bson::as_binary(parsed("{}")); }), errc::type_mismatch);
  EXPECT_EQ(code_of([&] { bson::as_uuid(bson::binary({})); }), errc::type_mismatch);
  EXPECT_EQ(code_of([&] { bson::as_decimal(1.5); }), errc::type_mismatch);
  try {
    bson::as_date(parsed(R"({"when": "now"})"));
  } catch (const error& problem) {
    EXPECT_NE(std::string(problem.what()).find(R"({"when":"now"})"), std::string::npos) << problem.what();
  }
}

TEST(extended_json, texts) {
  EXPECT_EQ(extended_json::date_text(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(extended_json::date_text(1709208000500), "2024-02-29T12:00:00.500Z");
  EXPECT_EQ(extended_json::date_text(-1), "");
  EXPECT_EQ(extended_json::date_text(253402300799999), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(extended_json::date_text(253402300800000), "");
  EXPECT_EQ(extended_json::real_text(1), "1.0");
  EXPECT_EQ(extended_json::real_text(-0.0), "-0.0");
  EXPECT_EQ(extended_json::real_text(0.1), "0.1");
  EXPECT_EQ(extended_json::real_text(1e300), "1e+300");
  EXPECT_EQ(extended_json::real_text(std::numeric_limits<double>::infinity()), "Infinity");
}

TEST(read_preference, names) {
  for (const auto each : {read_preference::primary, read_preference::primary_preferred, read_preference::secondary,
                          read_preference::secondary_preferred, read_preference::nearest}) {
    EXPECT_EQ(parse_read_preference(to_string(each)), each);
  }
  EXPECT_EQ(parse_read_preference("secondary_preferred"), read_preference::secondary_preferred);
  EXPECT_EQ(parse_read_preference("PRIMARY"), read_preference::primary);
  EXPECT_FALSE(parse_read_preference("secondaryprefer"));
  EXPECT_FALSE(parse_read_preference(""));
}

}  // namespace
}  // namespace polypool
