// SPDX-License-Identifier: Apache-2.0
#include "cli/command_words.hpp"

#include "cli/document_writer.hpp"
#include "cli/exit_codes.hpp"
#include "cli/reply_writer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace polypool::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::string_literals;

template <class Action>
std::string problem_of(Action&& action) {
  try {
    action();
  } catch (const command_error& problem) {
    EXPECT_EQ(problem.code(), usage);
    return problem.what();
  }
  ADD_FAILURE() << "nothing was wrong";
  return {};
}

TEST(command_words, are_those_of_redis_cli) {
  EXPECT_THAT(command_words(""), IsEmpty());
  EXPECT_THAT(command_words("  GET\tuser:1 \n"), ElementsAre("GET", "user:1"));
  EXPECT_THAT(command_words(R"(SET k "a \"b\"\n\x00\xfF" 'it\'s \n')"),
              ElementsAre("SET", "k", "a \"b\"\n\0\xff"s, R"(it's \n)"));
  EXPECT_THAT(command_words(R"(SET k "")"), ElementsAre("SET", "k", ""));
  EXPECT_THAT(command_words(R"(GET a"b)"), ElementsAre("GET", R"(a"b)"));
  EXPECT_THAT(problem_of([] { command_words(R"(GET "a)"); }), HasSubstr("not closed"));
  EXPECT_THAT(problem_of([] { command_words(R"(GET "a\)"); }), HasSubstr("not closed"));
  EXPECT_THAT(problem_of([] { command_words(R"(GET 'a'b)"); }), HasSubstr("blank"));
  EXPECT_THAT(problem_of([] { command_words(R"(GET "\x4")"); }), HasSubstr("hexadecimal"));
}

std::string shown(const redis_reply& reply, row_format format) {
  std::ostringstream out;
  write_reply(reply, format, out);
  return out.str();
}

TEST(replies, are_shown) {
  using enum row_format;
  const auto text = redis_reply::of_text(redis_type::bulk_string, "a\"\x1b[31m");
  EXPECT_EQ(shown(text, table), "\"a\\\"\\x1b[31m\"\n");
  EXPECT_EQ(shown(text, json), "\"a\\\"\\u001b[31m\"\n");
  EXPECT_EQ(shown(redis_reply(), table), "(nil)\n");
  EXPECT_EQ(shown(redis_reply(), json), "null\n");
  EXPECT_EQ(shown(redis_reply(), csv), "\n");
  const auto pair = redis_reply::of_elements(
      redis_type::map, {redis_reply::of_text(redis_type::bulk_string, "k,"), redis_reply::of_real(1.5)});
  EXPECT_EQ(shown(pair, table), "1# \"k,\" => (double) 1.5\n");
  EXPECT_EQ(shown(pair, json), "{\"k,\":1.5}\n");
  EXPECT_EQ(shown(pair, csv), "\"k,\",1.5\n");
  const auto nested = redis_reply::of_elements(redis_type::array, {redis_reply::of_integer(7), pair});
  EXPECT_EQ(shown(nested, table), "1) (integer) 7\n2) 1# \"k,\" => (double) 1.5\n");
  EXPECT_EQ(shown(nested, json), "[7,{\"k,\":1.5}]\n");
  EXPECT_EQ(shown(redis_reply::of_elements(redis_type::set, {}), table), "(empty set)\n");
}

TEST(documents, are_commands) {
  const auto find = command_document(R"( {"find": "articles", "filter": {"a": {"$gt": 1}}} )");
  EXPECT_TRUE(gives_cursor(find));
  EXPECT_FALSE(gives_cursor(command_document(R"({"ping": 1})")));
  EXPECT_THAT(problem_of([] { command_document("find articles"); }), HasSubstr("is no JSON"));
  EXPECT_THAT(problem_of([] { command_document(R"({"ping": 1)"); }), HasSubstr("is no JSON"));
  EXPECT_THAT(problem_of([] { command_document(R"({"ping": 1} {})"); }), HasSubstr("is no JSON"));
  EXPECT_THAT(problem_of([] { command_document("[1]"); }), HasSubstr("JSON object"));
  EXPECT_THAT(problem_of([] { command_document("{}"); }), HasSubstr("JSON object"));
}

std::string shown(const std::vector<document>& all, row_format format) {
  std::ostringstream out;
  const auto writer = make_document_writer(format, out, terminal());
  writer->begin();
  for (const auto& each : all) writer->add(each);
  writer->end();
  return out.str();
}

TEST(documents, are_shown) {
  using enum row_format;
  const std::vector<document> two{command_document(R"({"a": 1, "b": "x,y"})"),
                                  command_document(R"({"a": {"$oid": "65f1"}, "c": null})")};
  EXPECT_EQ(shown(two, csv), "a,b,c\n1,\"x,y\",\n\"{\"\"$oid\"\":\"\"65f1\"\"}\",,\n");
  EXPECT_EQ(shown(two, json), "[\n  {\"a\":1,\"b\":\"x,y\"},\n  {\"a\":{\"$oid\":\"65f1\"},\"c\":null}\n]\n");
  EXPECT_THAT(shown(two, table), HasSubstr("(2 documents)"));
  EXPECT_EQ(shown(std::vector<document>(), json), "[]\n");
  EXPECT_EQ(shown(std::vector<document>(), table), "(0 documents)\n");
}

}  // namespace
}  // namespace polypool::cli
