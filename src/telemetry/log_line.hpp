// SPDX-License-Identifier: Apache-2.0
// One record as one line.
#pragma once

#include <polypool/log.hpp>

#include <chrono>
#include <initializer_list>
#include <string>
#include <string_view>

namespace polypool::telemetry {

struct log_record {
  std::chrono::system_clock::time_point when;
  log::level severity;
  std::string_view component;
  std::string_view message;
  std::initializer_list<log::field> fields;
};

/// `2026-01-31T12:00:00.123Z`
std::string iso_time(std::chrono::system_clock::time_point when);
/// `2026-01-31T12:00:00.123Z INFO    pool: session opened connection=primary took="1.2 ms"`, without a line break.
std::string text_line(const log_record& record);
/// `{"time":…,"level":…,"component":…,"message":…,"fields":{…}}`, without a line break.
std::string json_line(const log_record& record);

}  // namespace polypool::telemetry
