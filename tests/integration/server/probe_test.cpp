// SPDX-License-Identifier: Apache-2.0
#include "fixture.hpp"

#include <polypool/metrics.hpp>

#include <fstream>
#include <iterator>

namespace polypool::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ProbeTest : public ServerTest {
 protected:
  // One SQLite file, and a critical PostgreSQL server that nobody runs.
  void configure_with_a_dead_one(bool critical) {
    dead_.refuse();
    settings_.connections.push_back(config::connection_from_url("core", file_url("core")));
    settings_.connections.push_back(config::connection_from_url("app", dead_.url()));
    settings_.connections.back().critical = critical;
  }
  silent_port dead_;
};

TEST_F(ProbeTest, HealthOfEverythingThatWorks) {
  create_files({"core", "app"});
  const auto health = get("/health");
  EXPECT_EQ(health.at("healthy"), true);
  EXPECT_EQ(health.at("databases").at("core").at("healthy"), true);
  EXPECT_EQ(health.at("databases").at("core").at("status"), "healthy");
  EXPECT_EQ(health.at("databases").at("app").at("detail"), "Connection 'app' is healthy");
  const auto detailed = get("/health/detailed");
  EXPECT_EQ(detailed.at("status"), "ok");
  EXPECT_EQ(detailed.at("version").as_string(), build_version());
  EXPECT_EQ(detailed.at("databases").at("core").at("phase"), "connected");
  EXPECT_GE(detailed.at("databases").at("core").at("pool").at("open").to_number<int>(), 1);
  EXPECT_GE(detailed.at("databases").at("core").at("latencyMs").to_number<double>(), 0);
  EXPECT_EQ(get("/health/ready").at("ready"), true);
}

TEST_F(ProbeTest, ACriticalConnectionThatIsDownMakesTheWholeUnhealthy) {
  configure_with_a_dead_one(true);
  const auto health = get("/health", 503);
  EXPECT_EQ(health.at("healthy"), false);
  EXPECT_EQ(health.at("databases").at("core").at("healthy"), true);
  EXPECT_EQ(health.at("databases").at("app").at("healthy"), false);
  get("/health/detailed", 503);
  const auto ready = get("/health/ready", 503);
  EXPECT_EQ(ready.at("reasons").at(0), "critical connection 'app' is unhealthy");
  EXPECT_EQ(get("/health/live").at("status"), "ok");
}

TEST_F(ProbeTest, AnUncriticalOneDoesNot) {
  configure_with_a_dead_one(false);
  const auto health = get("/health");
  EXPECT_EQ(health.at("healthy"), true);
  EXPECT_EQ(health.at("databases").at("app").at("healthy"), false);
  get("/health/ready");
}

TEST_F(ProbeTest, WithoutConnectionsAllIsWell) {
  EXPECT_EQ(get("/health").at("healthy"), true);
  EXPECT_TRUE(get("/health").at("databases").as_object().empty());
  get("/health/ready");
}

TEST_F(ProbeTest, NotReadyWhileShuttingDown) {
  create_files({"core"});
  server_->announce_shutdown();
  EXPECT_EQ(get("/health/ready", 503).at("reasons").at(0), "shutting down");
  get("/health/live");
  get("/health");
}

TEST_F(ProbeTest, GoesOnWhenTheManagerIsClosed) {
  create_files({"core"});
  manager_->close();
  get("/health/ready", 503);
  EXPECT_EQ(get("/health", 503).at("healthy"), false);
  EXPECT_EQ(create({{"late", file_url("late")}}, 503).at("code"), "DATABASE_UNAVAILABLE");
  get("/health/live");
  exchange("GET", "/metrics");
}

