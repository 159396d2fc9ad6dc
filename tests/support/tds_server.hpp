// SPDX-License-Identifier: Apache-2.0
// A small SQL Server for tests: it speaks TDS 7.4 and runs simple SQL in an SQLite database.
#pragma once

#include "support/listening_socket.hpp"
#include "support/tds_database.hpp"
#include "support/tds_wire.hpp"
#include "support/temporary_folder.hpp"

#include <polypool/driver.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace polypool::test {

/// Listens on a free port of 127.0.0.1; each session has a thread of its own. Everything may be called from any thread.
///
/// Beyond SQLite's SQL it knows transactions and savepoints, SET, temporary tables (#name), `WAITFOR DELAY`, RPCs to
/// prepare and execute, and `EXEC polypool_raise number, class, 'text'`, `EXEC polypool_hang_up`.
class tds_server {
 public:
  tds_server();
  ~tds_server();
  tds_server(const tds_server&) = delete;
  tds_server& operator=(const tds_server&) = delete;

  std::uint16_t port() const noexcept { return listener_.port(); }
  /// As whom to log in, and where.
  polypool::endpoint endpoint() const;

  /// Ends all sessions; with `listen` false new ones are refused.
  void stop();
  void start();
  void most_sessions(int count) noexcept { most_sessions_ = count; }
  void read_only(bool on) noexcept { read_only_ = on; }
  /// It is in an availability group, that far behind its primary; less than 0: in none, as at first.
  void replica_behind(std::chrono::milliseconds span) noexcept { replica_behind_ = static_cast<int>(span.count()); }
  /// Whether it can encrypt; at first it cannot.
  void encrypts(bool on) noexcept { encrypts_ = on; }
  /// Sessions that were encrypted as a whole, and at least while they logged in.
  int encrypted() const noexcept { return encrypted_; }
  int hidden_logins() const noexcept { return hidden_logins_; }
  /// Sessions that are logged in now.
  int sessions() const noexcept { return sessions_; }
  /// Statements that were cancelled by an attention so far.
  int attentions() const noexcept { return attentions_; }
  /// Remote procedure calls so far, by number: 10 executes, 11 prepares, 12 executes what is prepared, 13 does both.
  int calls_of(int procedure) const noexcept { return calls_[static_cast<std::size_t>(procedure) % 16]; }

  static constexpr const char* user = "tester";
  static constexpr const char* password = "tds-test; {p}=w}d";

 private:
  friend class tds_session;
  struct connection;
  void accept_all();
  void end_all();

  temporary_folder folder_;
  std::string file_ = folder_.file("tds.db");
  listening_socket listener_;
  std::atomic<int> most_sessions_ = 1000;
  std::atomic<bool> read_only_ = false;
  std::atomic<int> replica_behind_ = -1;
  std::atomic<bool> encrypts_ = false;
  tds_certificate certificate_;
  std::atomic<int> sessions_ = 0;
  std::atomic<int> attentions_ = 0;
  std::atomic<int> encrypted_ = 0;
  std::atomic<int> hidden_logins_ = 0;
  std::atomic<int> next_number_ = 51;
  std::array<std::atomic<int>, 16> calls_{};
  std::mutex mutex_;
  bool refusing_ = false;
  std::list<std::unique_ptr<connection>> connections_;
  std::jthread acceptor_;
};

}  // namespace polypool::test
