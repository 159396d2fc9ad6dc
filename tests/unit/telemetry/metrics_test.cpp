// SPDX-License-Identifier: Apache-2.0
#include <polypool/telemetry.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace polypool {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

std::string text_of(std::vector<connection_sample> samples, const whole_sample& whole = {}) {
  return metrics_exporter([samples] { return samples; }, [whole] { return whole; }).text();
}

whole_sample whole_example() {
  whole_sample whole;
  whole.places = {.limit = 40, .at_work = 30, .waiting = 20, .refused = 10, .timed_out = 5};
  whole.webhooks.push_back({.name = "ops", .sent = 6, .failed = 5, .retries = 4, .dropped = 3, .pending = 2});
  whole.webhooks.push_back({.name = "hooks.example.com", .sent = 1});
  whole.webhooks.push_back({.name = "ops", .sent = 1, .pending = 1});
  return whole;
}

connection_sample example(std::string name = "primary") {
  duration_histogram checks;
  checks.record(3ms);
  checks.record(60s);
  connection_sample sample;
  sample.name = std::move(name);
  sample.type = "postgres";
  sample.healthy = true;
  sample.open = 7;
  sample.idle = 4;
  sample.in_use = 3;
  sample.wait_count = 11;
  sample.wait_time = 1500ms;
  sample.lifetime_closed = 5;
  sample.idle_closed = 6;
  sample.reconnects_succeeded = 2;
  sample.reconnects_failed = 1;
  sample.retries = 7;
  sample.retries_left_out = 8;
  sample.breaker_state = 2;
  sample.breaker_opened = 9;
  sample.breaker_refused = 10;
  sample.health_checks = checks.snapshot();
  sample.health_checks_failed = 1;
  sample.places = {.limit = 12, .at_work = 11, .waiting = 10, .refused = 9, .timed_out = 8};
  return sample;
}

connection_sample group_example() {
  connection_sample sample;
  sample.name = "orders";
  sample.type = "postgres";
  sample.healthy = true;
  sample.failovers = 4;
  sample.members.push_back({.name = "a", .ejected = true, .ejections = 2});
  sample.members.push_back({.name = "b", .primary = true, .calls = 10, .failures = 3});
  return sample;
}

// Name, type and label names of every family, a line each, sorted.
std::string shape_of(const std::string& text) {
  std::map<std::string, std::string> types;
  std::map<std::string, std::set<std::string>> label_names;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string hash, kind, name, type;
    if (line.starts_with("# TYPE ")) {
      words >> hash >> kind >> name >> type;
      types[name] = type;
    } else if (!line.starts_with('#')) {
      name = line.substr(0, line.find_first_of("{ "));
      for (const std::string suffix : {"_bucket", "_sum", "_count"}) {
        const auto base = name.substr(0, name.size() - std::min(suffix.size(), name.size()));
        if (name.ends_with(suffix) && types.contains(base)) name = base;
      }
      for (std::size_t at = line.find('{'); at != std::string::npos && line[at] != '}';) {
        const auto equals = line.find('=', at);
        label_names[name].insert(line.substr(at + 1, equals - at - 1));
        at = line.find_first_of(",}", line.find('"', equals + 2));
      }
    }
  }
  std::string shape;
  for (const auto& [name, type] : types) {
    shape += name + ' ' + type + " {";
    for (const auto& label : label_names[name]) {
      if (label != "le") shape += (shape.ends_with('{') ? "" : ",") + label;
    }
    shape += "}\n";
  }
  return shape;
}

TEST(Metrics, NamesTypesAndLabelsAreFrozen) {
  std::ifstream in(POLYPOOL_SOURCE_DIR "/tests/data/metrics_names.txt");
  const std::string golden{std::istreambuf_iterator<char>(in), {}};
  ASSERT_FALSE(golden.empty());
  EXPECT_EQ(shape_of(text_of({example(), group_example()}, whole_example())), golden);
}

