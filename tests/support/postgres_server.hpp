// SPDX-License-Identifier: Apache-2.0
// Real PostgreSQL servers for tests: the one all tests share, and private ones that may be stopped, killed and frozen.
#pragma once

#include "support/process.hpp"

#include <polypool/driver.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::test {

/// Where a server is, and as whom to log in.
struct postgres_address {
  std::string host;
  std::uint16_t port = 5432;
  std::string user;
  std::string password;
  std::string database;

  static postgres_address parse(std::string_view url);
  std::string url() const;
  /// What a driver needs to open a session that counts under this application name.
  endpoint to_endpoint(std::string_view application_name) const;
};

/// Plain blocking libpq, for looking at a server beside the code that is tested. Throws std::runtime_error.
class postgres_admin {
 public:
  using rows = std::vector<std::vector<std::string>>;
  explicit postgres_admin(const postgres_address& where);
  ~postgres_admin();
  postgres_admin(const postgres_admin&) = delete;
  rows execute(const std::string& sql);
  /// The first value of the first row.
  std::string value(const std::string& sql);
  /// How many sessions the server has of this application name.
  int count_sessions(std::string_view application_name);

 private:
  void* connection_;
};

/// The server that all tests of a run share (started by the CTest fixture, or named by POSTGRES_URL).
struct shared_postgres {
  static const std::optional<postgres_address>& address();
  /// Why there is none.
  static const std::string& why_not();
};

/// A schema of its own on the shared server, and an application name of its own. Dropped at the end, when no session
/// of that name may be left.
class postgres_playground {
 public:
  explicit postgres_playground(const postgres_address& where);
  ~postgres_playground();
  postgres_playground(const postgres_playground&) = delete;
  const std::string& name() const noexcept { return name_; }
  /// With `schema` and the application name set.
  polypool::endpoint endpoint() const;
  postgres_admin& admin() noexcept { return admin_; }
  int sessions() { return admin_.count_sessions(name_); }
  /// Waits for the server to notice that sessions are gone.
  bool sessions_become(int wanted);

 private:
  postgres_address where_;
  std::string name_;
  postgres_admin admin_;
};

/// A server of the test's own.
class private_postgres {
 public:
  /// Throws std::runtime_error; ask `why_not` first.
  private_postgres();
  /// A standby of another one, which streams from it from then on. promote() makes it a primary. What ALTER SYSTEM has
  /// changed at the other one may be its own or not.
  explicit private_postgres(const private_postgres& primary);
  ~private_postgres();
  private_postgres& operator=(const private_postgres&) = delete;
  /// Why no server can be started here; empty when it can.
  static std::string why_not();

  void start();
  void stop_fast();
  /// kill -9 of the server and all its sessions.
  void kill();
  void restart();
  /// Freezes the server and all its sessions, as a hung machine does: connections are accepted by the kernel only.
  void suspend();
  void resume();
  /// Restarts as a hot standby (read-only, pg_is_in_recovery); promote() makes it a primary again.
  void become_standby();
  /// Starts, after it was stopped, as a standby that streams from that server.
  void follow(const private_postgres& primary);
  void promote();
  /// A standby applies nothing of what it receives from now on.
  void pause_replay();

  const postgres_address& address() const noexcept { return address_; }
  /// The folder with its Unix socket.
  const std::string& folder() const noexcept { return folder_; }

 private:
  void make(const std::string& command, const std::string& more);
  void control(const std::string& command, const std::string& more = {}) const;
  std::vector<int> processes() const;
  void signal_all(int number) const;
  std::string template_;  // what it is a copy of; empty: it was made anew
  std::string folder_;
  postgres_address address_;
  bool suspended_ = false;
};

/// A test on the shared server; skipped, with the reason, when there is none.
class postgres_test : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  std::unique_ptr<postgres_playground> playground_;
};

}  // namespace polypool::test
