// SPDX-License-Identifier: Apache-2.0
// Webhooks that come, change and go while events are on their way, and receivers that misbehave.
#include "support/http_receiver.hpp"
#include "support/log_capture.hpp"
#include "support/moving_name.hpp"
#include "support/process.hpp"

#include <polypool/error.hpp>
#include <polypool/webhooks.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <optional>

namespace polypool::test {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class webhook_changes : public ::testing::Test {
 protected:
  config::webhook hook(const http_receiver& to, const std::string& path = "/hook") const {
    config::webhook out;
    out.url = to.url(path);
    out.retry_delay = out.retry_max_delay = 1h;  // none is made again by itself
    out.timeout = 60s;
    return out;
  }
  void start(std::vector<config::webhook> hooks) { sender_.emplace(bus_, std::move(hooks), log::logger(lines_)); }
  void replace(std::vector<config::webhook> hooks) { sender_->replace(webhook_sender::prepare(std::move(hooks))); }
  void publish(const std::string& name) {
    bus_.publish(event_kind::failover, name, config::database_type::postgres, "a", "b", "");
  }
  static bool receives(const http_receiver& from, std::size_t count) {
    return wait_until([&] { return from.count() >= count; });
  }
  // The names of the connections in the order in which the events came.
  static std::string order(const http_receiver& from) {
    std::string out;
    for (const auto& each : from.received()) {
      const auto begin = each.body.find("\"connection\":\"") + 14;
      out += each.body.substr(begin, each.body.find('"', begin) - begin) + " ";
    }
    return out;
  }
  webhook_statistics numbers(std::size_t index = 0) const { return sender_->statistics().at(index); }
  bool sent(std::uint64_t count, std::size_t index = 0) const {
    return wait_until([&] { return sender_->statistics().size() > index && numbers(index).sent == count; });
  }

