// SPDX-License-Identifier: Apache-2.0
#include "telemetry/log_filter.hpp"
#include "telemetry/log_line.hpp"

#include <polypool/error.hpp>
#include <polypool/telemetry.hpp>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>
#include <unistd.h>
#include <vector>

namespace polypool {
namespace {

using log::level;
using telemetry::log_filter;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

std::string logged(log::sink_options options, level severity, std::string_view component, std::string_view message,
                   std::initializer_list<log::field> fields = {}) {
  std::ostringstream out;
  options.stream = &out;
  log::logger(log::make_log_sink(options)).write(severity, component, message, fields);
  return out.str();
}

TEST(LogSink, MayBeAdjustedWhileItIsUsed) {
  std::ostringstream out;
  log::sink_options options;
  options.stream = &out;
  const auto sink = log::make_log_sink(options);
  const log::logger logger(sink);
  logger.debug("pool", "first");
  sink->adjust(level::warning, log::format::json, "polypool:pool");
  logger.debug("pool", "two");
  logger.info("server", "three");
  logger.warning("server", "four");
  sink->adjust(level::info, log::format::text, "");
  logger.debug("pool", "five");
  logger.info("server", "six");
  EXPECT_THAT(out.str(), Not(HasSubstr("first")));
  EXPECT_THAT(out.str(), HasSubstr("\"message\":\"two\""));
  EXPECT_THAT(out.str(), Not(HasSubstr("three")));
  EXPECT_THAT(out.str(), HasSubstr("\"message\":\"four\""));
  EXPECT_THAT(out.str(), Not(HasSubstr("five")));
  EXPECT_THAT(out.str(), EndsWith("INFO    server: six\n"));
}

TEST(LogSink, MayBeAdjustedByOneThreadWhileOthersLog) {
  std::ostringstream out;
  log::sink_options options;
  options.stream = &out;
  const auto sink = log::make_log_sink(options);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        const log::logger logger(sink);
        for (int i = 0; i < 300; ++i) {
          logger.error("pool", "always");
          logger.debug("pool", "sometimes");
        }
      });
    }
    for (int i = 0; i < 300; ++i) {
      sink->adjust(i % 2 == 0 ? level::error : level::debug, log::format::text, i % 3 == 0 ? "polypool:pool" : "");
    }
  }
  const std::string text = out.str();
  std::size_t lines = 0;
  for (std::size_t at = text.find("always"); at != std::string::npos; at = text.find("always", at + 1)) ++lines;
  EXPECT_EQ(lines, 900U);
}

TEST(LogText, IsOneLineWithTimeLevelComponentAndFields) {
  const auto line = logged({}, level::info, "pool", "session opened", {{"connection", "primary"}, {"took", "1.2 ms"}});
  EXPECT_THAT(line, MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z INFO    pool: "
                                 "session opened connection=primary took=\"1.2 ms\"\n"));
}

TEST(LogText, TimeIsUtcWithMilliseconds) {
  using namespace std::chrono;
  EXPECT_EQ(telemetry::iso_time(sys_days{year{2026} / 1 / 31} + hours(23) + minutes(59) + milliseconds(58007)),
            "2026-01-31T23:59:58.007Z");
  EXPECT_EQ(telemetry::iso_time(sys_days{year{1969} / 12 / 31} + milliseconds(1)), "1969-12-31T00:00:00.001Z");
}

TEST(LogText, ValuesAreQuotedWhenTheyNeedIt) {
  EXPECT_THAT(
      logged({}, level::info, "x", "m", {{"empty", ""}, {"quote", "a\"b"}, {"equals", "a=b"}, {"back", "a\\b"}}),
      EndsWith(R"( empty="" quote="a\"b" equals="a=b" back="a\\b")"
               "\n"));
}

TEST(LogText, ForgesNoRecord) {
  const auto line = logged({}, level::info, "server", "bad\nname\r2026-01-01T00:00:00.000Z ERROR   x: forged",
                           {{"name", "a\nb"}, {"escape", "\x1b[31mred\xc2\x9b\xe2\x80\xa8\xe2\x80\xae"}});
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_THAT(line, HasSubstr("bad\\nname\\r2026"));
  EXPECT_THAT(line, HasSubstr("name=\"a\\nb\""));
  EXPECT_THAT(line, HasSubstr("\\u001b[31mred\\u009b\\u2028\\u202e"));
}

TEST(LogText, ReplacesWhatIsNotUtf8) {
  EXPECT_THAT(
      logged({}, level::info, "x", "m", {{"a", "\xff"}, {"b", "\xc0\xaf"}, {"c", "\xed\xa0\x80"}, {"d", "é€😀"}}),
      EndsWith(" a=\xEF\xBF\xBD b=\xEF\xBF\xBD\xEF\xBF\xBD c=\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD d=é€😀\n"));
  EXPECT_THAT(logged({}, level::info, "x", "cut \xf0\x9f\x98"), HasSubstr("cut \xEF\xBF\xBD"));
}

TEST(LogJson, IsValidWhateverItHolds) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  const auto line = logged({.format = log::format::json}, level::warning, "pool", all, {{all, all}, {"n", "é\n\"\\"}});
  ASSERT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  const auto record = boost::json::parse(line).as_object();
  EXPECT_EQ(record.at("level"), "warning");
  EXPECT_EQ(record.at("component"), "pool");
  EXPECT_EQ(record.at("fields").at("n"), "é\n\"\\");
  EXPECT_TRUE(record.at("message").as_string().starts_with(boost::json::string_view("\0\1\2", 3)));
  EXPECT_EQ(record.at("fields").as_object().size(), 2U);
  EXPECT_TRUE(record.at("time").as_string().ends_with("Z"));
}

