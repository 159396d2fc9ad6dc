// SPDX-License-Identifier: Apache-2.0
// Webhooks against a web server.
#include "server/webhook_request.hpp"
#include "support/http_receiver.hpp"
#include "support/process.hpp"

#include <polypool/error.hpp>
#include <polypool/webhooks.hpp>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace polypool::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

class webhooks : public ::testing::Test {
 protected:
  config::webhook hook() const {
    config::webhook out;
    out.url = receiver_.url("/hook?token=in-the-url");
    out.retry_delay = 1ms;
    out.retry_max_delay = 5ms;
    out.timeout = 20s;
    return out;
  }
  webhook_sender& start(std::vector<config::webhook> hooks) { return sender_.emplace(bus_, std::move(hooks)); }
  void publish(event_kind kind, std::string_view name) {
    bus_.publish(kind, name, config::database_type::postgres, "healthy", "unhealthy", "refused");
  }
  bool receives(std::size_t count) {
    return wait_until([&] { return receiver_.count() >= count; });
  }
  http_receiver receiver_;
  event_bus bus_;
  std::optional<webhook_sender> sender_;
};

TEST_F(webhooks, an_event_arrives_signed) {
  auto one = hook();
  one.key = "s3cret";
  auto& sender = start({one});
  publish(event_kind::health_change, "primary");
  ASSERT_TRUE(receives(1));
  const auto got = receiver_.received().front();
  EXPECT_EQ(got.line, "POST /hook?token=in-the-url HTTP/1.1");
  EXPECT_EQ(got.headers.at("content-type"), "application/json");
  EXPECT_EQ(got.headers.at("x-polypool-event"), "health-change");
  EXPECT_EQ(got.headers.at("x-polypool-delivery"), "1");
  const auto body = boost::json::parse(got.body);
  EXPECT_EQ(body.at("connection"), "primary");
  EXPECT_EQ(body.at("to"), "unhealthy");
  const auto signed_text = got.headers.at("x-polypool-timestamp") + "." + got.body;
  EXPECT_EQ(got.headers.at("x-polypool-signature"), "sha256=" + server::hmac_sha256("s3cret", signed_text));
  EXPECT_TRUE(wait_until([&] { return sender.statistics().front().sent == 1; }));
  EXPECT_EQ(sender.statistics().front().host, "127.0.0.1");
}

TEST_F(webhooks, only_what_is_asked_for) {
  auto one = hook();
  one.events = {"failover"};
  one.connections = {"orders"};
  start({one});
  publish(event_kind::health_change, "orders");
  publish(event_kind::failover, "other");
  publish(event_kind::failover, "orders");
  ASSERT_TRUE(receives(1));
  sender_->stop(10s);
  ASSERT_EQ(receiver_.count(), 1U);
  EXPECT_THAT(receiver_.received().front().body, HasSubstr("\"connection\":\"orders\""));
}

TEST_F(webhooks, failures_are_tried_again_and_keep_their_order) {
  receiver_.answer_with({500, 0, 429, 200, 200});
  auto& sender = start({hook()});
  publish(event_kind::failover, "a");
  publish(event_kind::failover, "b");
  ASSERT_TRUE(receives(5));
  const auto got = receiver_.received();
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_THAT(got[i].body, HasSubstr("\"connection\":\"a\""));
    EXPECT_EQ(got[i].headers.at("x-polypool-delivery"), "1");
  }
  EXPECT_THAT(got[4].body, HasSubstr("\"connection\":\"b\""));
  EXPECT_TRUE(wait_until([&] { return sender.statistics().front().sent == 2; }));
  EXPECT_EQ(sender.statistics().front().retries, 3U);
}

TEST_F(webhooks, a_refusal_is_final_and_so_is_the_last_attempt) {
  receiver_.answer_with({404, 500, 500, 200});
  auto one = hook();
  one.attempts = 2;
  auto& sender = start({one});
  for (const char* name : {"refused", "failing", "good"}) publish(event_kind::failover, name);
  ASSERT_TRUE(receives(4));
  EXPECT_TRUE(wait_until([&] { return sender.statistics().front().sent == 1; }));
  EXPECT_EQ(sender.statistics().front().refused, 2U);
}

