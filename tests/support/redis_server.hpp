// SPDX-License-Identifier: Apache-2.0
// Real Redis servers for tests: the one all tests share, and private ones that may be stopped, killed and frozen.
#pragma once

#include "support/process.hpp"
#include "support/temporary_folder.hpp"

#include <polypool/driver.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::test {

/// Where a server is, and as whom to log in.
struct redis_address {
  std::string host = "127.0.0.1";
  std::uint16_t port = 6379;
  std::string user;
  std::string password;

  static redis_address parse(std::string_view url);
  /// What a driver needs to open a session of this name.
  endpoint to_endpoint(std::string_view client_name) const;
  std::string url() const;
};

/// A plain blocking client, for looking at a server beside the code that is tested. Throws std::runtime_error, also for
/// what the server complains about.
class redis_admin {
 public:
  explicit redis_admin(const redis_address& where);
  ~redis_admin();
  redis_admin(const redis_admin&) = delete;
  /// The words of the answer, those of lists one behind the other; null is "(null)".
  std::vector<std::string> words(const std::vector<std::string>& command);
  /// All of them in one text, separated by blanks.
  std::string operator()(const std::vector<std::string>& command);
  /// How many sessions the server has of this client name.
  int count_sessions(std::string_view client_name);

 private:
  void read_answer(std::vector<std::string>& out);
  std::string read_line();
  std::string read_bytes(std::size_t count);
  int descriptor_ = -1;
  std::string buffer_;
};

/// The server that all tests of a run share (started by the CTest fixture, or named by REDIS_URL).
struct shared_redis {
  static const std::optional<redis_address>& address();
  /// Why there is none.
  static const std::string& why_not();
};

/// A prefix of its own for keys on the shared server, and a client name of its own. The keys are deleted at the end.
class redis_playground {
 public:
  explicit redis_playground(const redis_address& where);
  ~redis_playground();
  redis_playground(const redis_playground&) = delete;
  const std::string& name() const noexcept { return name_; }
  std::string key(std::string_view tail) const { return name_ + ":" + std::string(tail); }
  polypool::endpoint endpoint() const { return where_.to_endpoint(name_); }
  redis_admin& admin() noexcept { return admin_; }
  int sessions() { return admin_.count_sessions(name_); }
  /// Waits for the server to notice that sessions are gone.
  bool sessions_become(int wanted);

 private:
  redis_address where_;
  std::string name_;
  redis_admin admin_;
};

/// A port of 127.0.0.1 that nobody listens on now.
std::uint16_t free_port();

/// Lines of a server's configuration.
using redis_lines = std::multimap<std::string, std::string>;

/// A server of the test's own.
class private_redis {
 public:
  /// @param settings what its configuration says beside port and folder, such as {"requirepass", "x"}
  explicit private_redis(redis_lines settings = {}, std::string program = "redis-server");
  ~private_redis();
  private_redis(const private_redis&) = delete;
  /// Why no server can be started here; empty when it can.
  static std::string why_not();

  void start();
  void stop();
  /// kill -9
  void kill();
  void restart();
  /// Freezes it, as a hung machine does: connections are accepted by the kernel only.
  void suspend();
  void resume();

  const redis_address& address() const noexcept { return address_; }
  const temporary_folder& folder() const noexcept { return folder_; }
  std::string log() const;

 private:
  void signal(int number) const;
  void wait_for_end();
  temporary_folder folder_;
  redis_lines settings_;
  std::string program_;
  redis_address address_;
  int process_ = -1;
};

/// A test on the shared server; skipped, with the reason, when there is none.
class redis_test : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  std::string key(std::string_view tail) const { return playground_->key(tail); }
  redis_admin& admin() { return playground_->admin(); }
  std::unique_ptr<redis_playground> playground_;
};

}  // namespace polypool::test
