// SPDX-License-Identifier: Apache-2.0
// Real MongoDB servers (or FerretDB) for tests: the one all tests share, and private ones that may be stopped and
// frozen.
#pragma once

#include "support/connections.hpp"
#include "support/process.hpp"

#include <polypool/document.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace polypool::test {

/// Plain libmongoc, for looking at a server beside the code that is tested; connects anew for each command.
class mongodb_admin {
 public:
  explicit mongodb_admin(endpoint where) : where_(std::move(where)) {}
  /// Throws std::runtime_error.
  document run(const std::string& database, std::string_view command) const;
  /// How many documents a collection has.
  std::int64_t count(const std::string& database, const std::string& collection) const;

 private:
  endpoint where_;
};

/// The server that all tests of a run share (started by the CTest fixture, or named by MONGODB_URL).
struct shared_mongodb {
  static const std::optional<endpoint>& where();
  static const std::string& url();
  /// Why there is none.
  static const std::string& why_not();
  /// The folder of a server that the fixture started; empty when MONGODB_URL names another one.
  static const std::string& folder();
};

/// A database of its own on the shared server; dropped at the end.
class mongodb_playground {
 public:
  explicit mongodb_playground(polypool::endpoint where);
  ~mongodb_playground();
  mongodb_playground(const mongodb_playground&) = delete;
  const std::string& name() const noexcept { return where_.database; }
  const polypool::endpoint& endpoint() const noexcept { return where_; }
  const mongodb_admin& admin() const noexcept { return admin_; }
  /// Connections of this process to the server.
  int sessions() const { return connections_to(where_.port); }

 private:
  polypool::endpoint where_;
  mongodb_admin admin_;
};

/// A server of the test's own.
class private_mongodb {
 public:
  /// Throws std::runtime_error; ask `why_not` first.
  private_mongodb();
  ~private_mongodb();
  private_mongodb(const private_mongodb&) = delete;
  /// Why no server can be started here; empty when it can.
  static std::string why_not();

  void start() const;
  void stop() const;
  void kill() const;
  void restart() const;
  /// Freezes it, as a hung machine does: connections are accepted by the kernel only.
  void suspend() const;
  void resume() const;
  const endpoint& where() const noexcept { return where_; }
  const std::string& folder() const noexcept { return folder_; }

 private:
  void control(const std::string& command, const std::string& more = {}) const;
  std::string folder_;
  endpoint where_;
};

/// A test on the shared server; skipped, with the reason, when there is none.
class mongodb_test : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  std::unique_ptr<mongodb_playground> playground_;
};

}  // namespace polypool::test
