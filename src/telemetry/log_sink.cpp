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

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

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

class line_sink final : public adjustable_sink {
 public:
  explicit line_sink(const sink_options& options) : target_(open_target(options)) {
    // The line is complete when it gets there, with its own escaping; spdlog only ends and writes it.
    target_->set_formatter(std::make_unique<spdlog::pattern_formatter>("%v"));
    adjust(options.least, options.format, options.debug);
  }

  // Readers take no lock, so what was in force once is kept: somebody may still look at it. The same again is found
  // again, so there are as many as there were different ones.
  void adjust(level least, log::format format, std::string_view debug) override {
    const std::scoped_lock lock(mutex_);
    auto found = std::ranges::find_if(
        kept_, [&](const auto& each) { return each->least == least && each->form == format && each->debug == debug; });
    if (found == kept_.end()) {
      kept_.push_back(std::make_unique<const setup>(least, format, debug));
      found = std::prev(kept_.end());
    }
    now_.store(found->get(), std::memory_order_release);
  }

  bool enabled(level severity, std::string_view component) const noexcept override {
    return now_.load(std::memory_order_acquire)->filter.enabled(severity, component);
  }

  void write(level severity, std::string_view component, std::string_view message,
             std::initializer_list<field> fields) noexcept override {
    const setup& now = *now_.load(std::memory_order_acquire);
    if (!now.filter.enabled(severity, component)) return;
    try {
      const telemetry::log_record record{std::chrono::system_clock::now(), severity, component, message, fields};
      const auto line = now.form == format::json ? telemetry::json_line(record) : telemetry::text_line(record);
      target_->log(spdlog::details::log_msg(spdlog::string_view_t(), spdlog_level(severity), line));
      target_->flush();
    } catch (...) {
      // A full disk must not take the program down, and there is nowhere left to complain to.
    }
  }

 private:
  struct setup {
    setup(level from, log::format how, std::string_view parts)
        : least(from), form(how), debug(parts), filter(from, parts) {}
    const level least;
    const format form;
    const std::string debug;
    const telemetry::log_filter filter;
  };
  const std::shared_ptr<spdlog::sinks::sink> target_;
  std::atomic<const setup*> now_{nullptr};
  std::mutex mutex_;  // guards what follows
  std::vector<std::unique_ptr<const setup>> kept_;
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

std::shared_ptr<adjustable_sink> make_log_sink(sink_options options) { return std::make_shared<line_sink>(options); }

}  // namespace polypool::log
