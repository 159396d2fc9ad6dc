// SPDX-License-Identifier: Apache-2.0
// `polypool failover`, list, events and top against a daemon with a group of two PostgreSQL servers, of which one
// streams to the other.
#include "fixture.hpp"
#include "support/in_a_terminal.hpp"
#include "support/postgres_server.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace polypool::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

class postgres_group_test : public daemon_cli_test {
 protected:
  void SetUp() override {
    if (const auto why = private_postgres::why_not(); !why.empty()) GTEST_SKIP() << why;
    a_.emplace();
    b_.emplace(*a_);
    postgres_admin(a_->address()).execute("CREATE TABLE notes (id int)");
    write("polypool.yaml", "polypool:\n  retry_attempts: 1\n  connections:\n    pg-a: " + a_->address().url() +
                               "\n    pg-b: " + b_->address().url() + R"(
    books: {type: sqlite, filepath: books.db}
  groups:
    orders: {type: failover, primary: pg-a, replicas: [pg-b], role_check_interval: 200ms}
)");
    start();
    ASSERT_TRUE(role_becomes("pg-b", "replica of orders"));
  }
  /// The line of a connection in `polypool list`.
  std::string line_of(const std::string& name) const {
    std::istringstream lines(output({"list", "--url", url_}));
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with(name + " ")) return line;
    }
    return {};
  }
  bool role_becomes(const std::string& name, const std::string& role) const {
    return wait_until([&] { return line_of(name).contains(role); });
  }
  command_result fail_over(std::vector<std::string> more = {}) const {
    std::vector<std::string> call{"failover", "orders", "--url", url_};
    call.insert(call.end(), more.begin(), more.end());
    return polypool(call);
  }
  std::optional<private_postgres> a_, b_;
};

TEST_F(postgres_group_test, failover_moves_the_writes_and_says_so) {
  EXPECT_THAT(line_of("orders"), AllOf(HasSubstr("pg-a, pg-b"), HasSubstr("writes to pg-a")));
  EXPECT_THAT(line_of("pg-a"), HasSubstr("primary of orders"));
  EXPECT_THAT(line_of("books"), Not(HasSubstr(" of ")));

  // It promotes nothing.
  const auto too_early = fail_over({"--to", "pg-b"});
  EXPECT_EQ(too_early.status, 1);
  EXPECT_THAT(too_early.err, AllOf(HasSubstr("Failed to move group 'orders'"),
                                   HasSubstr("'pg-b' is a replica; promote its server first")));
  const auto nobody = fail_over();
  EXPECT_EQ(nobody.status, 1);
  EXPECT_THAT(nobody.err, HasSubstr("no other member can take writes"));
  EXPECT_EQ(fail_over({"--to", "books"}).status, 3);
  EXPECT_EQ(fail_over({"--to", "pg-b", "--back"}).status, 2);
  EXPECT_EQ(polypool({"failover", "books", "--url", url_}).status, 3);
  // Its members have circuit breakers; to hold one of the group would hold up no call.
  const auto no_breaker = polypool({"breaker", "orders", "open", "--url", url_});
  EXPECT_EQ(no_breaker.status, 1);
  EXPECT_THAT(no_breaker.err, HasSubstr("its members have: pg-a, pg-b"));
  EXPECT_THAT(output({"breaker", "--url", url_}), AllOf(HasSubstr("pg-a"), Not(HasSubstr("orders"))));

  b_->promote();  // and the old primary lives: nobody knows which one is right
  EXPECT_TRUE(role_becomes("orders", "several primaries"));
  EXPECT_THAT(line_of("pg-b"), HasSubstr("unused primary of orders"));
  EXPECT_THAT(output({"events", "--url", url_, "--kind", "failover"}),
              AllOf(HasSubstr("pg-a → nobody"), HasSubstr("say by hand which one is right")));
  const auto guess = fail_over();
  EXPECT_EQ(guess.status, 1);
  EXPECT_THAT(guess.err, HasSubstr("'pg-a' and 'pg-b' say they are the primary"));
  const auto moved = fail_over({"--to", "pg-b"});
  EXPECT_EQ(moved.status, 0) << moved.err;
  EXPECT_EQ(moved.out, "Group 'orders': writes go to 'pg-b'\n");
  EXPECT_THAT(line_of("orders"), HasSubstr("writes to pg-b"));
  EXPECT_THAT(line_of("pg-b"), HasSubstr("primary of orders"));
  EXPECT_THAT(line_of("pg-a"), HasSubstr("unused primary of orders"));
  const auto events = output({"events", "--url", url_, "--kind", "failover"});
  EXPECT_THAT(events, AllOf(HasSubstr("orders"), HasSubstr("pg-a → pg-b")));

  a_->stop_fast();
  a_->become_standby();
  EXPECT_TRUE(role_becomes("pg-a", "replica of orders"));
  EXPECT_THAT(line_of("orders"), HasSubstr("writes to pg-b"));
  EXPECT_THAT(fail_over({"--back"}).err, HasSubstr("'pg-a' is a replica; promote its server first"));
  stop();
}

TEST_F(postgres_group_test, top_fails_over_to_the_selected_member) {
  in_a_terminal shown(words({"top", "--url", url_, "--interval", "100ms"}), 120, 30);
  ASSERT_TRUE(shown.shows("orders → pg-a"));
  const auto rows = boost::json::parse(output({"stats", "--url", url_, "--format", "json"}));
  const auto& connections = rows.at("connections").as_array();
  const auto select = [&](std::string_view name) {
    shown.type("\x1b[H");  // home
    const auto at = std::ranges::find(connections, name, [](const auto& each) { return each.at("name").as_string(); });
    for (auto i = at - connections.begin(); i > 0; --i) shown.type("\x1b[B");
  };
  select("books");
  shown.type("f");
  ASSERT_TRUE(shown.shows("'books' belongs to no failover group"));
  select("orders");
  shown.type("f");
  ASSERT_TRUE(shown.shows("Send the writes of 'orders' to the next member? (y/n)"));
  shown.type("n");
  select("pg-b");
  shown.type("f");
  ASSERT_TRUE(shown.shows("Send the writes of 'orders' to 'pg-b'? (y/n)"));
  shown.type("y");
  ASSERT_TRUE(shown.shows("'pg-b' is a replica; promote its server first")) << shown.output();
  b_->promote();
  ASSERT_TRUE(shown.shows("orders → nobody"));
  shown.forget();
  shown.type("f");
  ASSERT_TRUE(shown.shows("Send the writes of 'orders' to 'pg-b'? (y/n)"));
  shown.type("y");
  ASSERT_TRUE(shown.shows("Group 'orders': writes go to 'pg-b'"));
  ASSERT_TRUE(shown.shows("orders → pg-b"));
  shown.type("q");
  EXPECT_EQ(shown.wait(), 0);
  stop();
}

}  // namespace
}  // namespace polypool::test