TEST(Metrics, GroupsShowHowTheirCallsWereSpread) {
  const auto text = text_of({example(), group_example()});
  for (const char* line : {
           R"(dbmanager_connections_total{type="postgres"} 1)",
           R"(dbmanager_connection_status{name="orders",type="postgres"} 1)",
           R"(polypool_group_failovers_total{group="orders"} 4)",
           R"(polypool_group_primary{group="orders",member="b"} 1)",
           R"(polypool_group_primary{group="orders",member="a"} 0)",
           R"(polypool_group_member_calls_total{group="orders",member="b"} 10)",
           R"(polypool_group_member_failures_total{group="orders",member="b"} 3)",
           R"(polypool_group_member_ejections_total{group="orders",member="a"} 2)",
           R"(polypool_group_member_ejected{group="orders",member="a"} 1)",
       }) {
    EXPECT_THAT(text, HasSubstr("\n" + std::string(line) + "\n"));
  }
  EXPECT_THAT(text, Not(HasSubstr("pool_size{name=\"orders\""))) << "it has no pool of its own";
  auto equals = group_example();
  equals.balances = true;
  EXPECT_THAT(text_of({equals}), Not(HasSubstr("polypool_group_primary")));
}

TEST(Metrics, ShowEveryNumber) {
  const auto text = text_of({example()});
  const std::string who = R"({name="primary",type="postgres")";
  for (const auto& line : std::vector<std::string>{
           R"(dbmanager_connections_total{type="postgres"} 1)",
           "dbmanager_connection_status" + who + "} 1",
           "dbmanager_connection_pool_size" + who + R"(,state="open"} 7)",
           "dbmanager_connection_pool_size" + who + R"(,state="idle"} 4)",
           "dbmanager_connection_pool_size" + who + R"(,state="in_use"} 3)",
           "dbmanager_connection_wait_count" + who + "} 11",
           "dbmanager_connection_wait_duration_seconds" + who + "} 1.5",
           "dbmanager_health_check_duration_seconds_count" + who + "} 2",
           "dbmanager_health_check_duration_seconds_bucket" + who + R"(,le="0.001"} 0)",
           "dbmanager_health_check_duration_seconds_bucket" + who + R"(,le="0.005"} 1)",
           "dbmanager_health_check_duration_seconds_bucket" + who + R"(,le="30"} 1)",
           "dbmanager_health_check_duration_seconds_bucket" + who + R"(,le="+Inf"} 2)",
           "dbmanager_health_checks_total" + who + R"(,result="success"} 1)",
           "dbmanager_health_checks_total" + who + R"(,result="failure"} 1)",
           "dbmanager_bulkhead_limit" + who + "} 12",
           "dbmanager_bulkhead_calls" + who + R"(,state="at_work"} 11)",
           "dbmanager_bulkhead_calls" + who + R"(,state="waiting"} 10)",
           "dbmanager_bulkhead_refused_total" + who + "} 9",
           "dbmanager_bulkhead_timed_out_total" + who + "} 8",
           "dbmanager_reconnect_attempts_total" + who + R"(,result="success"} 2)",
           "dbmanager_reconnect_attempts_total" + who + R"(,result="failure"} 1)",
           "dbmanager_retries_total" + who + R"(,result="made"} 7)",
           "dbmanager_retries_total" + who + R"(,result="left_out"} 8)",
           R"(circuit_breaker_state{database_type="postgres",project_id="primary"} 2)",
           R"(circuit_breaker_open_total{database_type="postgres",project_id="primary"} 9)",
           "dbmanager_circuit_refused_total" + who + "} 10",
           "dbmanager_connection_lifetime_closed_total" + who + "} 5",
           "dbmanager_connection_idle_closed_total" + who + "} 6",
           "polypool_build_info{version=\"" + std::string(build_version()) + "\"} 1",
       }) {
    EXPECT_THAT(text, HasSubstr("\n" + line + "\n"));
  }
}

TEST(Metrics, ShowTheWhole) {
  const auto text = text_of({}, whole_example());
  for (const char* line : {
           "polypool_bulkhead_limit 40",
           R"(polypool_bulkhead_calls{state="at_work"} 30)",
           R"(polypool_bulkhead_calls{state="waiting"} 20)",
           "polypool_bulkhead_refused_total 10",
           "polypool_bulkhead_timed_out_total 5",
           R"(polypool_webhook_sent_total{webhook="ops"} 7)",
           R"(polypool_webhook_failed_total{webhook="ops"} 5)",
           R"(polypool_webhook_retries_total{webhook="ops"} 4)",
           R"(polypool_webhook_dropped_total{webhook="ops"} 3)",
           R"(polypool_webhook_pending{webhook="ops"} 3)",
           R"(polypool_webhook_sent_total{webhook="hooks.example.com"} 1)",
       }) {
    EXPECT_THAT(text, HasSubstr("\n" + std::string(line) + "\n"));
  }
}

