// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup testing
/// Aids for tests: a clock moved by hand, an event loop on that clock, and a server that does as it is told.
#pragma once

#include <polypool/background.hpp>
#include <polypool/driver.hpp>

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace polypool::testing {

/// A clock that stands still until it is moved. Thread-safe.
class virtual_clock final : public clock {
 public:
  time_point now() const noexcept override { return time_point(duration(now_.load(std::memory_order_acquire))); }
  timer_queue* manual_timers() noexcept override { return &timers_; }
  /// Moves to `when`, stopping at every timer on the way. Never goes back.
  void advance_to(time_point when) override;
  void advance(duration span) { advance_to(now() + span); }

 private:
  std::mutex moving_;
  std::atomic<duration::rep> now_{duration(std::chrono::hours(1)).count()};
  timer_queue timers_;
};

/// A single-threaded event loop on a virtual clock: hours pass in microseconds, and every run is the same.
/// Sockets cannot be waited for here. Tasks may be woken from other threads; everything else is for one thread.
class virtual_loop final : public background {
 public:
  explicit virtual_loop(virtual_clock& time) noexcept : time_(time) {}
  ~virtual_loop() override;

  void spawn(task<void> work) override;
  virtual_clock& time() noexcept override { return time_; }

  /// Runs what is ready until nothing is. The clock stands still.
  void run_ready();
  /// Lets time pass, running everything that becomes due on the way.
  void advance(duration span);

  /// Runs a task to its end, letting time pass whenever nothing is ready. Throws what it throws; `internal_error` when
  /// it waits for something that never comes; it is dropped then.
  template <class T>
  T run(task<T> work) {
    std::optional<outcome<T>> result;
    root* const started = start(keep(std::move(work), result));
    drive(started, [&] { return result.has_value(); });
    if (result->failure) std::rethrow_exception(result->failure);
    if constexpr (!std::is_void_v<T>) return std::move(*result->value);
  }

 private:
  class root;
  template <class T>
  struct outcome {
    std::exception_ptr failure;
    std::optional<std::conditional_t<std::is_void_v<T>, char, T>> value;
  };
  template <class T>
  static task<void> keep(task<T> work, std::optional<outcome<T>>& out) {
    outcome<T> done;
    try {
      if constexpr (std::is_void_v<T>) {
        co_await std::move(work);
      } else {
        done.value.emplace(co_await std::move(work));
      }
    } catch (...) {
      done.failure = std::current_exception();
    }
    out.emplace(std::move(done));
  }
  root* start(task<void> work);
  void drop(root* gone) noexcept;
  void drive(root* started, const std::function<bool()>& finished);
  bool run_one();

  virtual_clock& time_;
  std::mutex mutex_;
  std::deque<root*> ready_;
  std::unordered_set<root*> roots_;
};

/// Makes a result of any values: `make_result({"id", "name"}, {{1, "Ann"}, {2, nullptr}})`.
result make_result(std::vector<std::string> columns, std::vector<std::vector<value>> rows,
                   std::uint64_t affected_rows = 0);

/// A database server that does as it is told, and what the fake driver connects to. Thread-safe.
///
/// Statements are answered by `on_statement`; without it, `SELECT 1` gives a row with 1 and everything else no rows.
/// BEGIN, COMMIT and ROLLBACK are followed, so that transactions and resets behave.
class fake_server {
 public:
  using answer = std::function<result(std::string_view text, std::span<const value> parameters)>;
  static constexpr std::uint32_t for_ever = std::numeric_limits<std::uint32_t>::max();

  /// How long each thing takes (as a sleep of the task).
  void connect_takes(duration span);
  void statements_take(duration span);
  /// The next `times` attempts to connect fail with this.
  void fail_connects(error cause, std::uint32_t times = for_ever);
  /// The next `times` statements fail with this. An error that poisons its session breaks it.
  void fail_statements(error cause, std::uint32_t times = for_ever);
  void fail_probes(error cause, std::uint32_t times = for_ever);
  void fail_resets(error cause, std::uint32_t times = for_ever);
  /// Takes all faults back.
  void heal();
  /// Connects, or statements, probes and resets, never end by themselves (until the deadline), as behind a black hole.
  void hang(bool connects, bool statements);
  /// Every session of now is broken: its next operation fails with connection_lost.
  void cut_all();
  void on_statement(answer give);
  void set_role(server_info::role_type role);
  /// How far it says it is behind its primary.
  void set_lag(duration behind);

  std::size_t open_sessions() const;
  std::size_t most_open_sessions() const;  ///< the greatest number at any time, connecting ones included
  std::uint64_t connects() const;          ///< attempts
  std::uint64_t probes() const;
  std::uint64_t resets() const;
  std::vector<std::string> statements() const;  ///< all that were received, in order

 private:
  friend class fake_session;
  friend class fake_driver;
  struct fault {
    std::optional<error> cause;
    std::uint32_t times = 0;
    void raise_if_due();
  };
  mutable std::mutex mutex_;
  duration connect_time_{};
  duration statement_time_{};
  fault connect_fault_, statement_fault_, probe_fault_, reset_fault_;
  bool connects_hang_ = false;
  bool statements_hang_ = false;
  std::uint64_t epoch_ = 0;
  answer answer_;
  std::optional<duration> lag_;
  server_info::role_type role_ = server_info::role_type::primary;
  std::size_t open_ = 0;
  std::size_t most_open_ = 0;
  std::uint64_t connects_ = 0;
  std::uint64_t probes_ = 0;
  std::uint64_t resets_ = 0;
  std::vector<std::string> statements_;
};

/// A driver whose sessions talk to a fake server. Native handle: `fake_server*`.
/// @param type the type of connection it serves, as configuration says it
std::shared_ptr<driver> make_fake_driver(std::shared_ptr<fake_server> server, std::string type = "postgres");

}  // namespace polypool::testing
