// SPDX-License-Identifier: Apache-2.0
// Runs a program as a child process and reads what it prints.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace polypool::test {

struct command_result {
  int status = -1;  // exit status; 128 + signal when a signal ended it
  std::string out;
  std::string err;
};

struct command_options {
  std::string folder;                            // where it runs; empty: here
  std::map<std::string, std::string> variables;  // its environment has these, PATH, and nothing else
  std::string input;                             // its standard input
};

// A running program. The destructor kills it, unless it has been waited for.
class child_process {
 public:
  child_process(const std::vector<std::string>& words, const command_options& options = {});
  child_process(const child_process&) = delete;
  ~child_process();

  // Reads until its output (or its error output) contains this. @return false when it ended or took too long
  bool wait_for(std::string_view text, std::chrono::seconds limit = std::chrono::seconds(60));
  void send_signal(int signal) const;
  // Reads to the end and waits. A program that takes too long is killed.
  command_result wait(std::chrono::seconds limit = std::chrono::seconds(60));
  const std::string& out() const noexcept { return out_.text; }
  const std::string& err() const noexcept { return err_.text; }
  pid_t pid() const noexcept { return pid_; }

 private:
  struct stream {
    int descriptor = -1;
    std::string text;
    bool read_some();
  };
  // Reads what comes. @return false at the end of both streams, or when the time is over
  bool read_more(std::chrono::steady_clock::time_point until);

  pid_t pid_ = -1;
  stream out_, err_;
};

command_result run_command(const std::vector<std::string>& words, const command_options& options = {});

}  // namespace polypool::test
