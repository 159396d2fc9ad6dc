// SPDX-License-Identifier: Apache-2.0
// Real MySQL or MariaDB servers for tests: the one all tests share, and private ones that may be stopped, killed,
// frozen.
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
struct mysql_address {
  std::string host;
  std::uint16_t port = 3306;
  std::string user;
  std::string password;
  std::string database;

  static mysql_address parse(std::string_view url);
  std::string url() const;
  endpoint to_endpoint() const;
};

/// Plain blocking Connector/C, for looking at a server beside the code that is tested. Throws std::runtime_error.
class mysql_admin {
 public:
  using rows = std::vector<std::vector<std::string>>;  ///< NULL as "NULL"
  explicit mysql_admin(const mysql_address& where);
  ~mysql_admin();
  mysql_admin(const mysql_admin&) = delete;
  rows execute(const std::string& sql);
  /// The first value of the first row.
  std::string value(const std::string& sql);
  /// The ids of a user's sessions.
  std::vector<int> sessions_of(std::string_view user);

 private:
  void* connection_;
};

/// The server that all tests of a run share (started by the CTest fixture, or named by MYSQL_URL).
struct shared_mysql {
  static const std::optional<mysql_address>& address();
  /// Why there is none.
  static const std::string& why_not();
};

/// A database and a user of its own. Dropped at the end, when no session of that user may be left.
class mysql_playground {
 public:
  explicit mysql_playground(const mysql_address& where);
  ~mysql_playground();
  mysql_playground(const mysql_playground&) = delete;
  /// Of the database and of the user, who may also do anything in databases whose names begin so.
  const std::string& name() const noexcept { return name_; }
  polypool::endpoint endpoint() const;
  mysql_admin& admin() noexcept { return admin_; }
  int sessions() { return static_cast<int>(admin_.sessions_of(name_).size()); }
  /// Waits for the server to notice that sessions are gone.
  bool sessions_become(int wanted);

 private:
  mysql_address where_;
  std::string name_;
  mysql_admin admin_;
};

/// A server of the test's own.
class private_mysql {
 public:
  /// @param settings lines for its my.cnf
  /// Throws std::runtime_error; ask `why_not` first.
  explicit private_mysql(const std::string& settings = {});
  ~private_mysql();
  private_mysql(const private_mysql&) = delete;
  /// Why no server can be started here; empty when it can.
  static std::string why_not();

  void start();
  void stop_fast();
  /// kill -9.
  void kill();
  void restart();
  /// Freezes the server, as a hung machine does: connections are accepted by the kernel only.
  void suspend();
  void resume();

  const mysql_address& address() const noexcept { return address_; }
  /// The folder with its Unix socket `s` and the certificate of its authority, `ca.pem`.
  const std::string& folder() const noexcept { return folder_; }

 private:
  void control(const std::string& command, const std::string& more = {}) const;
  int process() const;
  std::string folder_;
  mysql_address address_;
};

/// The authority's certificate of the shared server; empty when the server is not one of ours.
std::string shared_mysql_authority();

/// A test on the shared server; skipped, with the reason, when there is none.
class mysql_test : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  std::unique_ptr<mysql_playground> playground_;
};

}  // namespace polypool::test
