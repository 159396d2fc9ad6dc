// SPDX-License-Identifier: Apache-2.0
// events, switch, breaker and top against a daemon; top in a terminal of its own.
#include "fixture.hpp"
#include "support/in_a_terminal.hpp"
#include "support/process.hpp"

#include <boost/json.hpp>

#include <csignal>

namespace polypool::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class watch_test : public daemon_cli_test {
 protected:
  std::vector<std::string> top(std::vector<std::string> more = {}) const {
    auto out = words({"top", "--url", url_, "--interval", "100ms"});
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
};

TEST_F(watch_test, events_recent_and_followed) {
  start();
  const auto recent = output({"events", "--url", url_});
  EXPECT_THAT(recent, AllOf(HasSubstr("TIME"), HasSubstr("health-change"), HasSubstr("unknown → healthy")));
  EXPECT_THAT(output({"events", "--url", url_, "--connection", "books"}), Not(HasSubstr("other")));
  const auto list = boost::json::parse(output({"events", "--url", url_, "-f", "json", "--limit", "1"}));
  EXPECT_EQ(list.as_array().size(), 1U);
  EXPECT_NE(polypool({"events", "--url", url_, "--kind", "nonsense"}).status, 0);

  child_process follower(words({"events", "--follow", "--url", url_, "--kind", "circuit-open"}), options());
  // It listens once the daemon has taken it: until then the event is made again.
  EXPECT_TRUE(wait_until(
      [&] {
        output({"breaker", "books", "open", "--url", url_});
        output({"breaker", "books", "release", "--url", url_});
        return follower.wait_for("circuit-open  books  closed → open", std::chrono::seconds(1));
      },
      std::chrono::seconds(60)));
  follower.send_signal(SIGTERM);
}

TEST_F(watch_test, events_without_a_daemon_fail) {
  const auto done = polypool({"events", "--follow", "--url", "http://127.0.0.1:1"});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, HasSubstr("cannot reach the daemon"));
}

TEST_F(watch_test, switch_and_breaker) {
  start();
  EXPECT_EQ(output({"switch", "other", "--url", url_}), "Switched to database connection 'other'\n");
  EXPECT_THAT(output({"list", "--url", url_}), HasSubstr("other  sqlite  other.db  connected  healthy  active"));
  const auto unknown = polypool({"switch", "nobody", "--url", url_});
  EXPECT_EQ(unknown.status, 3);
  EXPECT_THAT(unknown.err, HasSubstr("Database connection 'nobody' not found"));
  EXPECT_THAT(output({"breaker", "--url", url_}), AllOf(HasSubstr("books"), HasSubstr("closed")));
  EXPECT_THAT(output({"breaker", "books", "open", "--url", url_}), HasSubstr("Holding open"));
  EXPECT_THAT(output({"breaker", "books", "--url", url_}), HasSubstr("open (forced)"));
  EXPECT_EQ(polypool({"breaker", "books", "kick", "--url", url_}).status, 2);
  EXPECT_EQ(polypool({"breaker", "nobody", "--url", url_}).status, 3);
}

TEST_F(watch_test, top_once) {
  start();
  const auto picture = output({"top", "--once", "--url", url_});
  EXPECT_THAT(picture, AllOf(HasSubstr("2 connections, 2 healthy"), HasSubstr("*books"), HasSubstr("sqlite"),
                             HasSubstr("EVENTS"), HasSubstr("health-change")));
  EXPECT_THAT(picture, Not(HasSubstr("\x1b")));
  const auto gone = polypool({"top", "--once", "--url", "http://127.0.0.1:1"});
  EXPECT_EQ(gone.status, 1);
  EXPECT_EQ(polypool({"top", "--url", url_}).status, 2);  // no terminal
}

TEST_F(watch_test, top_in_a_terminal) {
  start();
  in_a_terminal shown(top(), 80, 24);
  ASSERT_TRUE(shown.shows("*books"));
  EXPECT_THAT(shown.output(), AllOf(HasSubstr("\x1b[?1049h"), HasSubstr("U/I/O/M")));
  shown.forget();
  shown.type("?");
  ASSERT_TRUE(shown.shows("callers that wait"));
  shown.type(" ");
  shown.forget();
  shown.type("\x1b[B");  // down: other
  shown.type("s");
  ASSERT_TRUE(shown.shows("Switched to database connection 'other'"));
  ASSERT_TRUE(shown.shows("*other"));
  shown.type("r");
  ASSERT_TRUE(shown.shows("Replace all sessions of 'other'? (y/n)"));
  shown.type("y");
  ASSERT_TRUE(shown.shows("Reconnected 'other'"));
  shown.forget();
  shown.resize(140, 40);
  ASSERT_TRUE(shown.shows("LAST EVENT"));
  shown.type("q");
  EXPECT_EQ(shown.wait(), 0);
  EXPECT_THAT(shown.output(), HasSubstr("\x1b[?25h\x1b[?1049l"));
  EXPECT_TRUE(shown.is_as_before());
}

TEST_F(watch_test, top_puts_the_terminal_back_on_signals) {
  start();
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    in_a_terminal shown(top(), 80, 24);
    ASSERT_TRUE(shown.shows("*books"));
    shown.send_signal(signal);
    EXPECT_EQ(shown.wait(), 0);
    EXPECT_THAT(shown.output(), HasSubstr("\x1b[?1049l"));
    EXPECT_TRUE(shown.is_as_before());
  }
}

TEST_F(watch_test, top_says_when_the_daemon_is_gone) {
  start();
  in_a_terminal shown(top(), 100, 30);
  ASSERT_TRUE(shown.shows("*books"));
  daemon_->send_signal(SIGTERM);
  daemon_->wait();
  EXPECT_TRUE(shown.shows("cannot reach the daemon"));
  shown.type("q");
  EXPECT_EQ(shown.wait(), 0);
}

}  // namespace
}  // namespace polypool::test
