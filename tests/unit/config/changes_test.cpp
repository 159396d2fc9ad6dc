// SPDX-License-Identifier: Apache-2.0
// What differs between two configurations, beside connections.
#include <polypool/config_changes.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace polypool::config {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Optional;

const std::string connections = "polypool:\n  connections: {a: {type: sqlite, filepath: a.db}}\n";

settings read(const std::string& rest) { return parse(connections + rest, "changes.yaml"); }
std::vector<std::string> between(const std::string& before, const std::string& after) {
  std::vector<std::string> out;
  for (const auto& each : compare(read(before), read(after))) out.push_back(each.to_string());
  return out;
}

TEST(changes, only_what_the_server_listens_on_needs_a_restart) {
  EXPECT_THAT(
      between("  server: {port: 1, request_timeout: 1s, max_body_bytes: 5}\n  logging: {level: info}\n",
              "  max_concurrent_total: 9\n  server: {enabled: false, host: localhost, port: 2, request_timeout: 2s, "
              "max_body_bytes: 6}\n  logging: {level: error, format: json, debug: pool}\n"),
      ElementsAre("~ settings: max_concurrent_total", "~ server: max_body_bytes, request_timeout",
                  "~ server: enabled, host, port (needs a restart)", "~ logging: level, format, debug"));
}

TEST(changes, webhooks_are_told_by_name_or_host_and_never_by_their_url) {
  const std::string before =
      "  webhooks:\n    - {url: \"https://user:topsecret@one.example.com/token-1\"}\n"
      "    - {name: ops, url: \"https://two.example.com/token-2\", secret: s3cret-1}\n";
  const std::string after =
      "  webhooks:\n    - {name: ops, url: \"https://other.example.com/token-3\", secret: s3cret-2, timeout: 1s}\n"
      "    - {url: \"http://three.example.com:8080/token-4\", events: failover}\n";
  const auto found = between(before, after);
  EXPECT_THAT(found, ElementsAre("~ webhook 'ops': url, secret, timeout", "+ webhook 'three.example.com'",
                                 "- webhook 'one.example.com'"));
  EXPECT_THAT(between(before, before), IsEmpty());
}

TEST(changes, webhooks_that_only_change_places_do_not_change) {
  const std::string one = "    - {url: \"https://one.example.com/\"}\n";
  const std::string two = "    - {url: \"https://two.example.com/\", events: [leak]}\n";
  EXPECT_THAT(between("  webhooks:\n" + one + two, "  webhooks:\n" + two + one), IsEmpty());
}

TEST(changes, which_webhook_goes_on_as_which) {
  const auto make = [](std::string name, std::string url, std::chrono::nanoseconds timeout = 10s) {
    webhook out;
    out.name = std::move(name);
    out.url = std::move(url);
    out.timeout = timeout;
    return out;
  };
  // Twice the same URL: the equal one first, the other one takes what is left.
  EXPECT_THAT(match_webhooks({make("", "u", 1s), make("", "u", 2s)}, {make("", "u", 3s), make("", "u", 1s)}),
              ElementsAre(Optional(1U), Optional(0U)));
  // A name goes before a URL.
  EXPECT_THAT(match_webhooks({make("x", "u"), make("y", "v")}, {make("y", "u"), make("x", "v")}),
              ElementsAre(Optional(1U), Optional(0U)));
  // One that gets a name stays the same one.
  EXPECT_THAT(match_webhooks({make("", "u")}, {make("x", "u"), make("z", "u")}),
              ElementsAre(Optional(0U), std::nullopt));
  // Two of different names have nothing to do with each other.
  EXPECT_THAT(match_webhooks({make("x", "u")}, {make("z", "u")}), ElementsAre(std::nullopt));
}

TEST(changes, parts_to_debug) {
  EXPECT_EQ(read("  logging: {debug: \"pool, -server polypool:man*\"}\n").logging.debug,
            "polypool:pool,-polypool:server,polypool:man*");
  EXPECT_EQ(read("  logging: {debug: \"*\"}\n").logging.debug, "polypool:*");
  for (const std::string wrong : {"Pool", "po*ol", "-", "polypool:", "a;b"}) {
    try {
      read("  logging: {debug: \"" + wrong + "\"}\n");
      ADD_FAILURE() << wrong;
    } catch (const configuration_error& why) {
      EXPECT_THAT(why.what(), HasSubstr("changes.yaml:3: logging.debug")) << wrong;
    }
  }
}

TEST(changes, webhooks_that_are_no_urls_are_found_out_where_they_stand) {
  for (const std::string wrong : {"https://", "https://user:top secret@host/", "http://[::1", "https://host:port/"}) {
    try {
      read("  webhooks:\n    - {url: \"" + wrong + "\"}\n");
      ADD_FAILURE() << wrong;
    } catch (const configuration_error& why) {
      EXPECT_THAT(why.what(), HasSubstr("changes.yaml:4: webhooks[0].url")) << wrong;
      EXPECT_THAT(why.what(), Not(HasSubstr("secret")));
    }
  }
  EXPECT_THROW(read("  webhooks:\n    - {url: \"https://host/\", name: \"a b\"}\n"), configuration_error);
}

}  // namespace
}  // namespace polypool::config
