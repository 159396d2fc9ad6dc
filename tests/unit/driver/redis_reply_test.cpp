// SPDX-License-Identifier: Apache-2.0
// What becomes of replies: C++ types, errors; and how commands are put together.
#include "driver/resp_parser.hpp"
#include "support/caught.hpp"

#include <polypool/redis_cast.hpp>
#include <polypool/redis_command.hpp>

#include <gtest/gtest.h>

#include <deque>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>

namespace polypool {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

redis_reply reply(std::string_view text) {
  resp_parser parser;
  EXPECT_EQ(parser.feed(text), resp_parser::outcome::complete);
  return parser.take();
}

TEST(redis_reply, becomes_what_is_asked_for) {
  EXPECT_EQ(reply("$5\r\nhello\r\n").as<std::string>(), "hello");
  EXPECT_EQ(reply("+OK\r\n").as<std::string>(), "OK");
  EXPECT_EQ(reply(":42\r\n").as<int>(), 42);
  EXPECT_EQ(reply("$2\r\n42\r\n").as<std::uint8_t>(), 42);
  EXPECT_EQ(reply("$20\r\n18446744073709551615\r\n").as<std::uint64_t>(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(reply(",2.5\r\n").as<double>(), 2.5);
  EXPECT_EQ(reply("$3\r\n2.5\r\n").as<double>(), 2.5);
  EXPECT_EQ(reply("$3\r\ninf\r\n").as<double>(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(reply(":2\r\n").as<float>(), 2.0f);
  EXPECT_TRUE(reply(":1\r\n").as<bool>());
  EXPECT_FALSE(reply("#f\r\n").as<bool>());
  EXPECT_EQ(reply("_\r\n").as<std::optional<std::string>>(), std::nullopt);
  EXPECT_EQ(reply("$1\r\nx\r\n").as<std::optional<std::string>>(), "x");
  const auto list = reply("*3\r\n$1\r\na\r\n_\r\n$1\r\nc\r\n");
  EXPECT_EQ(list.as<std::vector<std::optional<std::string>>>(),
            (std::vector<std::optional<std::string>>{"a", std::nullopt, "c"}));
  const auto both = reply("*2\r\n$1\r\n7\r\n*2\r\n+a\r\n+b\r\n");
  EXPECT_EQ((both.as<std::pair<int, std::vector<std::string>>>()), (std::pair(7, std::vector{"a"s, "b"s})));
  EXPECT_EQ((both.as<std::tuple<std::int64_t, std::set<std::string>>>()),
            (std::tuple(std::int64_t{7}, std::set{"a"s, "b"s})));
  EXPECT_EQ(both.as<std::vector<redis_reply>>()[1], both[1]);
}

TEST(redis_reply, maps_and_pairs_of_both_protocols) {
  const std::map<std::string, int> wanted{{"a", 1}, {"b", 2}};
  EXPECT_EQ((reply("%2\r\n+a\r\n:1\r\n+b\r\n:2\r\n").as<std::map<std::string, int>>()), wanted);
  EXPECT_EQ((reply("*4\r\n+a\r\n$1\r\n1\r\n+b\r\n$1\r\n2\r\n").as<std::map<std::string, int>>()), wanted);
  EXPECT_EQ((reply("*2\r\n*2\r\n+a\r\n:1\r\n*2\r\n+b\r\n:2\r\n").as<std::map<std::string, int>>()), wanted);
  EXPECT_EQ((reply("*2\r\n+a\r\n:1\r\n").as<std::unordered_map<std::string, int>>().at("a")), 1);
  const std::vector<std::pair<std::string, double>> scores{{"x", 1.5}, {"y", 2}};
  EXPECT_EQ((reply("*4\r\n+x\r\n$3\r\n1.5\r\n+y\r\n$1\r\n2\r\n").as<std::vector<std::pair<std::string, double>>>()),
            scores);
  EXPECT_EQ((reply("*2\r\n*2\r\n+x\r\n,1.5\r\n*2\r\n+y\r\n,2\r\n").as<std::vector<std::pair<std::string, double>>>()),
            scores);
  EXPECT_EQ(reply("%1\r\n+a\r\n*1\r\n:1\r\n").find("a")[0].integer(), 1);
  EXPECT_EQ(reply("*2\r\n+a\r\n:5\r\n").find("a").integer(), 5);
  EXPECT_TRUE(reply("*3\r\n+a\r\n:5\r\n+b\r\n").find("b").is_null());
  EXPECT_TRUE(reply(":1\r\n").find("b").is_null());
}

TEST(redis_reply, says_why_it_cannot_become_something) {
  EXPECT_EQ(test::caught([] { reply(":1\r\n").as<std::string>(); }).portable_code(), errc::type_mismatch);
  EXPECT_EQ(test::caught([] { reply("$1\r\nx\r\n").as<int>(); }).portable_code(), errc::type_mismatch);
  EXPECT_EQ(test::caught([] { reply(":300\r\n").as<std::uint8_t>(); }).portable_code(), errc::type_mismatch);
  EXPECT_EQ(test::caught([] { reply(":-1\r\n").as<unsigned>(); }).portable_code(), errc::type_mismatch);
  EXPECT_EQ(test::caught([] { reply(":2\r\n").as<bool>(); }).portable_code(), errc::type_mismatch);
  EXPECT_EQ(test::caught([] { reply("_\r\n").as<std::string>(); }).portable_code(), errc::null_value);
  EXPECT_EQ(test::caught([] { reply("+a\r\n").as<std::vector<int>>(); }).portable_code(), errc::type_mismatch);
  EXPECT_EQ(test::caught([] { reply("*3\r\n:1\r\n:2\r\n:3\r\n").as<std::map<std::string, int>>(); }).portable_code(),
            errc::type_mismatch);
  EXPECT_EQ(test::caught([] { (void)reply("*1\r\n:1\r\n").as<std::pair<int, int>>(); }).portable_code(),
            errc::type_mismatch);
  const auto said = test::caught([] { reply("-WRONGTYPE Operation against a key\r\n").as<std::string>(); });
  EXPECT_EQ(said.portable_code(), errc::type_mismatch);
  EXPECT_EQ(said.server_message(), "WRONGTYPE Operation against a key");
}

// Indexing has to find its way over elements that are aggregates.
TEST(redis_reply, elements_by_index) {
  const auto mixed = reply("*4\r\n*2\r\n:1\r\n:2\r\n:3\r\n*0\r\n:4\r\n");
  EXPECT_EQ(mixed[0][1].integer(), 2);
  EXPECT_EQ(mixed[1].integer(), 3);
  EXPECT_TRUE(mixed[2].empty());
  EXPECT_EQ(mixed[3].integer(), 4);
  std::string seen;
  for (const redis_value each : mixed) seen += each.to_display() + ";";
  EXPECT_EQ(seen, "[1, 2];3;[];4;");
  const redis_reply copy = mixed;
  EXPECT_EQ(copy, mixed);
  EXPECT_FALSE(copy[0] == copy[2]);
  for (const redis_value none : reply(":1\r\n")) ADD_FAILURE() << none.to_display();
}

TEST(redis_error, codes_and_dispositions) {
  struct wanted {
    std::string_view text;
    errc code;
    disposition what_now;
    bool poisons = false;
  };
  using enum disposition;
  for (const auto& [text, code, what_now, poisons] : {
           wanted{"WRONGTYPE Operation against a key holding the wrong kind of value", errc::type_mismatch, permanent},
           wanted{"MOVED 3999 127.0.0.1:6381", errc::database_error, retryable_elsewhere},
           wanted{"READONLY You can't write against a read only replica.", errc::read_only, retryable_elsewhere, true},
           wanted{"LOADING Redis is loading the dataset in memory", errc::connect_failed, retryable},
           wanted{"NOAUTH Authentication required.", errc::authentication_failed, permanent, true},
           wanted{"WRONGPASS invalid username-password pair or user is disabled.", errc::authentication_failed,
                  permanent},
           wanted{"NOPERM this user has no permissions to run the 'get' command", errc::permission_denied, permanent},
           wanted{"NOSCRIPT No matching script.", errc::undefined_object, permanent},
           wanted{"OOM command not allowed when used memory > 'maxmemory'.", errc::disk_full, retryable},
           wanted{"BUSY Redis is busy running a script.", errc::lock_timeout, retryable},
           wanted{"BUSYGROUP Consumer Group name already exists", errc::unique_violation, permanent},
           wanted{"CLUSTERDOWN The cluster is down", errc::connect_failed, retryable},
           wanted{"TRYAGAIN Multiple keys request during rehashing of slot", errc::serialization_failure, retryable},
           wanted{"MASTERDOWN Link with MASTER is down", errc::connect_failed, retryable_elsewhere},
           wanted{"EXECABORT Transaction discarded because of previous errors.", errc::transaction_aborted, permanent},
           wanted{"ERR max number of clients reached", errc::too_many_connections, retryable, true},
           wanted{"ERR unknown command 'FOO', with args beginning with: ", errc::undefined_object, permanent},
           wanted{"ERR wrong number of arguments for 'get' command", errc::parameter_count, permanent},
           wanted{"ERR value is not an integer or out of range", errc::invalid_value, permanent},
           wanted{"ERR syntax error", errc::syntax_error, permanent},
           wanted{"ERR EXEC without MULTI", errc::invalid_argument, permanent},
           wanted{"ERR something new", errc::database_error, permanent},
           wanted{"", errc::database_error, permanent},
       }) {
    const error problem = redis_error(text);
    EXPECT_EQ(problem.portable_code(), code) << text;
    EXPECT_EQ(problem.disposition(), what_now) << text;
    EXPECT_EQ(problem.poisons_session(), poisons) << text;
    EXPECT_EQ(problem.server_message(), text);
  }
}

std::string wire(const redis_command& what) {
  std::string out;
  what.append_to(out);
  return out;
}

TEST(redis_command, is_encoded_as_it_is_put_together) {
  EXPECT_EQ(wire(redis_command("PING")), "*1\r\n$4\r\nPING\r\n");
  const std::vector<std::string> keys{"a", "b"};
  const std::map<std::string, int> fields{{"x", 1}, {"y", -2}};
  redis_command all("CMD", 42, -1, 1.5, "text", "view"sv, "str"s, keys, fields);
  EXPECT_EQ(all.size(), 13u);
  EXPECT_EQ(all.name(), "CMD");
  std::string words;
  for (std::size_t i = 1; i < all.size(); ++i) words += std::string(all[i]) + " ";
  EXPECT_EQ(words, "42 -1 1.5 text view str a b x 1 y -2 ");
  EXPECT_EQ(all[13], "");
  EXPECT_EQ(wire(redis_command("S", "a\0b\r\n"sv)), "*2\r\n$1\r\nS\r\n$5\r\na\0b\r\n\r\n"sv);
  EXPECT_EQ(wire(redis_command("S", "")), "*2\r\n$1\r\nS\r\n$0\r\n\r\n");
  const std::array<std::byte, 2> raw{std::byte{0}, std::byte{255}};
  EXPECT_EQ(redis_command("S", std::span<const std::byte>(raw))[1], "\0\xff"sv);
  EXPECT_EQ(redis_command("S", std::numeric_limits<double>::infinity(), 0.1, 1e300)[1], "inf");
}

TEST(redis_command, long_ones_and_copies) {
  redis_command growing("MSET");
  for (int i = 0; i < 1000; ++i) growing.add("key" + std::to_string(i)).add(i);
  EXPECT_EQ(growing.size(), 2001u);
  EXPECT_EQ(growing[2000], "999");
  redis_command copy = growing;
  EXPECT_EQ(wire(copy), wire(growing));
  const redis_command moved = std::move(growing);
  EXPECT_EQ(wire(copy), wire(moved));
  copy = redis_command("GET", "x");
  copy.add("more");
  EXPECT_EQ(copy[2], "more");
  redis_command small("GET", "k");
  redis_command taken = std::move(small);
  EXPECT_EQ(wire(taken), "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
}

TEST(redis_command, what_it_does_to_its_session) {
  using enum redis_effect;
  const auto effect = [](auto&&... words) { return effect_of(redis_command(words...)); };
  EXPECT_EQ(effect("GET", "x"), none);
  EXPECT_EQ(effect("get"), none);
  EXPECT_EQ(effect("SELECT", 1), state);
  EXPECT_EQ(effect("select", 1), state);
  EXPECT_EQ(effect("MULTI"), state);
  EXPECT_EQ(effect("WATCH", "x"), state);
  EXPECT_EQ(effect("CLIENT", "SETNAME", "x"), state);
  EXPECT_EQ(effect("CLIENT", "tracking", "on"), state);
  EXPECT_EQ(effect("CLIENT", "LIST"), none);
  EXPECT_EQ(effect("CLIENT", "REPLY", "OFF"), unmatchable);
  EXPECT_EQ(effect("CLIENT"), none);
  EXPECT_EQ(effect("MONITOR"), unmatchable);
  EXPECT_EQ(effect("HELLO", 2), unmatchable);
  EXPECT_EQ(effect("SUBSCRIBE", "x"), subscribes);
  EXPECT_EQ(effect("PUNSUBSCRIBE"), subscribes);
  EXPECT_EQ(effect("BLPOP", "x", 0), blocks);
  EXPECT_EQ(effect("BRPOPLPUSH", "x", "y", 0), blocks);
  EXPECT_EQ(effect("XREAD", "COUNT", 1, "STREAMS", "BLOCK", 0), none);
  EXPECT_EQ(effect("XREAD", "block", 10, "STREAMS", "s", 0), blocks);
  EXPECT_EQ(effect("XREADGROUP", "GROUP", "g", "c", "BLOCK", 10, "STREAMS", "s", ">"), blocks);
  EXPECT_EQ(effect("SCRIPT", "LOAD", "x"), none);
  EXPECT_EQ(effect(""), none);
  EXPECT_EQ(effect("AVERYLONGWORDTHATISNONE"), none);
}

TEST(redis_batch, keeps_its_commands_apart) {
  redis_batch all;
  EXPECT_TRUE(all.empty());
  all.add(redis_command("MULTI")).add(redis_command("SET", "a", 1)).add(redis_command("EXEC"));
  EXPECT_EQ(all.size(), 3u);
  EXPECT_EQ(all[1], "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n");
  EXPECT_EQ(std::string(all[0]) + std::string(all[1]) + std::string(all[2]), all.wire());
  EXPECT_EQ(all.effect(), redis_effect::state);
  EXPECT_FALSE(all.traces().any()) << "the transaction is over";
  redis_batch more;
  more.add(redis_command("WATCH", "x")).append(all).add(redis_command("SELECT", 2));
  EXPECT_EQ(more.size(), 5u);
  EXPECT_EQ(more[2], all[1]);
  EXPECT_TRUE(more.traces().database);
}

}  // namespace
}  // namespace polypool
