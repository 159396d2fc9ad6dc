// SPDX-License-Identifier: Apache-2.0
// A daemon that reads its configuration again, over SQLite files.
#include "fixture.hpp"
#include "support/http_client.hpp"

#include <boost/json.hpp>

#include <csignal>
#include <optional>

namespace polypool::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class reload_test : public daemon_cli_test {
 protected:
  http_reply post(std::string_view path, std::string_view body = "{}") const {
    return http_exchange(port_, "POST", path, body);
  }
};

constexpr std::string_view next_one = R"(polypool:
  default_connection: books
  connections:
    books: {type: sqlite, filepath: books.db, critical: true, query_timeout: 5s}
    fresh: {type: sqlite, filepath: fresh.db}
)";

TEST_F(reload_test, shows_and_applies_what_changed) {
  start();
  EXPECT_EQ(output({"diff", "--url", url_}), "no changes\n");
  write("polypool.yaml", next_one);
  const auto shown = polypool({"diff", "--url", url_});
  EXPECT_EQ(shown.out, "~ connection 'books': query_timeout, tags\n+ connection 'fresh'\n- connection 'other'\n");
  EXPECT_EQ(shown.status, 1);
  const auto reply = post("/api/admin/reload");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_THAT(reply.body, AllOf(HasSubstr("3 changes applied"), HasSubstr("\"fresh\"")));
  EXPECT_THAT(output({"list", "--url", url_}), AllOf(HasSubstr("fresh"), HasSubstr("books"), Not(HasSubstr("other"))));
  EXPECT_EQ(output({"diff", "--url", url_}), "no changes\n");
  stop();
}

TEST_F(reload_test, sighup_does_it_and_a_bad_file_changes_nothing) {
  start();
  write("polypool.yaml", "polypool: {connections: {books: {type: sqlite, filepth: x.db}}}\n");
  daemon_->send_signal(SIGHUP);
  EXPECT_TRUE(daemon_->wait_for("the configuration was not reloaded; nothing was changed"));
  EXPECT_THAT(output({"list", "--url", url_}), AllOf(HasSubstr("books"), HasSubstr("other")));
  const auto refused = post("/api/admin/reload");
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body,
              AllOf(HasSubstr("nothing was changed"), HasSubstr("polypool.yaml:1"), HasSubstr("filepath")));
  EXPECT_THAT(output({"events", "--url", url_, "--kind", "configuration"}),
              AllOf(HasSubstr("refused"), HasSubstr("filepth"), Not(HasSubstr("applied"))));
  write("polypool.yaml", next_one);
  daemon_->send_signal(SIGHUP);
  EXPECT_TRUE(daemon_->wait_for("reloaded the configuration"));
  EXPECT_THAT(output({"list", "--url", url_}), HasSubstr("fresh"));
  stop();
}

TEST_F(reload_test, what_cannot_connect_changes_nothing) {
  start();
  write("polypool.yaml", R"(polypool:
  retry_attempts: 1
  connections:
    books: {type: sqlite, filepath: no/such/folder/books.db, critical: true}
)");
  const auto refused = post("/api/admin/reload");
  EXPECT_EQ(refused.status, 503) << refused.body;
  EXPECT_THAT(refused.body, HasSubstr("nothing was changed"));
  EXPECT_THAT(output({"list", "--url", url_}), AllOf(HasSubstr("books.db"), HasSubstr("other")));
  const auto events = output({"events", "--url", url_});
  EXPECT_THAT(events, AllOf(HasSubstr("refused"), Not(HasSubstr("connection-error")))) << "books works as before";
  stop();
}

TEST_F(reload_test, environments_are_switched_as_a_whole) {
  write("polypool.yaml", R"(polypool:
  retry_attempts: 1
  connections:
    books: {type: sqlite, filepath: books.db}
  environments:
    staging:
      connections:
        books: {type: sqlite, filepath: staging.db}
    broken:
      connections:
        books: {type: sqlite, filepath: no/such/folder/x.db}
)");
  variables_["POLYPOOL_ENV"] = "staging";
  start();
  EXPECT_THAT(output({"list", "--url", url_}), HasSubstr("staging.db"));
  EXPECT_EQ(post("/api/admin/connections/switch/environment").status, 400);
  EXPECT_EQ(post("/api/admin/connections/switch/environment", R"({"environment":"nowhere"})").status, 400);
  EXPECT_EQ(post("/api/admin/connections/switch/environment", R"({"environment":"broken"})").status, 503);
  EXPECT_THAT(output({"list", "--url", url_}), HasSubstr("staging.db")) << "nothing was changed";
  stop();
}

TEST_F(reload_test, two_files) {
  write("next.yaml", next_one);
  const auto shown = polypool({"diff", "polypool.yaml", "next.yaml"});
  EXPECT_THAT(shown.out, AllOf(HasSubstr("~ connection 'books'"), HasSubstr("+ connection 'fresh'")));
  EXPECT_EQ(shown.status, 1);
  EXPECT_EQ(polypool({"diff", "polypool.yaml"}).status, 2);
}

}  // namespace
}  // namespace polypool::test