TEST(LogJson, HasNoFieldsMemberWithoutFields) {
  const auto line = logged({.format = log::format::json}, level::info, "pool", "m");
  EXPECT_FALSE(boost::json::parse(line).as_object().contains("fields"));
}

TEST(LogLevels, DropWhatIsBelow) {
  EXPECT_EQ(logged({.least = level::warning}, level::info, "pool", "m"), "");
  EXPECT_NE(logged({.least = level::warning}, level::warning, "pool", "m"), "");
  EXPECT_EQ(logged({.least = level::off}, level::error, "pool", "m"), "");
  EXPECT_NE(logged({.least = level::trace}, level::trace, "pool", "m"), "");
}

TEST(LogLevels, AreReadByName) {
  for (const auto value : {level::trace, level::debug, level::info, level::warning, level::error, level::off}) {
    EXPECT_EQ(log::parse_level(log::to_string(value)), value);
  }
  EXPECT_EQ(log::parse_level("warn"), level::warning);
  EXPECT_EQ(log::parse_level("loud"), std::nullopt);
  EXPECT_EQ(log::parse_format("json"), log::format::json);
  EXPECT_EQ(log::parse_format("text"), log::format::text);
  EXPECT_EQ(log::parse_format("xml"), std::nullopt);
}

TEST(LogDebug, RaisesTheNamedComponents) {
  const log_filter filter(level::info, "polypool:pool, other:thing,polypool:post*");
  EXPECT_TRUE(filter.enabled(level::debug, "pool"));
  EXPECT_TRUE(filter.enabled(level::debug, "postgres"));
  EXPECT_FALSE(filter.enabled(level::trace, "pool"));
  EXPECT_FALSE(filter.enabled(level::debug, "pools"));
  EXPECT_FALSE(filter.enabled(level::debug, "thing"));
  EXPECT_TRUE(filter.enabled(level::info, "thing"));
}

TEST(LogDebug, ExcludesWithAMinusWhereverItStands) {
  for (const auto* text : {"polypool:*,-polypool:server", "-polypool:server polypool:*"}) {
    const log_filter filter(level::info, text);
    EXPECT_TRUE(filter.enabled(level::debug, "pool"));
    EXPECT_FALSE(filter.enabled(level::debug, "server"));
    EXPECT_TRUE(filter.enabled(level::info, "server"));
  }
}

TEST(LogDebug, KnowsOtherWordsForEverything) {
  for (const auto* text : {"setup:multi-connection", "*", "polypool:*", ",,polypool,"}) {
    EXPECT_TRUE(log_filter(level::error, text).enabled(level::debug, "manager")) << text;
  }
  for (const auto* text : {"", "express:*", "polypool:", "-polypool:*", "-", "polypool:*,-polypool:*"}) {
    EXPECT_FALSE(log_filter(level::info, text).enabled(level::debug, "manager")) << text;
  }
}

TEST(LogDebug, NeverLowersALevelAndNeverKeepsOff) {
  const log_filter filter(level::trace, "polypool:pool");
  EXPECT_TRUE(filter.enabled(level::trace, "pool"));
  EXPECT_FALSE(filter.enabled(level::off, "pool"));
}

TEST(LogDebug, ComesFromTheEnvironment) {
  ASSERT_EQ(setenv("DEBUG", "polypool:pool", 1), 0);
  EXPECT_EQ(log::debug_from_environment(), "polypool:pool");
  ASSERT_EQ(unsetenv("DEBUG"), 0);
  EXPECT_EQ(log::debug_from_environment(), "");
}

TEST(LogFile, IsAppendedTo) {
  const auto file = std::filesystem::temp_directory_path() / ("polypool_log_" + std::to_string(getpid()));
  for (int i = 0; i < 2; ++i) {
    log::logger(log::make_log_sink({.file = file})).info("pool", "line " + std::to_string(i));
  }
  std::ifstream in(file);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  std::filesystem::remove(file);
  EXPECT_THAT(text, HasSubstr("line 0\n"));
  EXPECT_THAT(text, EndsWith("line 1\n"));
}

TEST(LogFile, ThatCannotBeOpenedIsAnError) {
  try {
    log::make_log_sink({.file = "/proc/no/such/place.log"});
    FAIL() << "no error";
  } catch (const error& failure) {
    EXPECT_EQ(failure.portable_code(), errc::invalid_configuration);
    EXPECT_THAT(failure.what(), HasSubstr("/proc/no"));
  }
}

TEST(LogFile, FullDiskDoesNotThrow) {
  log::logger(log::make_log_sink({.file = "/dev/full"})).error("pool", "nobody will read this");
}

TEST(LogSink, KeepsLinesWholeAcrossThreads) {
  std::ostringstream out;
  const log::logger logger(log::make_log_sink({.format = log::format::json, .stream = &out}));
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&logger] {
        for (int i = 0; i < 200; ++i) logger.info("pool", "message", {{"n", std::to_string(i)}});
      });
    }
  }
  std::istringstream in(out.str());
  int lines = 0;
  for (std::string line; std::getline(in, line); ++lines) EXPECT_EQ(boost::json::parse(line).at("message"), "message");
  EXPECT_EQ(lines, 800);
}

}  // namespace
}  // namespace polypool
