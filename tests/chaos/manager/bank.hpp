// SPDX-License-Identifier: Apache-2.0
// A bank under load: transfers whose outcome is written down by who made them and compared with the server's books.
#pragma once

#include "support/tcp_gate.hpp"
#include "support/whole_stack.hpp"

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace polypool::test {

/// What came of each transfer, as its caller knows it.
class outcomes {
 public:
  void acknowledged(std::string id);
  void failed(std::string id, const error& why);
  int done() const noexcept { return done_; }
  int failures() const noexcept { return failures_; }
  /// Errors of kinds that faults of servers and networks do not explain.
  std::vector<std::string> problems(bool closed_is_expected) const;
  /// Compares with the ids in the server's ledger.
  void check(const std::set<std::string>& ledger) const;

 private:
  mutable std::mutex mutex_;
  std::set<std::string> acknowledged_, in_doubt_, failed_;
  std::vector<error> unexpected_;
  std::atomic<int> done_ = 0;
  std::atomic<int> failures_ = 0;
};

/// 4 threads and 50 tasks that make transfers on a PostgreSQL of the test's own, through a gate; and one more thread
/// that works with SQLite, which nothing of all this concerns.
class bank_test : public ::testing::Test {
 protected:
  static constexpr std::uint32_t max_open = 8;
  static constexpr int accounts = 40;

  void SetUp() override;
  void TearDown() override;
  /// Waits for this many more transfers to succeed. Meanwhile the limits hold.
  void progress(int transfers);
  /// Waits for this many more to fail.
  void trouble(int transfers);
  /// Runs a fault while SQLite is watched: it goes on, without an error.
  template <class Fault>
  void while_sqlite_works(Fault fault) {
    const int before = sqlite_done_;
    fault();
    EXPECT_TRUE(wait_until([&] { return sqlite_done_ >= before + 20; })) << "SQLite stopped as well";
  }
  /// Ends the load, compares the books, closes, counts sessions.
  void settle();
  /// Whether the server's sessions may outnumber the limit for a moment: those that lost their client without a word.
  bool server_may_lag_ = false;
  /// Whether somebody has closed the connection on purpose.
  bool closed_is_expected_ = false;

  void work_in_thread(int number);
  task<void> work_in_task(int number);
  task<void> transfer(std::string id, int from, int to);
  void measure(const stopwatch& since);
  void look();
  int server_sessions();
  bool stopped() const { return stop_.load(); }

  std::unique_ptr<private_postgres> server_;
  std::unique_ptr<postgres_admin> admin_;
  std::optional<tcp_gate> gate_;
  temporary_folder folder_;
  std::unique_ptr<manager> manager_;
  outcomes outcomes_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> sqlite_done_ = 0;
  std::atomic<int> tasks_running_ = 0;
  std::atomic<duration::rep> longest_ = 0;
  boost::asio::io_context loop_;
  std::vector<std::jthread> threads_;
};

}  // namespace polypool::test
