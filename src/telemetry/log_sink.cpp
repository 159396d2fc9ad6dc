// SPDX-License-Identifier: Apache-2.0
// The only file that sees spdlog.
#include "telemetry/log_filter.hpp"
#include "telemetry/log_line.hpp"

#include <polypool/error.hpp>
#include <polypool/telemetry.hpp>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <chrono>
#include <cstdlib>

namespace polypool::log {
namespace {

std::shared_ptr<spdlog::sinks::sink> open_target(const sink_options& options) {
  if (options.stream) return std::make_shared<spdlog::sinks::ostream_sink_mt>(*options.stream, true);
  if (options.file.empty()) return std::make_shared<spdlog::sinks::stderr_sink_mt>();
  try {
    return std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file.string());
  } catch (const spdlog::spdlog_ex& failure) {
    throw error(errc::invalid_configuration, std::string("cannot write the log: ") + failure.what())
        .with_hint("give a file in a directory that exists and may be written to");
  }
}

spdlog::level::level_enum spdlog_level(level severity) noexcept {
  switch (severity) {
    case level::trace:
      return spdlog::level::trace;
    case level::debug:
      return spdlog::level::debug;
    case level::info:
      return spdlog::level::info;
    case level::warning:
      return spdlog::level::warn;
    default:
      return spdlog::level::err;
  }
}

class line_sink final : public sink {
 public:
  explicit line_sink(const sink_options& options)
      : filter_(options.least, options.debug), format_(options.format), target_(open_target(options)) {
    // The line is complete when it gets there, with its own escaping; spdlog only ends and writes it.
    target_->set_formatter(std::make_unique<spdlog::pattern_formatter>("%v"));
  }

  bool enabled(level severity, std::string_view component) const noexcept override {
    return filter_.enabled(severity, component);
  }

  void write(level severity, std::string_view component, std::string_view message,
             std::initializer_list<field> fields) noexcept override {
    if (!enabled(severity, component)) return;
    try {
      const telemetry::log_record record{std::chrono::system_clock::now(), severity, component, message, fields};
      const auto line = format_ == format::json ? telemetry::json_line(record) : telemetry::text_line(record);
      target_->log(spdlog::details::log_msg(spdlog::string_view_t(), spdlog_level(severity), line));
      target_->flush();
    } catch (...) {
      // A full disk must not take the program down, and there is nowhere left to complain to.
    }
  }

 private:
  const telemetry::log_filter filter_;
  const format format_;
  const std::shared_ptr<spdlog::sinks::sink> target_;
};

}  // namespace

std::optional<level> parse_level(std::string_view text) noexcept {
  if (text == "warn") return level::warning;
  for (const auto value : {level::trace, level::debug, level::info, level::warning, level::error, level::off}) {
    if (text == to_string(value)) return value;
  }
  return std::nullopt;
}

std::optional<format> parse_format(std::string_view text) noexcept {
  if (text == "text") return format::text;
  if (text == "json") return format::json;
  return std::nullopt;
}

std::string debug_from_environment() {
  const char* value = std::getenv("DEBUG");
  return value ? value : "";
}

std::shared_ptr<sink> make_log_sink(sink_options options) { return std::make_shared<line_sink>(options); }

}  // namespace polypool::log