  std::shared_ptr<log_capture> lines_ = std::make_shared<log_capture>();
  http_receiver one_, other_;
  event_bus bus_;
  std::optional<webhook_sender> sender_;
};

TEST_F(webhook_changes, one_that_is_added_hears_of_what_comes) {
  start({});
  EXPECT_TRUE(sender_->statistics().empty());
  publish("before");
  replace({hook(one_)});
  publish("first");
  ASSERT_TRUE(receives(one_, 1));
  replace({hook(one_), hook(other_)});
  ASSERT_TRUE(wait_until([&] { return sender_->statistics().size() == 2; }));
  publish("second");
  ASSERT_TRUE(sent(1, 1) && sent(2, 0));
  EXPECT_EQ(order(one_), "first second ");
  EXPECT_EQ(order(other_), "second ");
}

TEST_F(webhook_changes, one_that_goes_sends_what_waits_as_long_as_that_works) {
  one_.answer_with({-1, 200, 200, 500});
  auto impatient = hook(one_);
  impatient.timeout = 1s;
  impatient.retry_delay = impatient.retry_max_delay = 1ms;
  start({impatient});
  publish("hangs");
  ASSERT_TRUE(receives(one_, 1));
  ASSERT_TRUE(receives(one_, 2));  // again, and taken
  one_.answer_with({-1});
  publish("at work");
  ASSERT_TRUE(receives(one_, 3));
  for (const char* name : {"b", "c"}) publish(name);
  ASSERT_TRUE(wait_until([&] { return numbers().pending == 2; }));
  replace({});
  // What is at work is not broken off, but it is not made again, and the rest goes with it.
  ASSERT_TRUE(wait_until([&] { return !lines_->find("dropped events of a webhook that was removed").empty(); }));
  EXPECT_THAT(lines_->find("dropped events"), AllOf(HasSubstr("webhook=127.0.0.1"), HasSubstr("count=3")));
  sender_->stop(10s);
  EXPECT_EQ(one_.count(), 3U);
}

TEST_F(webhook_changes, one_that_goes_loses_nothing_when_its_receiver_works) {
  start({hook(one_)});
  for (int i = 0; i < 20; ++i) publish(std::to_string(i));
  replace({hook(other_)});
  publish("new");
  ASSERT_TRUE(receives(other_, 1));
  sender_->stop(20s);
  EXPECT_EQ(one_.count(), 20U);
  EXPECT_EQ(order(other_), "new ");
  EXPECT_EQ(lines_->find("dropped"), "");
}

TEST_F(webhook_changes, what_waits_for_another_attempt_goes_with_its_webhook) {
  one_.answer_with({500});
  start({hook(one_)});
  publish("a");
  publish("b");
  ASSERT_TRUE(wait_until([&] { return numbers().retries == 1; }));
  replace({hook(other_)});
  ASSERT_TRUE(wait_until([&] { return !lines_->find("count=2").empty(); }));
  publish("new");
  ASSERT_TRUE(receives(other_, 1));
  EXPECT_EQ(one_.count(), 1U);
  EXPECT_EQ(order(other_), "new ");
}

TEST_F(webhook_changes, one_that_changes_keeps_what_waits_and_its_numbers) {
  one_.answer_with({500});
  auto before = hook(one_);
  before.name = "ops";
  before.key = "old";
  start({before});
  for (const char* name : {"a", "b", "c"}) publish(name);
  ASSERT_TRUE(wait_until([&] { return numbers().retries == 1 && numbers().pending == 2; }));
  auto after = hook(other_, "/elsewhere");
  after.name = "ops";
  after.key = "new";
  replace({after});  // and the pause of an hour is over
  ASSERT_TRUE(sent(3));
  EXPECT_EQ(order(other_), "a b c ");
  EXPECT_EQ(other_.received().front().line, "POST /elsewhere HTTP/1.1");
  EXPECT_EQ(one_.count(), 1U);
  EXPECT_EQ(numbers().retries, 1U);
  EXPECT_EQ(numbers().name, "ops");
}

TEST_F(webhook_changes, the_same_ones_again_change_nothing) {
  one_.answer_with({500});
  start({hook(one_), hook(other_)});
  publish("a");
  publish("b");
  ASSERT_TRUE(wait_until([&] { return numbers().retries == 1 && numbers().pending == 1; }));
  replace({hook(other_), hook(one_)});
  ASSERT_TRUE(wait_until([&] { return numbers(1).retries == 1; })) << "in the order of the configuration";
  publish("c");
  ASSERT_TRUE(sent(3, 0));
  EXPECT_EQ(numbers(1).pending, 2U) << "its pause goes on";
  EXPECT_EQ(one_.count(), 1U);
}

TEST_F(webhook_changes, nothing_is_lost_while_others_come_and_go) {
  auto steady = hook(one_);
  steady.max_pending = 100000;
  start({steady});
  for (int i = 0; i < 12; ++i) {
    for (int j = 0; j < 5; ++j) publish(std::to_string(i));
    if (i % 3 == 0) replace({steady, hook(other_)});
    if (i % 3 == 1) replace({hook(other_, "/another"), steady});
    if (i % 3 == 2) replace({steady});
    if (i % 4 == 0) {
      EXPECT_TRUE(receives(one_, static_cast<std::size_t>(i)));
    }
  }
  ASSERT_TRUE(receives(one_, 60));
  const auto got = one_.received();
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_EQ(got[i].headers.at("x-polypool-delivery"), std::to_string(i + 1));
  EXPECT_EQ(got.size(), 60U);
}

TEST_F(webhook_changes, what_is_wrong_is_found_out_before) {
  auto wrong = hook(one_);
  wrong.ca_file = "/no/such/file.pem";
  try {
    webhook_sender::prepare({wrong});
    ADD_FAILURE() << "took it";
  } catch (const error& why) {
    EXPECT_EQ(why.portable_code(), errc::invalid_configuration);
    EXPECT_THAT(why.what(), AllOf(HasSubstr("webhook '127.0.0.1'"), HasSubstr("/no/such/file.pem")));
  }
}

TEST_F(webhook_changes, after_its_end_nothing_changes) {
  start({hook(one_)});
  sender_->stop(10s);
  replace({hook(other_)});
  publish("late");
  EXPECT_EQ(sender_->statistics().front().host, "127.0.0.1");
  EXPECT_EQ(other_.count(), 0U);
}

// receivers
// --------------------------------------------------------------------------------------------------------------

TEST_F(webhook_changes, redirects_are_not_followed) {
  one_.decorate("", "Location: " + other_.url("/stolen") + "\r\n");
  one_.answer_with({302});
  auto with_password = hook(one_);
  with_password.url.insert(7, "user:topsecret@");
  start({with_password});
  publish("a");
  ASSERT_TRUE(wait_until([&] { return numbers().refused == 1; }));
  EXPECT_EQ(one_.received().front().headers.at("authorization"), "Basic dXNlcjp0b3BzZWNyZXQ=");
  EXPECT_EQ(other_.count(), 0U);
  EXPECT_THAT(lines_->find("gave an event up"), HasSubstr("HTTP 302; redirects are not followed"));
  for (const auto& each : lines_->with("")) {
    EXPECT_THAT(each, AllOf(Not(HasSubstr("topsecret")), Not(HasSubstr("/hook"))));
  }
}

TEST_F(webhook_changes, interim_answers_are_not_the_answer) {
  one_.decorate("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", "");
  start({hook(one_)});
  publish("a");
  EXPECT_TRUE(sent(1));
}

TEST_F(webhook_changes, an_answer_without_an_end_is_cut_off) {
  one_.decorate("", "X-Long: " + std::string(100000, 'x') + "\r\n");
  auto once = hook(one_);
  once.attempts = 1;
  start({once});
  publish("a");
  EXPECT_TRUE(wait_until([&] { return numbers().refused == 1; }));
}

TEST_F(webhook_changes, a_name_that_nobody_answers_for_holds_nobody_up) {
  std::optional<hanging_name> nobody("hooks.polypool.test");
  auto lost = hook(one_);
  lost.url = "http://hooks.polypool.test:" + std::to_string(one_.port()) + "/";
  lost.timeout = 50ms;
  lost.attempts = 3;
  lost.retry_delay = lost.retry_max_delay = 1ms;
  moving_name somebody("other.polypool.test", "127.0.0.1");
  auto good = hook(other_);
  good.url = "http://other.polypool.test:" + std::to_string(other_.port()) + "/";
  start({lost, good});
  publish("a");
  EXPECT_TRUE(receives(other_, 1));
  EXPECT_TRUE(wait_until([&] { return numbers().refused == 1; })) << "its attempts end within their time";
  nobody.reset();
  moving_name found("hooks.polypool.test", "127.0.0.1");
  EXPECT_TRUE(wait_until([&] {
    publish("again");
    return one_.count() > 0;
  }));
}

TEST_F(webhook_changes, it_ends_while_a_name_is_looked_up) {
  std::optional<hanging_name> nobody("hooks.polypool.test");
  auto lost = hook(one_);
  lost.url = "http://hooks.polypool.test/";
  start({lost});
  publish("a");
  ASSERT_TRUE(wait_until([&] { return bus_.last_id() == 1; }));
  std::jthread later([&] {
    sender_->stop(50ms);
    nobody.reset();  // only then can its thread end
  });
  later.join();
  sender_.reset();
}

}  // namespace
}  // namespace polypool::test
