// SPDX-License-Identifier: Apache-2.0
// The section `webhooks`.
#include <polypool/config.hpp>
#include <polypool/events.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace polypool::config {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string head = "polypool:\n  connections: {a: {type: sqlite, filepath: a.db}}\n  webhooks:\n";

std::string complaints_about(const std::string& hooks) {
  try {
    parse(head + hooks, "hooks.yaml");
  } catch (const configuration_error& wrong) {
    return wrong.what();
  }
  return "";
}

TEST(webhooks, every_field) {
  const auto read = parse(head + R"(    - url: https://hooks.example.com/x?token=1
      secret: s3cret
      events: [health-change, failover]
      connections: a
      timeout: 3s
      attempts: 2
      retry_delay: 10ms
      retry_max_delay: 1s
      max_pending: 7
      ca_file: /etc/own.pem
    - url: http://127.0.0.1:9
)");
  ASSERT_EQ(read.webhooks.size(), 2U);
  const auto& one = read.webhooks[0];
  EXPECT_EQ(one.url, "https://hooks.example.com/x?token=1");
  EXPECT_EQ(one.key.reveal(), "s3cret");
  EXPECT_THAT(one.events, ElementsAre("health-change", "failover"));
  EXPECT_THAT(one.connections, ElementsAre("a"));
  EXPECT_EQ(one.timeout, 3s);
  EXPECT_EQ(one.attempts, 2U);
  EXPECT_EQ(one.retry_delay, 10ms);
  EXPECT_EQ(one.retry_max_delay, 1s);
  EXPECT_EQ(one.max_pending, 7U);
  EXPECT_EQ(one.ca_file, "/etc/own.pem");
  EXPECT_TRUE(read.webhooks[1].events.empty());
  EXPECT_TRUE(read.webhooks[1].key.empty());
}

TEST(webhooks, every_kind_of_event_is_known) {
  std::string all;
  for (std::size_t i = 0; i < event_kind_count; ++i) {
    all += std::string(i == 0 ? "" : ", ") + std::string(to_string(static_cast<event_kind>(i)));
  }
  EXPECT_EQ(parse(head + "    - {url: 'http://x', events: [" + all + "]}\n").webhooks[0].events.size(),
            event_kind_count);
}

TEST(webhooks, what_is_wrong_is_told_without_secrets) {
  EXPECT_THAT(complaints_about("    - {secret: topsecret}\n"),
              AllOf(HasSubstr("webhooks[0].url: is missing"), Not(HasSubstr("topsecret"))));
  EXPECT_THAT(complaints_about("    - {url: 'ftp://u:topsecret@h/'}\n"),
              AllOf(HasSubstr("hooks.yaml:4: webhooks[0].url"), HasSubstr("http://"), Not(HasSubstr("topsecret"))));
  EXPECT_THAT(complaints_about("    - {url: 'http://h', events: [explosion]}\n"),
              AllOf(HasSubstr("'explosion' is no kind of event"), HasSubstr("health-change")));
  EXPECT_THAT(complaints_about("    - {url: 'http://h', atempts: 3}\n"), HasSubstr("did you mean 'attempts'?"));
  EXPECT_THAT(complaints_about("    - {url: 'http://h', attempts: 0}\n"), HasSubstr("webhooks[0].attempts"));
  EXPECT_THAT(complaints_about("    url: http://h\n"), HasSubstr("a list of maps with 'url' is expected"));
}

}  // namespace
}  // namespace polypool::config
