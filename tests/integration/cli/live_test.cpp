// SPDX-License-Identifier: Apache-2.0
// What a daemon's reload changes in its place: webhooks, logging, limits.
#include "fixture.hpp"
#include "support/http_client.hpp"
#include "support/http_receiver.hpp"
#include "support/process.hpp"

#include <boost/json.hpp>

#include <csignal>

namespace polypool::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class live_reload_test : public daemon_cli_test {
 protected:
  void configure(std::string_view rest) const {
    write("polypool.yaml",
          "polypool:\n  connections:\n    books: {type: sqlite, filepath: books.db}\n" + std::string(rest));
  }
  // What the reload says that it has done.
  std::string reload() const {
    const auto reply = http_exchange(port_, "POST", "/api/admin/reload", "{}");
    EXPECT_EQ(reply.status, 200) << reply.body;
    return reply.body;
  }
  std::string metrics() const { return http_exchange(port_, "GET", "/metrics").body; }
  bool shows(const std::string& line) const {
    return wait_until([&] { return metrics().contains("\n" + line + "\n"); });
  }
};

TEST_F(live_reload_test, webhooks_come_change_and_go) {
  http_receiver first, second;
  start();
  configure("  webhooks: [{url: \"" + first.url("/token-1") + "\", name: ops}]\n");
  EXPECT_THAT(polypool({"diff", "--url", url_}).out, AllOf(HasSubstr("+ webhook 'ops'\n"), Not(HasSubstr("restart"))));
  EXPECT_THAT(reload(),
              AllOf(HasSubstr("+ webhook 'ops'"), Not(HasSubstr("token-1")), Not(HasSubstr(R"("needsRestart":true)"))));
  ASSERT_TRUE(wait_until([&] { return first.count() >= 1; })) << "the event of the reload itself";
  EXPECT_TRUE(shows("polypool_webhook_pending{webhook=\"ops\"} 0"));
  configure("  webhooks: [{url: \"" + second.url("/token-2") + "\", name: ops}]\n");
  EXPECT_THAT(reload(), HasSubstr("~ webhook 'ops': url"));
  ASSERT_TRUE(wait_until([&] { return second.count() >= 1; }));
  configure("  webhooks: [{url: \"" + second.url("/token-2") + "\", ca_file: no-such.pem}]\n");
  const auto refused = http_exchange(port_, "POST", "/api/admin/reload", "{}");
  EXPECT_EQ(refused.status, 400) << refused.body;
  EXPECT_THAT(refused.body, AllOf(HasSubstr("ca_file"), HasSubstr("nothing was changed"), Not(HasSubstr("token-2"))));
  EXPECT_THAT(metrics(), HasSubstr("webhook=\"ops\""));
  configure("");
  EXPECT_THAT(reload(), HasSubstr("- webhook 'ops'"));
  EXPECT_TRUE(wait_until([&] { return !metrics().contains("polypool_webhook"); }));
  EXPECT_EQ(output({"diff", "--url", url_}), "no changes\n");
  stop();
}

TEST_F(live_reload_test, logging_changes_with_a_signal) {
  start();
  configure("  logging: {level: warning, format: json, debug: server}\n");
  daemon_->send_signal(SIGHUP);
  ASSERT_TRUE(wait_until([&] { return output({"diff", "--url", url_}) == "no changes\n"; }));
  // Its lines follow a moment after its connections.
  ASSERT_TRUE(wait_until([&] {
    http_exchange(port_, "GET", "/health/live");
    return daemon_->wait_for(R"("component":"server","message":"answered")", std::chrono::seconds(1));
  }));
  configure("  logging: {level: info}\n");
  daemon_->send_signal(SIGHUP);
  ASSERT_TRUE(daemon_->wait_for("INFO    serve: reloaded the configuration"));
  stop();
}

TEST_F(live_reload_test, what_the_command_line_says_about_logs_stays) {
  configure("  logging: {level: info}\n");
  daemon_.emplace(words({"serve", "--listen", "127.0.0.1:0", "--log-level", "debug"}), options());
  ASSERT_TRUE(daemon_->wait_for("Ctrl-C stops."));
  configure("  drain_timeout: 7s\n  logging: {level: error}\n");
  daemon_->send_signal(SIGHUP);
  ASSERT_TRUE(daemon_->wait_for("~ settings: drain_timeout"));
  ASSERT_TRUE(daemon_->wait_for("reloaded the configuration changes=1"));
  stop();
}

TEST_F(live_reload_test, limits_of_requests_and_of_calls) {
  configure("  server: {max_body_bytes: 100}\n");
  start();
  const std::string body = R"({"connectionName":"books"})" + std::string(200, ' ');
  const auto post = [&] { return http_exchange(port_, "POST", "/api/admin/connections/test", body).status; };
  EXPECT_EQ(post(), 413);
  EXPECT_THAT(metrics(), Not(HasSubstr("bulkhead")));
  configure("  max_concurrent: 3\n  max_concurrent_total: 5\n  server: {max_body_bytes: 1000, port: 9}\n");
  const auto shown = polypool({"diff", "--url", url_}).out;
  EXPECT_THAT(shown, AllOf(HasSubstr("~ connection 'books': max_concurrent\n"),
                           HasSubstr("~ settings: max_concurrent_total\n"), HasSubstr("~ server: max_body_bytes\n")));
  EXPECT_THAT(reload(), HasSubstr("~ server: max_body_bytes"));
  EXPECT_TRUE(wait_until([&] { return post() == 200; }));
  EXPECT_TRUE(shows("polypool_bulkhead_limit 5"));
  EXPECT_TRUE(shows(R"(polypool_bulkhead_calls{state="at_work"} 0)"));
  EXPECT_THAT(output({"list", "--url", url_}), HasSubstr("connected")) << "it was not replaced";
  stop();
}

TEST_F(live_reload_test, only_what_it_listens_on_needs_a_restart) {
  write("polypool.yaml", "polypool: {connections: {books: {type: sqlite, filepath: books.db}}, server: {port: 0}}\n");
  daemon_.emplace(words({"serve"}), options());
  ASSERT_TRUE(daemon_->wait_for("Ctrl-C stops."));
  const auto begin = daemon_->out().find("http://");
  const auto url = daemon_->out().substr(begin, daemon_->out().find("/health", begin) - begin);
  write("polypool.yaml",
        "polypool: {connections: {books: {type: sqlite, filepath: books.db}}, server: {port: 0, host: \"::1\", "
        "request_timeout: 9s}}\n");
  const std::string restart = "~ server: host (needs a restart)\n";
  EXPECT_EQ(polypool({"diff", "--url", url}).out, "~ server: request_timeout\n" + restart);
  daemon_->send_signal(SIGHUP);
  ASSERT_TRUE(daemon_->wait_for("reloaded the configuration"));
  EXPECT_EQ(polypool({"diff", "--url", url}).out, restart) << "as long as it is not restarted";
  stop();
}

}  // namespace
}  // namespace polypool::test
