// SPDX-License-Identifier: Apache-2.0
#include "fixture.hpp"
#include "support/http_client.hpp"
#include "support/silent_port.hpp"

#include <boost/json.hpp>

#include <csignal>
#include <optional>

namespace polypool::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

using daemon_test = daemon_cli_test;

TEST_F(daemon_test, serves_tells_where_and_stops_on_a_signal) {
  for (const int signal : {SIGTERM, SIGINT}) {
    start();
    EXPECT_THAT(daemon_->out(), AllOf(HasSubstr("serves 2 connections from polypool.yaml"), HasSubstr("/metrics"),
                                      HasSubstr(" list --url " + url_)));
    daemon_->send_signal(signal);
    const auto done = daemon_->wait();
    EXPECT_EQ(done.status, 0) << done.err;
  }
}

TEST_F(daemon_test, answers_list_health_and_stats) {
  start();
  EXPECT_EQ(output({"list", "--url", url_}),
            "NAME   TYPE    TARGET    PHASE      HEALTH   ROLE              TAGS\n"
            "books  sqlite  books.db  connected  healthy  active, critical  team=library\n"
            "other  sqlite  other.db  connected  healthy                    \n");
  const auto health = output({"health", "--url", url_});
  EXPECT_THAT(health, AllOf(HasSubstr("Connection 'books' is healthy"), HasSubstr("Connection 'other' is healthy")));
  EXPECT_THAT(output({"health", "other", "--url", url_}), Not(HasSubstr("books")));
  EXPECT_EQ(polypool({"health", "nobody", "--url", url_}).status, 3);
  EXPECT_THAT(output({"stats", "--url", url_}), AllOf(HasSubstr("NAME "), HasSubstr("books ")));
  const auto numbers = boost::json::parse(output({"stats", "--url", url_, "-f", "json"}));
  EXPECT_EQ(numbers.at("summary").at("total").as_int64(), 2);
  daemon_->send_signal(SIGTERM);
  EXPECT_EQ(daemon_->wait().status, 0);
}

TEST_F(daemon_test, goes_on_without_a_connection_that_fails) {
  write("polypool.yaml", R"(polypool:
  retry_attempts: 1
  connections:
    books: {type: sqlite, filepath: books.db, critical: true}
    lost: {type: sqlite, filepath: no/such/folder/lost.db}
)");
  start();
  EXPECT_EQ(polypool({"health", "--url", url_}).status, 1);
  EXPECT_EQ(polypool({"health", "--url", url_, "--critical"}).status, 0);
  daemon_->send_signal(SIGTERM);
  const auto done = daemon_->wait();
  EXPECT_EQ(done.status, 0);
  EXPECT_THAT(done.err, HasSubstr("lost"));
}

TEST_F(daemon_test, does_not_start_without_a_critical_connection) {
  write("polypool.yaml", R"(polypool:
  retry_attempts: 1
  connections:
    books: {type: sqlite, filepath: books.db}
    lost: {type: sqlite, filepath: no/such/folder/lost.db, critical: true}
)");
  const auto done = polypool({"serve", "--listen", "127.0.0.1:0"});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, AllOf(HasSubstr("error: "), HasSubstr("lost")));
}

// One that is slow to connect must not look dead to who watches it, and says at once what would fail afterwards.
TEST_F(daemon_test, answers_probes_while_it_connects) {
  const silent_port server;
  write("polypool.yaml", "polypool: {connect_timeout: 10m, connections: {slow: {dsn: \"" + server.url() + "\"}}}\n");
  daemon_.emplace(words({"serve", "--listen", "127.0.0.1:0"}), options());
  ASSERT_TRUE(daemon_->wait_for("listening address="));
  const std::string address = "127.0.0.1:";
  const auto at = daemon_->err().find(address) + address.size();
  ASSERT_TRUE(daemon_->wait_for("\n"));
  const auto port = static_cast<std::uint16_t>(std::stoi(daemon_->err().substr(at)));
  EXPECT_EQ(http_exchange(port, "GET", "/health/live").status, 200);
  EXPECT_EQ(http_exchange(port, "GET", "/health/ready").status, 503);
  const auto asked = polypool({"list", "--url", "http://" + address + std::to_string(port)});
  EXPECT_EQ(asked.status, 1);
  EXPECT_THAT(asked.err, AllOf(HasSubstr("the daemon says: Starting"), HasSubstr("/health/ready")));
  const auto second = polypool({"serve", "--listen", address + std::to_string(port)});
  EXPECT_EQ(second.status, 2);
  EXPECT_THAT(second.err, AllOf(HasSubstr("cannot listen on 127.0.0.1:"), HasSubstr("in use")));
  daemon_->send_signal(SIGHUP);
  EXPECT_TRUE(daemon_->wait_for("SIGHUP came early"));
  daemon_->send_signal(SIGTERM);
  const auto done = daemon_->wait();
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(done.out, "");
  EXPECT_THAT(done.err, Not(HasSubstr("topsecret")));
}

TEST_F(daemon_test, listens_where_it_is_told_whatever_the_file_says) {
  write("polypool.yaml",
        "polypool: {server: {enabled: false}, connections: {books: {type: sqlite, filepath: a.db}}}\n");
  start();
  EXPECT_THAT(output({"list", "--url", url_}), HasSubstr("books"));
  stop();
}

TEST_F(daemon_test, a_wrong_address_is_explained) {
  for (const char* where : {"127.0.0.1:http", "[::1", "127.0.0.1:99999"}) {
    const auto done = polypool({"serve", "--listen", where});
    EXPECT_EQ(done.status, 2) << where;
    EXPECT_THAT(done.err, HasSubstr("is not HOST:PORT"));
  }
  EXPECT_EQ(polypool({"serve", "--log-level", "loud"}).status, 2);
}

TEST_F(daemon_test, asking_nobody_is_explained) {
  start();
  daemon_->send_signal(SIGTERM);
  EXPECT_EQ(daemon_->wait().status, 0);
  const auto done = polypool({"list", "--url", url_});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, AllOf(HasSubstr("error: cannot reach the daemon at 127.0.0.1:"), HasSubstr("polypool serve")));
  EXPECT_EQ(polypool({"list", "--url", "https://127.0.0.1:1"}).status, 2);
  EXPECT_EQ(polypool({"list", "--url", "nonsense"}).status, 2);
}

TEST_F(daemon_test, health_without_a_daemon_probes_from_here) {
  EXPECT_THAT(output({"health"}),
              AllOf(HasSubstr("Connection 'books' is healthy"), HasSubstr("Connection 'other' is healthy")));
  EXPECT_THAT(output({"health", "books"}), Not(HasSubstr("other")));
  EXPECT_EQ(polypool({"health", "nobody"}).status, 3);
  EXPECT_THAT(output({"stats", "--config", "polypool.yaml"}), HasSubstr("books "));
  write("polypool.yaml", "polypool: {connections: {lost: {type: sqlite, filepath: no/such/folder/lost.db}}}\n");
  const auto done = polypool({"health"});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.out, HasSubstr("unhealthy"));
}

}  // namespace
}  // namespace polypool::test
