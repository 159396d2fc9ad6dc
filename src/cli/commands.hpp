// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/row_writers.hpp"

#include <polypool/error.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <vector>

namespace polypool::cli {

// What the words of the command line say; each command reads what concerns it.
struct arguments {
  std::string program = "polypool";  // as it was called
  std::string command;
  std::string config;              // --config
  std::string url;                 // --url; empty: in this process
  std::string name;                // of a connection
  std::string text;                // SQL, or a file
  std::vector<std::string> words;  // parameters of a query
  row_format format = row_format::table;
  std::optional<std::chrono::nanoseconds> timeout;
  std::optional<std::string> null_word;
  bool all_text = false;
  bool only_critical = false;
  std::string listen;
  std::string log_level;
  std::string log_format;
  bool redis = false;                    // `switch`
  std::string to;                        // of `failover`
  bool back = false;                     // of `failover`
  bool follow = false;                   // `events`
  std::vector<std::string> kinds;        // of events
  std::vector<std::string> connections;  // of events
  std::size_t limit = 50;                // of events
  bool once = false;                     // `top`
  std::chrono::nanoseconds interval = std::chrono::seconds(1);
};

// Each returns the exit code, and throws what went wrong.
int check(const arguments& given);
int diff(const arguments& given);
int list(const arguments& given);
int health(const arguments& given);
int stats(const arguments& given);
int query(const arguments& given);
int script(const arguments& given);
int serve(const arguments& given);
int top(const arguments& given);
int events(const arguments& given);
int switch_active(const arguments& given);
int failover(const arguments& given);
int breaker(const arguments& given);

// Prints what went wrong to standard error, as `error: …` and a hint. @return the exit code it stands for
int report(const std::exception& problem);

}  // namespace polypool::cli
