// SPDX-License-Identifier: Apache-2.0
// RESP in pieces of every size, at its limits, and what is none.
#include "driver/resp_parser.hpp"

#include "driver/resp_writer.hpp"

#include <polypool/redis_cast.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <random>

namespace polypool {
namespace {

using outcome = resp_parser::outcome;

// Parses one reply out of a text that has to end with it.
redis_reply parse(std::string_view text, resp_limits limits = {}) {
  resp_parser parser(limits);
  EXPECT_EQ(parser.feed(text), outcome::complete) << parser.problem();
  EXPECT_TRUE(text.empty()) << "left: " << text;
  return parser.take();
}

std::string shown(std::string_view text) { return parse(text).to_display(); }

std::string failure(std::string_view text, resp_limits limits = {}, outcome wanted = outcome::malformed) {
  resp_parser parser(limits);
  EXPECT_EQ(parser.feed(text), wanted);
  EXPECT_EQ(parser.feed(text), outcome::malformed) << "goes on after a failure";
  return parser.problem();
}

TEST(resp_parser, every_type) {
  EXPECT_EQ(shown("+OK\r\n"), "OK");
  EXPECT_EQ(shown("-ERR no\r\n"), "-ERR no");
  EXPECT_EQ(shown(":-42\r\n"), "-42");
  EXPECT_EQ(shown(":+7\r\n"), "7");
  EXPECT_EQ(shown("$5\r\nhello\r\n"), "\"hello\"");
  EXPECT_EQ(shown("$0\r\n\r\n"), "\"\"");
  EXPECT_EQ(shown("$4\r\na\r\nb\r\n"), "\"a\\x0d\\x0ab\"");
  EXPECT_EQ(shown("$-1\r\n"), "null");
  EXPECT_EQ(shown("*-1\r\n"), "null");
  EXPECT_EQ(shown("_\r\n"), "null");
  EXPECT_EQ(shown("#t\r\n"), "true");
  EXPECT_EQ(shown("#f\r\n"), "false");
  EXPECT_EQ(shown(",3.25\r\n"), "3.25");
  EXPECT_EQ(shown(",10\r\n"), "10");
  EXPECT_EQ(shown(",inf\r\n"), "inf");
  EXPECT_EQ(shown(",-inf\r\n"), "-inf");
  EXPECT_TRUE(std::isnan(parse(",nan\r\n").real()));
  EXPECT_EQ(shown("(3492890328409238509324850943850943825024385\r\n"), "3492890328409238509324850943850943825024385");
  EXPECT_EQ(shown("!8\r\nERR a\r\nb\r\n"), "-ERR a\r\nb");
  EXPECT_EQ(shown("*0\r\n"), "[]");
  EXPECT_EQ(shown("*3\r\n:1\r\n*2\r\n+a\r\n_\r\n$1\r\nx\r\n"), "[1, [a, null], \"x\"]");
  EXPECT_EQ(shown("%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n"), "{a: 1, b: [2]}");
  EXPECT_EQ(shown("~2\r\n:1\r\n:2\r\n"), "{1, 2}");
  EXPECT_EQ(shown(">2\r\n+message\r\n+x\r\n"), ">message, x<");
  const auto verbatim = parse("=8\r\nmkd:*hi*\r\n");
  EXPECT_EQ(verbatim.type(), redis_type::verbatim_string);
  EXPECT_EQ(verbatim.text(), "*hi*");
  EXPECT_EQ(verbatim.format(), "mkd");
  EXPECT_EQ(std::move(const_cast<redis_reply&>(verbatim)).take_text(), "*hi*");
}

TEST(resp_parser, streams_of_resp3) {
  EXPECT_EQ(shown("$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n"), "\"Hello\"");
  EXPECT_EQ(shown("$?\r\n;0\r\n"), "\"\"");
  EXPECT_EQ(shown("*?\r\n:1\r\n*?\r\n.\r\n:2\r\n.\r\n"), "[1, [], 2]");
  EXPECT_EQ(shown("%?\r\n+a\r\n:1\r\n.\r\n"), "{a: 1}");
  EXPECT_EQ(shown("*2\r\n$?\r\n;1\r\nx\r\n;0\r\n~?\r\n:1\r\n.\r\n"), "[\"x\", {1}]");
}

TEST(resp_parser, attributes) {
  const auto reply = parse("|1\r\n+ttl\r\n:3600\r\n*2\r\n:1\r\n|1\r\n+x\r\n*1\r\n+dropped\r\n$1\r\ny\r\n");
  EXPECT_EQ(reply.to_display(), "[1, \"y\"]");
  ASSERT_NE(reply.attributes(), nullptr);
  EXPECT_EQ(reply.attributes()->find("ttl").integer(), 3600);
  EXPECT_EQ(parse("|0\r\n:5\r\n").to_display(), "5");
  const auto twice = parse("|1\r\n+a\r\n:1\r\n|1\r\n+b\r\n:2\r\n:5\r\n");
  ASSERT_NE(twice.attributes(), nullptr);
  EXPECT_EQ(twice.attributes()->to_display(), "{b: 2}");
  EXPECT_EQ(twice.attributes()->attributes(), nullptr) << "a peer could make a chain of any length";
}

TEST(resp_parser, one_reply_after_the_other) {
  resp_parser parser;
  std::string_view text = "+a\r\n$1\r\nb\r\n*1\r\n:1\r\n+c";
  for (const std::string_view wanted : {"a", "\"b\"", "[1]"}) {
    ASSERT_EQ(parser.feed(text), outcome::complete);
    EXPECT_EQ(parser.take().to_display(), wanted);
    EXPECT_FALSE(parser.midway());
  }
  EXPECT_EQ(parser.feed(text), outcome::more);
  EXPECT_TRUE(parser.midway());
  text = "\r\n";
  EXPECT_EQ(parser.feed(text), outcome::complete);
  EXPECT_EQ(parser.take().to_display(), "c");
}

// The same bytes in two pieces, cut at every place, and one byte at a time.
TEST(resp_parser, cut_at_every_byte) {
  const std::string text =
      "|1\r\n+k\r\n,1.5\r\n*7\r\n$5\r\nhe\r\nl\r\n:12\r\n=6\r\ntxt:ab\r\n%1\r\n$1\r\na\r\n#t\r\n!5\r\nERR x\r\n"
      "$?\r\n;2\r\nab\r\n;0\r\n*?\r\n(123\r\n_\r\n.\r\n";
  const auto whole = parse(text);
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    resp_parser parser;
    std::string_view first(text.data(), cut);
    ASSERT_EQ(parser.feed(first), outcome::more) << "cut at " << cut;
    ASSERT_TRUE(first.empty());
    std::string_view second = std::string_view(text).substr(cut);
    ASSERT_EQ(parser.feed(second), outcome::complete) << "cut at " << cut << ": " << parser.problem();
    ASSERT_EQ(parser.take(), whole) << "cut at " << cut;
  }
  resp_parser parser;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string_view one(text.data() + i, 1);
    ASSERT_EQ(parser.feed(one), i + 1 == text.size() ? outcome::complete : outcome::more);
  }
  EXPECT_EQ(parser.take(), whole);
}

