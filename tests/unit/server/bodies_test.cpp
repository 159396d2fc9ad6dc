// SPDX-License-Identifier: Apache-2.0
#include "server/bodies.hpp"

#include "server/envelope.hpp"
#include "server/http_types.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace polypool::server {
namespace {

using ::testing::HasSubstr;

// The refusal that a decoder throws.
http_failure refusal(const std::function<void()>& decode) {
  try {
    decode();
  } catch (const http_failure& thrown) {
    return thrown;
  }
  ADD_FAILURE() << "nothing was refused";
  return {0, ""};
}
http_failure create_refusal(std::string_view body) {
  return refusal([body] { decode_creations(body); });
}

TEST(JsonBody, ReadsObjects) {
  EXPECT_TRUE(parse_body("").empty());
  EXPECT_TRUE(parse_body(" \r\n\t").empty());
  EXPECT_EQ(parse_body(R"({"a":"é😀\u00e9"})").at("a"), "é😀é");
}

TEST(JsonBody, RefusesWhatIsNoObject) {
  for (const auto* text : {"[]", "null", "1", "\"x\"", "true"}) {
    EXPECT_EQ(refusal([text] { parse_body(text); }).details, "the body has to be a JSON object") << text;
  }
}

TEST(JsonBody, RefusesWhatIsNoJson) {
  for (const auto* text : {"{", "}", "{\"a\"}", "{\"a\":1,}", "{'a':1}", "{\"a\":1} x", "{\"a\":01}", "{\"a\":NaN}",
                           "{a:1}", "// c\n{}", "{\"a\":\"\n\"}", "name=x", "\xEF\xBB\xBF{}"}) {
    const auto refused = refusal([text] { parse_body(text); });
    EXPECT_EQ(refused.status, 400) << text;
    EXPECT_EQ(refused.error, "Invalid JSON body") << text;
  }
}

TEST(JsonBody, RefusesInvalidUtf8) {
  for (const auto* text : {"{\"a\":\"\xff\"}", "{\"a\":\"\xc0\xaf\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"\xfe\":1}",
                           "{\"a\":\"\\ud800\"}"}) {
    EXPECT_EQ(refusal([text] { parse_body(text); }).status, 400);
  }
}

TEST(JsonBody, RefusesAKeyThatIsThereTwice) {
  EXPECT_THAT(refusal([] { parse_body(R"({"name":"a","name":"b"})"); }).details, HasSubstr("'name'"));
  EXPECT_THAT(refusal([] { parse_body(R"({"a":[{"x":1,"\u0078":2}]})"); }).details, HasSubstr("'x'"));
  EXPECT_NO_THROW(parse_body(R"({"a":{"x":1},"b":{"x":1},"c":[{"x":1},{"x":2}]})"));
}

TEST(JsonBody, RefusesDeepNesting) {
  const auto nested = [](std::size_t levels) {
    return "{\"a\":" + std::string(levels - 1, '[') + std::string(levels - 1, ']') + "}";
  };
  EXPECT_NO_THROW(parse_body(nested(32)));
  EXPECT_THAT(refusal([&] { parse_body(nested(33)); }).details, HasSubstr("32 levels"));
  EXPECT_EQ(refusal([] { parse_body(std::string(1000000, '[')); }).status, 400);
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  EXPECT_EQ(refusal([&] { parse_body(objects); }).status, 400);
}

TEST(Bodies, CreationTakesEveryWordForUrl) {
  const auto all = decode_creations(
      R"({"connections":[{"name":"a","url":"sqlite:a"},{"name":"b","databaseUrl":"sqlite:b","setAsActive":true},
          {"name":"default","redisUrl":"redis://c","setAsActive":false},{"name":"d","url":null,"databaseUrl":"sqlite:d"}]})");
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[0].url, "sqlite:a");
  EXPECT_FALSE(all[0].activate);
  EXPECT_EQ(all[1].url, "sqlite:b");
  EXPECT_TRUE(all[1].activate);
  EXPECT_EQ(all[2].url, "redis://c");
  EXPECT_TRUE(all[2].activate) << "the name default makes it active";
  EXPECT_EQ(all[3].url, "sqlite:d");
  EXPECT_TRUE(decode_creations(R"({"connections":[]})").empty());
}

TEST(Bodies, CreationNeedsItsArray) {
  for (const auto* body : {"", "{}", R"({"connections":null})", R"({"connections":{}})", R"({"connections":"x"})",
                           R"({"connections":[1]})", R"({"connections":[null]})", R"({"Connections":[]})"}) {
    const auto refused = create_refusal(body);
    EXPECT_EQ(refused.status, 400) << body;
    EXPECT_EQ(refused.error, "Connections array is required") << body;
  }
}

TEST(Bodies, CreationNeedsNamesAndUrls) {
  for (const auto* body : {R"({"connections":[{"url":"sqlite:a"}]})", R"({"connections":[{"name":"","url":"x"}]})",
                           R"({"connections":[{"name":1,"url":"x"}]})"}) {
    EXPECT_EQ(create_refusal(body).error, "Connection name is required") << body;
  }
  for (const auto* body : {R"({"connections":[{"name":"a"}]})", R"({"connections":[{"name":"a","url":""}]})",
                           R"({"connections":[{"name":"a","url":[]}]})"}) {
    EXPECT_EQ(create_refusal(body).error, "Connection url is required") << body;
  }
  EXPECT_EQ(create_refusal(R"({"connections":[{"name":"a","url":"x","setAsActive":"yes"}]})").error,
            "Invalid setAsActive");
}

