// SPDX-License-Identifier: Apache-2.0
#include "telemetry/log_line.hpp"

#include "telemetry/escape.hpp"

#include <polypool/telemetry.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace polypool {
namespace log {

std::string_view to_string(level value) noexcept {
  constexpr std::array<std::string_view, 6> names{"trace", "debug", "info", "warning", "error", "off"};
  const auto index = static_cast<std::size_t>(value);
  return index < names.size() ? names[index] : "unknown";
}

}  // namespace log

namespace telemetry {
namespace {

bool needs_quotes(std::string_view value) noexcept {
  return value.empty() || !std::all_of(value.begin(), value.end(), [](unsigned char c) {
           return c > ' ' && c != '"' && c != '=' && c != '\\' && c != 0x7f;
         });
}

void append_value(std::string& out, std::string_view value) {
  const bool quotes = needs_quotes(value);
  if (quotes) out += '"';
  append_escaped(out, value, quotes);
  if (quotes) out += '"';
}

void append_json_member(std::string& out, std::string_view name, std::string_view value) {
  out += '"';
  append_escaped(out, name, true);
  out += "\":\"";
  append_escaped(out, value, true);
  out += '"';
}

}  // namespace

std::string iso_time(std::chrono::system_clock::time_point when) {
  using namespace std::chrono;
  const auto seconds_part = floor<seconds>(when);
  const auto milli = duration_cast<milliseconds>(when - seconds_part).count();
  const std::time_t time = system_clock::to_time_t(seconds_part);
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 64> text{};
  const auto length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + length, text.size() - length, ".%03dZ", static_cast<int>(milli));
  return text.data();
}

std::string text_line(const log_record& record) {
  constexpr std::array<std::string_view, 6> padded{"TRACE  ", "DEBUG  ", "INFO   ", "WARNING", "ERROR  ", "OFF    "};
  std::string out = iso_time(record.when);
  out += ' ';
  out += padded[std::min(static_cast<std::size_t>(record.severity), padded.size() - 1)];
  out += ' ';
  append_escaped(out, record.component, false);
  out += ": ";
  append_escaped(out, record.message, false);
  for (const auto& [name, value] : record.fields) {
    out += ' ';
    append_value(out, name);
    out += '=';
    append_value(out, value);
  }
  return out;
}

std::string json_line(const log_record& record) {
  std::string out = "{";
  append_json_member(out, "time", iso_time(record.when));
  out += ',';
  append_json_member(out, "level", log::to_string(record.severity));
  out += ',';
  append_json_member(out, "component", record.component);
  out += ',';
  append_json_member(out, "message", record.message);
  if (record.fields.size() != 0) {
    out += ",\"fields\":{";
    bool first = true;
    for (const auto& [name, value] : record.fields) {
      if (!first) out += ',';
      first = false;
      append_json_member(out, name, value);
    }
    out += '}';
  }
  out += '}';
  return out;
}

}  // namespace telemetry
}  // namespace polypool