// A socket may read the middle of a long string into its place.
TEST(resp_parser, long_strings_are_read_into_place) {
  const std::string content(300'000, 'x');
  const std::string text = "*2\r\n$" + std::to_string(content.size()) + "\r\n" + content + "\r\n:1\r\n";
  for (const std::size_t piece : {1000UL, 5000UL, 70'000UL, 1'000'000UL}) {
    resp_parser parser;
    std::string_view rest = text;
    auto now = outcome::more;
    std::size_t in_place = 0;
    while (now == outcome::more) {
      const auto place = parser.place();
      const auto count = std::min({piece, place.size(), rest.size()});
      std::copy_n(rest.data(), count, place.data());
      if (count > 0) parser.placed(count);
      in_place += count;
      rest.remove_prefix(count);
      std::string_view fed = rest.substr(0, place.empty() ? std::min<std::size_t>(piece, rest.size()) : 0);
      if (fed.empty()) continue;
      rest.remove_prefix(fed.size());
      now = parser.feed(fed);
    }
    ASSERT_EQ(now, outcome::complete) << parser.problem();
    const auto reply = parser.take();
    EXPECT_EQ(reply[0].text(), content);
    EXPECT_EQ(reply[1].integer(), 1);
    if (piece < content.size()) {
      EXPECT_GT(in_place, content.size() / 2) << "piece " << piece;
    }
  }
}

TEST(resp_parser, what_is_not_resp) {
  for (const std::string_view text :
       {"hello\r\n",     "\r\n",          "+OK\n",           "$3\r\nabcd\r\n",
        "$3\r\nabc\n\n", ":\r\n",         ":1x\r\n",         ":9223372036854775808\r\n",
        "$x\r\n",        "$-2\r\n",       "*-2\r\n",         "%-1\r\n",
        "#x\r\n",        "_x\r\n",        ",x\r\n",          "(12a\r\n",
        "(\r\n",         "=3\r\nabc\r\n", "=5\r\nabcde\r\n", "!-1\r\n",
        ";1\r\n",        ".\r\n",         "*1\r\n.\r\n",     "%?\r\n+a\r\n.\r\n",
        "$?\r\n+a\r\n",  "*?\r\n.x\r\n",  "*1\r\n\r\n",      "HTTP/1.1 400 Bad Request\r\n"}) {
    EXPECT_NE(failure(text), "") << text;
  }
  EXPECT_NE(failure("HTTP/1.1 400 Bad Request\r\n").find("HTTP/1.1"), std::string::npos);
}

TEST(resp_parser, limits) {
  resp_limits small;
  small.max_bytes = 1000;
  small.max_depth = 3;
  small.max_line = 50;
  const auto too_large = [&](const std::string& text) { return failure(text, small, outcome::too_large); };
  EXPECT_EQ(parse("$900\r\n" + std::string(900, 'x') + "\r\n", small).text().size(), 900u);
  EXPECT_NE(too_large("$1001\r\n").find("1001"), std::string::npos);
  EXPECT_NE(too_large("$99999999999\r\n"), "");
  EXPECT_NE(too_large("*2\r\n$600\r\n" + std::string(600, 'x') + "\r\n$600\r\n"), "");
  EXPECT_NE(too_large("*100\r\n"), "") << "a hundred elements take more than 1000 bytes";
  EXPECT_NE(too_large("*2147483647\r\n"), "");
  EXPECT_NE(too_large("%4294967295\r\n"), "");
  EXPECT_NE(too_large("*1\r\n*1\r\n*1\r\n*1\r\n"), "");
  EXPECT_EQ(parse("*1\r\n*1\r\n*1\r\n:1\r\n", small).to_display(), "[[[1]]]");
  EXPECT_NE(too_large("+" + std::string(60, 'x') + "\r\n"), "");
  EXPECT_NE(too_large("+" + std::string(60, 'x')), "") << "a line that never ends";
  std::string stream = "*?\r\n";
  for (int i = 0; i < 100; ++i) stream += ":1\r\n";
  EXPECT_NE(too_large(stream), "");
  std::string chunks = "$?\r\n";
  for (int i = 0; i < 30; ++i) chunks += ";50\r\n" + std::string(50, 'x') + "\r\n";
  EXPECT_NE(too_large(chunks), "");
}

// A length costs the peer nothing: memory follows what has arrived.
TEST(resp_parser, memory_follows_what_has_arrived) {
  resp_parser parser;
  std::string_view text = "*3\r\n$500000000\r\nabc";
  EXPECT_EQ(parser.feed(text), outcome::more);
  EXPECT_LT(parser.place().size(), std::size_t{32} << 20);
  resp_parser other;
  text = "*20000000\r\n:1\r\n";
  EXPECT_EQ(other.feed(text), outcome::more);
  EXPECT_LT(other.take().size_in_bytes(), 1000u);
}

// Any tree of values survives being written and read, also in pieces of random sizes.
class random_values {
 public:
  explicit random_values(std::uint32_t seed) : random_(seed) {}
  redis_reply any(int depth) {
    switch (pick(depth > 0 ? 12 : 8)) {
      case 0:
        return {};
      case 1:
        return redis_reply::of_integer(
            static_cast<std::int64_t>((static_cast<std::uint64_t>(random_()) << 32) | random_()));
      case 2:
        return redis_reply::of_real(static_cast<double>(random_()) / 7.0 - 1e8);
      case 3:
        return redis_reply::of_boolean(pick(2) == 0);
      case 4:
        return redis_reply::of_text(redis_type::simple_string, word());
      case 5:
        return redis_reply::of_text(redis_type::error, "ERR " + word());
      case 6:
        return redis_reply::of_text(redis_type::verbatim_string, bytes());
      case 7:
        return redis_reply::of_text(redis_type::bulk_string, bytes());
      default: {
        const auto type = static_cast<redis_type>(static_cast<int>(redis_type::array) + pick(4));
        std::vector<redis_reply> elements;
        for (auto left = pick(5) * (type == redis_type::map ? 2 : 1); left > 0; --left)
          elements.push_back(any(depth - 1));
        return redis_reply::of_elements(type, elements);
      }
    }
  }
  int pick(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }

 private:
  std::string word() { return std::string(static_cast<std::size_t>(pick(20)), static_cast<char>('a' + pick(26))); }
  std::string bytes() {
    std::string out;
    for (int left = pick(4) == 0 ? pick(9000) : pick(40); left > 0; --left) out += static_cast<char>(pick(256));
    return out;
  }
  std::mt19937 random_;
};

TEST(resp_parser, what_is_written_can_be_read) {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    random_values values(seed);
    const redis_reply made = values.any(4);
    std::string text;
    write_resp(text, made, 3);
    resp_parser parser;
    auto now = outcome::more;
    for (std::string_view rest = text; !rest.empty();) {
      std::string_view piece = rest.substr(0, 1 + static_cast<std::size_t>(values.pick(400)));
      rest.remove_prefix(piece.size());
      now = parser.feed(piece);
      ASSERT_EQ(now, rest.empty() ? outcome::complete : outcome::more) << "seed " << seed << ": " << parser.problem();
    }
    const auto read = parser.take();
    ASSERT_EQ(read, made) << "seed " << seed;
    std::string again;
    write_resp(again, read, 3);
    ASSERT_EQ(again, text) << "seed " << seed;
  }
}

TEST(resp_writer, in_the_words_of_resp2) {
  std::string text;
  write_resp(text, parse("*7\r\n%1\r\n+a\r\n:1\r\n~1\r\n:1\r\n#t\r\n,1.5\r\n_\r\n(99\r\n=5\r\ntxt:x\r\n"), 2);
  EXPECT_EQ(text, "*7\r\n*2\r\n+a\r\n:1\r\n*1\r\n:1\r\n:1\r\n$3\r\n1.5\r\n$-1\r\n$2\r\n99\r\n$1\r\nx\r\n");
}

}  // namespace
}  // namespace polypool