TEST(Bodies, RefusalsNeverShowUrls) {
  const auto refused =
      create_refusal(R"({"connections":[{"name":7,"url":"postgres://u:hidden@h/d","databaseUrl":"hidden"}]})");
  EXPECT_THAT(refused.error + refused.details, ::testing::Not(HasSubstr("hidden")));
}

TEST(Bodies, ConnectionNameIsRequired) {
  EXPECT_EQ(decode_connection_name(R"({"connectionName":"a"})"), "a");
  for (const auto* body : {"", "{}", R"({"connectionName":""})", R"({"connectionName":null})",
                           R"({"connectionName":1})", R"({"connectionName":["a"]})"}) {
    EXPECT_EQ(refusal([body] { decode_connection_name(body); }).error, "Connection name is required") << body;
  }
  EXPECT_EQ(decode_optional_name(""), std::nullopt);
  EXPECT_EQ(decode_optional_name(R"({"connectionName":"a"})"), "a");
}

TEST(Bodies, RemovalNeedsTypeAndName) {
  EXPECT_EQ(decode_removal(R"({"type":"database","connectionName":"a"})").kind, connection_kind::database);
  EXPECT_EQ(decode_removal(R"({"type":"redis","connectionName":"a"})").kind, connection_kind::redis);
  for (const auto* body : {"", "{}", R"({"type":"database"})", R"({"connectionName":"a"})",
                           R"({"type":"","connectionName":"a"})", R"({"type":1,"connectionName":"a"})"}) {
    EXPECT_EQ(refusal([body] { decode_removal(body); }).error, "Type and connection name are required") << body;
  }
  EXPECT_EQ(refusal([] { decode_removal(R"({"type":"mongo","connectionName":"a"})"); }).error,
            "Type must be either database or redis");
}

TEST(Bodies, TestNeedsOneName) {
  EXPECT_EQ(decode_test(R"({"database":"a"})").database, "a");
  EXPECT_EQ(decode_test(R"({"redis":"c","database":""})").database, std::nullopt);
  for (const auto* body : {"", "{}", R"({"database":"","redis":null})", R"({"database":1})"}) {
    EXPECT_EQ(refusal([body] { decode_test(body); }).error,
              "At least one connection name (database or redis) is required")
        << body;
  }
}

TEST(Bodies, NamesAreChecked) {
  EXPECT_EQ(problem_of_name("tenant_acme"), "");
  EXPECT_EQ(problem_of_name("größe"), "");
  for (const auto& name : {std::string(), std::string("a\0b", 3), std::string("a\nb"), std::string(129, 'a')}) {
    EXPECT_NE(problem_of_name(name), "");
  }
}

TEST(Envelope, SuccessHasMessageDataAndTimestamp) {
  boost::json::object data;
  data["x"] = 1;
  const auto parsed = boost::json::parse(success("done", data).body).as_object();
  EXPECT_EQ(parsed.at("success"), true);
  EXPECT_EQ(parsed.at("message"), "done");
  EXPECT_EQ(parsed.at("data").at("x"), 1);
  EXPECT_TRUE(parsed.at("data").at("timestamp").as_string().ends_with("Z"));
}

TEST(Envelope, DocumentsAreWrittenForPeople) {
  boost::json::object content;
  content["ratio"] = 0.5;
  content["whole"] = 1.0;
  content["count"] = 18446744073709551615U;
  content["none"] = nullptr;
  content["text"] = "a\"\n\u0001é";
  content["list"] = boost::json::array{1, boost::json::object{}, boost::json::array{}, true};
  EXPECT_EQ(document(200, content).body,
            R"({"ratio":0.5,"whole":1,"count":18446744073709551615,"none":null,"text":"a\"\n\u0001é",)"
            R"("list":[1,{},[],true]})");
}

TEST(Envelope, FailureHasErrorAndDetails) {
  const auto answer = failure(404, "not \xff there", "more");
  const auto parsed = boost::json::parse(answer.body).as_object();
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(parsed.at("success"), false);
  EXPECT_EQ(parsed.at("error"), "not \xEF\xBF\xBD there");
  EXPECT_EQ(parsed.at("details"), "more");
  EXPECT_EQ(parsed.at("code"), "NOT_FOUND");
}

TEST(Envelope, ErrorsHaveTheirStatus) {
  const auto check = [](errc code, int status, std::string_view word) {
    EXPECT_EQ(status_of(code), status) << to_string(code);
    EXPECT_EQ(code_word_of(code), word) << to_string(code);
  };
  check(errc::connect_failed, 503, "DATABASE_UNAVAILABLE");
  check(errc::authentication_failed, 502, "DATABASE_UNAVAILABLE");
  check(errc::shutting_down, 503, "DATABASE_UNAVAILABLE");
  check(errc::pool_timeout, 504, "DATABASE_TIMEOUT");
  check(errc::deadline_exceeded, 504, "DATABASE_TIMEOUT");
  check(errc::database_error, 500, "DATABASE_ERROR");
  check(errc::syntax_error, 500, "DATABASE_ERROR");
  check(errc::connection_not_found, 404, "CONNECTION_NOT_FOUND");
  check(errc::already_registered, 409, "ALREADY_REGISTERED");
  check(errc::unsupported_database, 501, "UNSUPPORTED_DATABASE");
  check(errc::invalid_configuration, 400, "INVALID_CONFIGURATION");
}

}  // namespace
}  // namespace polypool::server