TEST(Metrics, NoBulkheadIsShownWithoutALimit) {
  auto unlimited = example("free");
  unlimited.places.limit = 0;
  EXPECT_THAT(text_of({unlimited}), Not(HasSubstr("bulkhead")));
}

TEST(Metrics, LeaveOutConnectionsThatDoNotWantThem) {
  auto quiet = example("quiet");
  quiet.metrics_enabled = false;
  const auto text = text_of({example("loud"), quiet});
  EXPECT_THAT(text, Not(HasSubstr("quiet")));
  EXPECT_THAT(text, HasSubstr("dbmanager_connections_total{type=\"postgres\"} 1\n"));
}

TEST(Metrics, CountConnectionsByType) {
  auto file = example("file");
  file.type = "sqlite";
  const auto text = text_of({example("a"), example("b"), file});
  EXPECT_THAT(text, HasSubstr("dbmanager_connections_total{type=\"postgres\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("dbmanager_connections_total{type=\"sqlite\"} 1\n"));
}

TEST(Metrics, UnknownHealthHasNoStatusAndIllIsZero) {
  auto unknown = example("unknown");
  unknown.healthy.reset();
  auto ill = example("ill");
  ill.healthy = false;
  const auto text = text_of({unknown, ill});
  EXPECT_THAT(text, Not(HasSubstr("dbmanager_connection_status{name=\"unknown\"")));
  EXPECT_THAT(text, HasSubstr("dbmanager_connection_status{name=\"ill\",type=\"postgres\"} 0\n"));
}

TEST(Metrics, LabelValuesAreEscapedAndUtf8) {
  const auto text = text_of({example("a\"b\\c\nd\xff")});
  EXPECT_THAT(text, HasSubstr("name=\"a\\\"b\\\\c\\nd\xEF\xBF\xBD\""));
  EXPECT_THAT(text, Not(HasSubstr("\xff")));
}

TEST(Metrics, WithoutConnectionsShowTheBuildOnly) {
  EXPECT_EQ(shape_of(text_of({})), "polypool_build_info gauge {version}\n");
}

TEST(Metrics, ReadTheSourceAtEachScrape) {
  int scrapes = 0;
  const metrics_exporter exporter([&scrapes] {
    auto sample = example();
    sample.open = static_cast<std::uint64_t>(++scrapes);
    return std::vector{sample};
  });
  EXPECT_THAT(exporter.text(), HasSubstr("state=\"open\"} 1\n"));
  EXPECT_THAT(exporter.text(), HasSubstr("state=\"open\"} 2\n"));
}

TEST(Metrics, PassOnWhatTheSourceThrows) {
  const metrics_exporter exporter([]() -> std::vector<connection_sample> { throw std::runtime_error("gone"); });
  EXPECT_THROW(exporter.text(), std::runtime_error);
}

TEST(Histogram, PutsBoundsIntoTheirBucket) {
  duration_histogram times;
  times.record(0ns);
  times.record(1ms);
  times.record(1ms + 1ns);
  times.record(30s);
  times.record(1h);
  const auto taken = times.snapshot();
  EXPECT_EQ(taken.counts[0], 2U);
  EXPECT_EQ(taken.counts[1], 1U);
  EXPECT_EQ(taken.counts[9], 1U);
  EXPECT_EQ(taken.counts[10], 1U);
  EXPECT_EQ(taken.count(), 5U);
  EXPECT_EQ(taken.sum, 1h + 30s + 2ms + 1ns);
}

TEST(Histogram, LosesNothingAcrossThreads) {
  duration_histogram times;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&times] {
        for (int i = 0; i < 1000; ++i) times.record(2ms);
      });
    }
  }
  EXPECT_EQ(times.snapshot().count(), 4000U);
  EXPECT_EQ(times.snapshot().sum, 8s);
}

TEST(Histogram, TimerRecordsOnce) {
  duration_histogram times;
  {
    const health_check_timer timer(times);
  }
  EXPECT_EQ(times.snapshot().count(), 1U);
}

}  // namespace
}  // namespace polypool
