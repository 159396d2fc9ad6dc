// SPDX-License-Identifier: Apache-2.0
// How a daemon ends when something hangs: its server does not answer any more, or never did.
#include "fixture.hpp"
#include "support/http_client.hpp"
#include "support/postgres_server.hpp"
#include "support/process.hpp"
#include "support/tcp_gate.hpp"

#include <polypool/manager.hpp>

#include <csignal>
#include <thread>

namespace polypool::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class shutdown_test : public daemon_cli_test {
 protected:
  void SetUp() override {
    if (!shared_postgres::address()) GTEST_SKIP() << shared_postgres::why_not();
    where_ = *shared_postgres::address();
    gate_.emplace(where_.host, where_.port);
    where_.host = "127.0.0.1";
    where_.port = gate_->port();
  }
  // SQLite, and PostgreSQL behind the gate, which only the tests probe: a shutdown ends the monitor's own probes.
  void configure(std::string_view rest, std::string_view far = "") const {
    write("polypool.yaml", "polypool:\n  health_check_interval: 0s\n" + std::string(rest) +
                               "  connections:\n    books: {type: sqlite, filepath: books.db}\n    far: {dsn: \"" +
                               where_.url() + "\"" + std::string(far) + "}\n");
  }
  // A probe of the server behind the gate that gets no answer, for the five seconds that a probe may take.
  void hang() {
    gate_->stall();
    asking_ = std::make_unique<http_client>(port_);
    asking_->send(http_request("POST", "/api/admin/connections/test", R"({"connectionName":"far"})"));
    const std::string wanted = "dbmanager_connection_pool_size{name=\"far\",type=\"postgres\",state=\"in_use\"} 1\n";
    ASSERT_TRUE(wait_until([&] { return http_exchange(port_, "GET", "/metrics").body.contains(wanted); }));
  }
  postgres_address where_;
  std::optional<tcp_gate> gate_;
  std::unique_ptr<http_client> asking_;
};

TEST_F(shutdown_test, what_hangs_longer_than_the_drain_is_interrupted) {
  configure("  drain_timeout: 200ms\n  force_timeout: 600ms\n");
  start();
  hang();
  daemon_->send_signal(SIGTERM);
  const auto done = daemon_->wait();
  EXPECT_EQ(done.status, 0);
  EXPECT_THAT(done.err, HasSubstr("sessions still on loan were interrupted"));
  EXPECT_THAT(done.err, HasSubstr("serve: stopped"));
}

TEST_F(shutdown_test, a_second_signal_ends_it_at_once_and_a_third_does_nothing) {
  configure("  drain_timeout: 60s\n  force_timeout: 70s\n");
  start();
  hang();
  for (const int signal : {SIGTERM, SIGINT, SIGTERM}) daemon_->send_signal(signal);
  const auto status = daemon_->wait().status;
  EXPECT_TRUE(status == 128 + SIGTERM || status == 128 + SIGINT) << status;
}

TEST_F(shutdown_test, a_reload_that_hangs_does_not_hold_it_up) {
  configure("");
  start();
  gate_->blackhole();
  configure("  retry_attempts: 1\n", ", connect_timeout: 1h, schema: public");
  const int before = gate_->accepted();
  daemon_->send_signal(SIGHUP);
  ASSERT_TRUE(wait_until([&] { return gate_->accepted() > before; }));
  daemon_->send_signal(SIGTERM);
  const auto done = daemon_->wait();
  EXPECT_EQ(done.status, 0);
  EXPECT_THAT(done.err, HasSubstr("the configuration was not reloaded; nothing was changed"));
}

TEST_F(shutdown_test, so_does_a_reload_over_http) {
  configure("  drain_timeout: 1s\n  force_timeout: 2s\n");
  start();
  gate_->blackhole();
  configure("  retry_attempts: 1\n", ", connect_timeout: 1h, schema: public");
  const int before = gate_->accepted();
  http_client asking(port_);
  asking.send(http_request("POST", "/api/admin/reload", "{}"));
  ASSERT_TRUE(wait_until([&] { return gate_->accepted() > before; }));
  daemon_->send_signal(SIGTERM);
  EXPECT_EQ(daemon_->wait().status, 0);
}

TEST_F(shutdown_test, sighup_while_it_starts_is_not_lost) {
  gate_->blackhole();
  configure("  retry_attempts: 1\n", ", connect_timeout: 1h, critical: false");
  daemon_.emplace(words({"serve", "--listen", "127.0.0.1:0"}), options());
  ASSERT_TRUE(wait_until([&] { return gate_->accepted() > 0; }));
  write("polypool.yaml", "polypool: {connections: {books: {type: sqlite, filepath: books.db}}}\n");
  daemon_->send_signal(SIGHUP);
  gate_->cut(tcp_gate::ending::rst);
  ASSERT_TRUE(daemon_->wait_for("reloaded the configuration"));
  EXPECT_TRUE(daemon_->wait_for("Ctrl-C stops."));
  stop();
}

TEST_F(shutdown_test, a_query_that_sleeps_is_cancelled_and_new_calls_are_refused) {
  config::settings settings;
  settings.connections.push_back(config::connection_from_url("far", where_.url()));
  manager mgr(settings);
  auto db = mgr.sql("far");
  std::optional<error> failure;
  std::jthread sleeping([&] {
    try {
      db.query("SELECT pg_sleep(600)");
    } catch (const error& why) {
      failure = why;
    }
  });
  ASSERT_TRUE(wait_until([&] { return mgr.get("far").statistics().pool.in_use == 1; }));
  std::jthread closing([&] { mgr.close(200ms, 30s); });
  ASSERT_TRUE(wait_until([&] { return mgr.closing(); }));
  const auto refused = [&](auto&& call) {
    try {
      call();
      return errc();
    } catch (const error& why) {
      return why.portable_code();
    }
  };
  EXPECT_EQ(refused([&] { db.query("SELECT 1"); }), errc::shutting_down);
  EXPECT_EQ(refused([&] { mgr.sql("far"); }), errc::shutting_down);
  EXPECT_EQ(refused([&] { mgr.apply(settings); }), errc::shutting_down);
  closing.join();
  sleeping.join();
  ASSERT_TRUE(failure.has_value());
  mgr.close();  // idempotent
  EXPECT_EQ(mgr.get_all().front().phase(), connection_phase::closed);
}

}  // namespace
}  // namespace polypool::test