TEST_F(ProbeTest, MetricsCoverEveryFrozenName) {
  settings_.defaults.max_concurrent = 3;
  settings_.max_concurrent_total = 5;
  config::webhook hook;
  hook.url = "http://127.0.0.1:9/topsecret";
  settings_.webhooks.push_back(hook);
  create_files({"core"});
  manager_->register_url("spare", file_url("spare"));
  config::group both;
  both.name = "both";
  both.primary = "core";
  both.backups.push_back({"spare"});
  both.two_primaries = config::several_primaries::in_order;
  manager_->register_group(both);
  get("/health");
  const auto reply = exchange("GET", "/metrics");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  std::ifstream golden(POLYPOOL_SOURCE_DIR "/tests/data/metrics_names.txt");
  int names = 0;
  for (std::string name, type, labels; golden >> name >> type >> labels; ++names) {
    EXPECT_THAT(reply.body, HasSubstr("# TYPE " + name + ' ' + type + '\n'));
  }
  EXPECT_EQ(names, 34);
  EXPECT_THAT(reply.body, HasSubstr("dbmanager_connection_status{name=\"core\",type=\"sqlite\"} 1\n"));
  EXPECT_THAT(reply.body, HasSubstr("dbmanager_connections_total{type=\"sqlite\"} 2\n"));
  EXPECT_THAT(reply.body, HasSubstr("dbmanager_bulkhead_limit{name=\"core\",type=\"sqlite\"} 3\n"));
  EXPECT_THAT(reply.body, HasSubstr("polypool_bulkhead_limit 5\n"));
  EXPECT_THAT(reply.body, HasSubstr("polypool_webhook_dropped_total{webhook=\"127.0.0.1\"} 0\n"));
  EXPECT_THAT(reply.body, Not(HasSubstr("topsecret")));
  EXPECT_THAT(reply.body,
              Not(HasSubstr("dbmanager_health_check_duration_seconds_count{name=\"core\",type=\"sqlite\"} 0\n")))
      << "the health check was timed";
}

TEST_F(ProbeTest, MetricsNeedNoServer) {
  settings_.connections.push_back(config::connection_from_url("shown", file_url("shown")));
  settings_.connections.push_back(config::connection_from_url("hidden", file_url("hidden")));
  settings_.connections.back().enable_metrics = false;
  const manager plain(settings_);
  const auto text = metrics_text(plain);
  EXPECT_THAT(text, HasSubstr("name=\"shown\""));
  EXPECT_THAT(text, Not(HasSubstr("hidden")));
}

TEST_F(ProbeTest, WhileItStartsItLivesAndIsNotReady) {
  settings_.connections.push_back(config::connection_from_url("one", file_url("one")));
  starting_ = true;
  start();
  EXPECT_EQ(exchange("GET", "/health/live").status, 200);
  EXPECT_EQ(exchange("GET", "/metrics").status, 200);
  EXPECT_EQ(exchange("GET", "/").status, 200);
  EXPECT_EQ(exchange("GET", "/health").status, 503);
  EXPECT_EQ(exchange("GET", "/health/detailed").status, 503);
  const auto ready = exchange("GET", "/health/ready");
  EXPECT_EQ(ready.status, 503);
  EXPECT_THAT(ready.body, HasSubstr(R"("reasons":["starting"])"));
  EXPECT_EQ(code_of("GET", multi + "list", "", 503), "STARTING");
  EXPECT_EQ(code_of("DELETE", multi + "disconnect/all", "", 503), "STARTING");
  EXPECT_EQ(manager_->get("one").phase(), connection_phase::registered) << "nobody asked anything of it";
  manager_->connect();
  server_->announce_started();
  EXPECT_EQ(exchange("GET", "/health").status, 200);
  EXPECT_EQ(exchange("GET", "/health/ready").status, 200);
  EXPECT_EQ(exchange("GET", multi + "list").status, 200);
}

TEST_F(ProbeTest, TheIndexListsWhatWorks) {
  const auto index = get("/");
  for (const auto& each : index.at("endpoints").as_array()) {
    const std::string text(each.as_string());
    const auto space = text.find(' ');
    const auto reply = exchange(text.substr(0, space), text.substr(space + 1));
    EXPECT_NE(reply.status, 404) << text;
    EXPECT_NE(reply.status, 405) << text;
    EXPECT_LT(reply.status, 500) << text;
  }
}

TEST_F(ProbeTest, ProbesAnswerHead) {
  for (const std::string path : {"/health", "/health/live", "/metrics", "/"}) {
    const auto reply = exchange("HEAD", path);
    EXPECT_EQ(reply.status, 200) << path;
    EXPECT_NE(reply.headers.at("content-length"), "0") << path;
  }
}

}  // namespace
}  // namespace polypool::test
