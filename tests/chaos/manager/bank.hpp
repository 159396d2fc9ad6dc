// SPDX-License-Identifier: Apache-2.0
// A bank under load: transfers whose outcome is written down by who made them and compared with the server's books.
#pragma once

#include "support/outcomes.hpp"
#include "support/tcp_gate.hpp"
#include "support/whole_stack.hpp"

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace polypool::test {

/// 200 tasks and 4 threads that make transfers on a PostgreSQL of the test's own, through a gate, with breaker, retries
/// and a bulkhead in the way; and one more thread that works with SQLite, which nothing of all this concerns.
class bank_test : public ::testing::Test {
 protected:
  static constexpr std::uint32_t max_open = 8;
  static constexpr int accounts = 40;
  static constexpr int tasks = 200;
  static constexpr duration call_limit = 2s;
  static constexpr duration probe_interval = 500ms;
  static constexpr duration busy_machine = 10s;  // what a machine with other work may add
  static constexpr const char* application = "polypool_bank";

  void SetUp() override;
  void TearDown() override;
  /// What the server needs before the work begins.
  virtual void prepare(postgres_admin& admin);
  /// Opens the gate. @return where the manager finds the server
  virtual endpoint open_gate();
  /// `bank`, and what stands before it.
  virtual void configure(config::settings& settings, const endpoint& where);
  /// How balances are read: in a way that may be made again.
  virtual call reading() const { return call().idempotent(); }
  /// All servers that the manager may have sessions on.
  virtual std::vector<private_postgres*> servers() { return {server_.get()}; }
  /// The one that has the books in the end.
  virtual private_postgres& books() { return *server_; }
  /// Waits for this many more transfers to succeed. Meanwhile the limits hold.
  void progress(int transfers);
  /// Waits for this many more to fail.
  void trouble(int transfers);
  /// Waits for so many failures that the breaker opens, and for calls that it refuses.
  void the_breaker_opens();
  /// Runs a fault while SQLite is watched: it goes on, without an error.
  template <class Fault>
  void while_sqlite_works(Fault fault) {
    begin_fault();
    fault();
    watch_sqlite();
  }
  /// Ends the fault: the work goes on by itself, and soon.
  template <class End>
  void recovers_after(End end) {
    end();
    recovered();
  }
  /// Ends the load, compares the books, closes, counts sessions, and records the numbers.
  void settle();
  /// Whether the server's sessions may outnumber the limit for a moment: those that lost their client without a word.
  bool server_may_lag_ = false;
  /// Errors that the fault explains, beside those of any fault.
  std::set<errc> also_expected_;
  /// The connections that `bank` consists of.
  std::vector<std::string> members_{"bank"};

  void start_work();
  void work_in_thread(int number);
  task<void> work_in_task(int number);
  void work_beside();
  task<void> transfer(std::string id, int from, int to);
  task<void> moves(transaction& tx, const std::string& id, int from, int to);
  task<void> add_up();
  void begin_fault();
  void watch_sqlite();
  void recovered();
  void read_the_books();
  void measure(const stopwatch& since);
  void look();
  /// Of the server that has the most of them.
  int server_sessions();
  connection_statistics numbers_of(const std::string& name) const { return manager_->get(name).statistics(); }
  bool stopped() const { return stop_.load(); }

  std::unique_ptr<private_postgres> server_;
  std::map<private_postgres*, std::unique_ptr<postgres_admin>> admins_;
  std::optional<tcp_gate> gate_;
  temporary_folder folder_;
  std::unique_ptr<manager> manager_;
  outcomes outcomes_;
  latencies side_;
  duration least_span_{};  // of the calm and of the fault, for measurements
  int sqlite_before_ = 0;
  std::atomic<bool> stop_ = false;
  std::atomic<int> sqlite_done_ = 0;
  std::atomic<int> tasks_running_ = 0;
  std::atomic<duration::rep> longest_ = 0;
  boost::asio::io_context loop_;
  std::vector<std::jthread> threads_;
};

}  // namespace polypool::test