TEST_F(webhooks, a_receiver_that_says_nothing_is_left_and_holds_nobody_up) {
  http_receiver other;
  receiver_.answer_with({-1, 200});
  auto slow = hook();
  slow.timeout = 200ms;
  auto quick = hook();
  quick.url = other.url("/");
  start({slow, quick});
  publish(event_kind::failover, "a");
  EXPECT_TRUE(wait_until([&] { return other.count() == 1; }));
  EXPECT_TRUE(receives(2));
}

TEST_F(webhooks, the_queue_is_bounded) {
  receiver_.answer_with({-1});
  auto one = hook();
  one.max_pending = 3;
  auto& sender = start({one});
  publish(event_kind::failover, "first");
  ASSERT_TRUE(receives(1));  // and gets no answer
  for (int i = 0; i < 10; ++i) publish(event_kind::failover, std::to_string(i));
  EXPECT_TRUE(wait_until([&] { return sender.statistics().front().dropped == 7; }));
  EXPECT_EQ(sender.statistics().front().pending, 3U);
}

TEST_F(webhooks, stopping_sends_what_waits) {
  start({hook()});
  for (int i = 0; i < 20; ++i) publish(event_kind::failover, std::to_string(i));
  sender_->stop(20s);
  EXPECT_EQ(receiver_.count(), 20U);
  EXPECT_EQ(sender_->statistics().front().sent, 20U);
}

TEST_F(webhooks, stopping_does_not_wait_for_ever) {
  receiver_.answer_with({-1});
  start({hook()});
  publish(event_kind::failover, "a");
  ASSERT_TRUE(receives(1));
  const auto begun = std::chrono::steady_clock::now();
  sender_->stop(50ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 10s);
}

TEST_F(webhooks, https_asks_for_a_certificate_it_can_trust) {
  auto one = hook();
  one.url.replace(0, 4, "https");  // of a server that speaks no TLS: it waits for the rest of a request
  one.timeout = 200ms;
  one.attempts = 1;
  auto& sender = start({one});
  publish(event_kind::failover, "a");
  EXPECT_TRUE(wait_until([&] { return sender.statistics().front().refused == 1; }));
}

TEST(webhook_requests, addresses) {
  const auto plain = server::parse_webhook_url("http://hooks.example.com");
  EXPECT_EQ(plain.host + plain.port + plain.target + plain.authority, "hooks.example.com80/hooks.example.com");
  const auto secure = server::parse_webhook_url("https://u:p%40@[::1]:8443/a/b?x=1");
  EXPECT_TRUE(secure.tls);
  EXPECT_EQ(secure.host, "::1");
  EXPECT_EQ(secure.port, "8443");
  EXPECT_EQ(secure.authority, "[::1]:8443");
  EXPECT_EQ(secure.target, "/a/b?x=1");
  EXPECT_EQ(secure.credentials, "u:p@");
  try {
    server::parse_webhook_url("ftp://user:topsecret@example.com/");
    ADD_FAILURE() << "took an ftp URL";
  } catch (const error& why) {
    EXPECT_THAT(why.what(), Not(HasSubstr("topsecret")));
  }
}

TEST(webhook_requests, signatures_are_those_of_rfc_4231) {
  EXPECT_EQ(server::hmac_sha256("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(webhook_requests, delays_double_up_to_the_maximum) {
  config::webhook how;
  how.retry_delay = 1s;
  how.retry_max_delay = 5s;
  EXPECT_EQ(server::webhook_delay(how, 1, 1.0), 1s);
  EXPECT_EQ(server::webhook_delay(how, 2, 1.0), 2s);
  EXPECT_EQ(server::webhook_delay(how, 3, 0.0), 2s);
  EXPECT_EQ(server::webhook_delay(how, 9, 1.0), 5s);
  how.retry_max_delay = config::nanoseconds::max();
  EXPECT_EQ(server::webhook_delay(how, 1000, 1.0), server::longest_wait);
}

TEST(webhook_requests, what_an_answer_means) {
  using enum server::webhook_outcome;
  for (const unsigned each : {200U, 202U, 204U}) EXPECT_EQ(server::outcome_of(each), done);
  for (const unsigned each : {408U, 425U, 429U, 500U, 503U}) EXPECT_EQ(server::outcome_of(each), again);
  for (const unsigned each : {301U, 400U, 401U, 404U, 410U}) EXPECT_EQ(server::outcome_of(each), refused);
}

}  // namespace
}  // namespace polypool::test
