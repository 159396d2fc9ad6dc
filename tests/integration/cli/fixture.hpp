// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::test {

// A folder of its own with a polypool.yaml, where the built command runs.
class cli_test : public testing::Test {
 protected:
  cli_test() {
    std::string pattern = (std::filesystem::temp_directory_path() / "polypool-cli.XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    write("polypool.yaml", R"(polypool:
  default_connection: books
  connections:
    books:
      type: sqlite
      filepath: books.db
      critical: true
      tags: {team: library}
    other:
      type: sqlite
      filepath: other.db
)");
  }
  ~cli_test() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, std::string_view text) const { std::ofstream(folder_ / name) << text; }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  static std::vector<std::string> words(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), POLYPOOL_COMMAND);
    return arguments;
  }
  command_options options() const { return {.folder = folder_.string(), .variables = variables_, .input = input_}; }
  command_result polypool(std::vector<std::string> arguments) const {
    return run_command(words(std::move(arguments)), options());
  }
  // The output of a command that has to succeed.
  std::string output(std::vector<std::string> arguments) const {
    const auto done = polypool(std::move(arguments));
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_EQ(done.err, "");
    return done.out;
  }
  // Books 1 to 3 in `books`.
  void fill() const {
    write("books.sql", R"(CREATE TABLE book(id INTEGER PRIMARY KEY, title TEXT, price REAL, cover BLOB);
INSERT INTO book VALUES (1, 'Emma', 9.5, x'00ff');
INSERT INTO book VALUES (2, 'War, "Peace" & more', NULL, NULL);
INSERT INTO book VALUES (3, '', 12, x'');
)");
    output({"script", "books", "books.sql"});
  }

  std::filesystem::path folder_;
  std::map<std::string, std::string> variables_;
  std::string input_;
};

// The same with a daemon on a free port.
class daemon_cli_test : public cli_test {
 protected:
  // Its URL and port come from what it printed.
  void start() {
    daemon_.emplace(words({"serve", "--listen", "127.0.0.1:0"}), options());
    ASSERT_TRUE(daemon_->wait_for("Ctrl-C stops.")) << daemon_->wait(std::chrono::seconds(1)).err;
    const auto begin = daemon_->out().find("http://");
    url_ = daemon_->out().substr(begin, daemon_->out().find("/health", begin) - begin);
    port_ = static_cast<std::uint16_t>(std::stoi(url_.substr(url_.rfind(':') + 1)));
  }
  void stop() {
    daemon_->send_signal(SIGTERM);
    EXPECT_EQ(daemon_->wait().status, 0);
  }
  std::optional<child_process> daemon_;
  std::string url_;
  std::uint16_t port_ = 0;
};

}  // namespace polypool::test
