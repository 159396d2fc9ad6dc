// SPDX-License-Identifier: Apache-2.0
// The state of a pool, and everything that happens to it.
#pragma once

#include "pool/pooled_session.hpp"

#include <polypool/pool.hpp>
#include <polypool/waits.hpp>

#include <atomic>
#include <mutex>
#include <random>
#include <stop_token>
#include <thread>
#include <vector>

namespace polypool {

/// Sessions beyond max_idle go only when they were not needed for this long: closing them at once would make a busy
/// pool open and close all the time.
inline constexpr duration excess_idle_grace = std::chrono::seconds(1);

/// What is left at least of a session's lifetime and idle time by jitter.
inline constexpr double least_share = 0.9;

/// Shared by the pool, its sessions, and the background tasks that work on it.
///
/// One mutex guards everything; no I/O, no logging and no destruction of a session happens under it. Background tasks
/// are spawned under it, so that none is once the pool is closed (the background may be gone then). Timers expire under
/// the lock of their queue and then take this one, so none is armed or disarmed under it.
class pool_core : public std::enable_shared_from_this<pool_core> {
 public:
  using item = detail::pooled_session;
  using item_list = detail::session_list;
  using pointer = std::shared_ptr<pool_core>;

  pool_core(pool_options options, session_opener open, background& work, log::logger log);

  // leasing: pool_core.cpp
  item* try_take(std::source_location where) noexcept;
  static task<lease> take(pointer core, std::source_location where);
  void give_back(item& returned) noexcept;
  void discard(item& returned) noexcept;
  void expect_long(item& it) noexcept;
  bool wants_back(const item& it, time_point now) const noexcept;  // takes no lock

  // opening: pool_open.cpp
  static task<void> warm_up(pointer core);
  void wish_for_another() noexcept;

  // closing: pool_close.cpp
  void retire_all() noexcept;
  void resize(std::uint32_t min_open, std::uint32_t max_open, std::uint32_t max_idle);
  static task<bool> close(pointer core);
  void close_now() noexcept;
  void reopen();
  bool closed() const noexcept;

  // describing: pool_explain.cpp
  pool_statistics statistics() const;
  std::uint32_t on_loan() const noexcept { return static_cast<std::uint32_t>(in_use_.size()); }  // takes no lock
  std::optional<error> last_connect_failure() const;
  const pool_options& options() const noexcept { return options_; }

 private:
  using guard = std::unique_lock<std::mutex>;
  class waiter;
  class departures;
  class errand;
  enum class chore : std::uint8_t { open, reset, keepalive, close, maintain };

  // waiters: pool_wait.cpp
  bool enqueue(waiter& asking);
  bool withdraw(waiter& leaving) noexcept;
  waiter* pop_waiter(time_point now) noexcept;
  void unlink(waiter& leaving, time_point now) noexcept;
  waiter* detach_waiters(const error& why) noexcept;
  static void wake_all(waiter* first) noexcept;

  // sessions; each expects the lock
  void lend(item& it, std::source_location where, time_point now) noexcept;
  waiter* offer(item& it, item_list& from, time_point now) noexcept;
  item* warmest(time_point now) const noexcept;
  item* pop_idle(departures& doomed, std::source_location where, time_point now) noexcept;
  std::optional<close_cause> must_close(const item& it, time_point now) const noexcept;
  void retire(item& it, item_list& from, close_cause cause, departures& doomed) noexcept;
  std::size_t live() const noexcept { return idle_.size() + in_use_.size() + cleaning_.size(); }
  std::size_t staying() const noexcept { return live() + opening_; }
  std::size_t open() const noexcept { return staying() + closing_.size() + departing_; }
  void note_quiet() noexcept;

  // leasing
  bool stale(const item& it, time_point now) const noexcept;
  void doubt(lease& returned) noexcept;
  static task<std::optional<error>> probe(pool_core& core, item& it, time_point deadline);

  // background tasks
  bool launch(chore what, item* it) noexcept;
  void abandon(chore what, item* it) noexcept;

  // opening
  std::size_t wanted_now() const noexcept;
  std::size_t sessions_to_open() const noexcept;
  void open_wanted() noexcept;
  bool surplus_opener() const noexcept;
  static task<void> open_one(errand mine);
  static task<void> open_attempts(pool_core& core);
  static task<std::unique_ptr<session>> connect(pool_core& core, std::optional<error>& failure);
  void note_failure(const error& why, std::uint32_t attempt);
  void adopt(std::unique_ptr<session> fresh, std::uint64_t generation);
  void opening_failed(const error& why) noexcept;
  void opening_dropped() noexcept;
  duration jittered(duration span, double least);
  duration backoff(std::uint32_t attempt);

  // closing
  void shut(departures& leaving) noexcept;
  std::size_t interrupt_all() noexcept;

  // upkeep: pool_maintain.cpp
  struct leak {
    duration held;
    std::source_location where;
  };
  void start_maintenance() noexcept;
  static task<void> maintain(errand mine);
  void expire_idle(time_point now, departures& doomed) noexcept;
  void start_keepalive(time_point now, departures& doomed) noexcept;
  void suspect_idle(time_point since, departures& doomed) noexcept;
  std::vector<leak> find_leaks(time_point now);
  void report(const std::vector<leak>& leaks) const;
  void tell(pool_incident what) const noexcept;
  void tell_exhausted(duration waited, std::source_location where) noexcept;
  time_point next_event(time_point now) const noexcept;
  void clean_later(item& it, item_list& from, chore what, departures& doomed) noexcept;
  static task<void> clean(errand mine);
  static task<std::optional<error>> care(pool_core& core, item& it, bool keepalive);
  static task<void> close_item(errand mine);

  // explaining
  error explain_timeout(duration waited, bool by_stop, const std::optional<error>& dead);
  std::string who_holds(time_point now) const;

  pool_options options_;
  session_opener opener_;
  background* work_;
  clock& time_;
  log::logger log_;

  mutable std::mutex mutex_;
  item_list idle_;      // in the order of their last use: the last is the warmest
  item_list in_use_;    // in the order of their leasing: the first is the oldest
  item_list cleaning_;  // being reset or kept alive
  item_list closing_;
  waiter* first_waiter_ = nullptr;
  waiter* last_waiter_ = nullptr;
  std::uint32_t waiting_ = 0;
  std::uint32_t opening_ = 0;
  std::uint32_t departing_ = 0;  // being destroyed by whoever returned them to a closed pool
  std::uint32_t keepalives_ = 0;
  // written under the lock, and read without it by wants_back()
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<bool> closed_{false};
  std::atomic<bool> starving_{false};  // somebody waits, and no more sessions can be opened
  bool wished_ = false;                // a session is being opened that nobody waits for
  bool maintaining_ = false;
  std::optional<error> connect_failure_;
  time_point connect_failed_at_{};
  time_point retry_at_{};               // connecting failed: nothing that can wait is opened before this
  time_point next_look_ = no_deadline;  // of the maintenance
  time_point exhaustion_told_{};        // a crowd of callers is one incident
  pool_statistics counters_;
  std::minstd_rand random_;
  std::atomic<std::thread::id> launching_{};  // who starts a background task right now
  bool launch_failed_ = false;
  std::stop_source stop_;
  event poke_;   // something for the maintenance to look at
  event quiet_;  // closed, and nothing on loan, opening, being cleaned or closed any more
};

/// A caller that waits for a session.
class pool_core::waiter final : public parking {
 public:
  /// @param again it had its turn already, and got a session that was dead: it goes first
  waiter(pool_core& core, std::source_location where, bool again) noexcept
      : core_(core), where_(where), again_(again) {}
  ~waiter();
  /// What it was given, if anything. Called once the wait is over.
  item* take() noexcept {
    settled_ = true;
    return std::exchange(given_, nullptr);
  }
  const std::optional<error>& failure() const noexcept { return failure_; }

 private:
  friend class pool_core;
  bool enqueue() override { return core_.enqueue(*this); }
  bool withdraw() noexcept override { return core_.withdraw(*this); }
  pool_core& core_;
  std::source_location where_;
  item* given_ = nullptr;
  std::optional<error> failure_;
  waiter* previous_ = nullptr;
  waiter* next_ = nullptr;
  time_point since_{};
  bool again_;
  bool queued_ = false;
  bool settled_ = false;
};

/// Sessions that are destroyed where this one goes, which is declared before the lock: they count as open until they
/// are gone. The last session of a pool that is gone takes the pool with it.
class pool_core::departures {
 public:
  explicit departures(pool_core& core) noexcept : core_(core) {}
  departures(const departures&) = delete;
  ~departures() {
    if (!list_.empty()) carry_out();
  }
  void carry_out() noexcept;

 private:
  friend class pool_core;
  pool_core& core_;
  item_list list_;
};

/// What a background task has in hand: its pool, and a session perhaps. Puts things right when the task is dropped
/// before its end, even before its start.
class pool_core::errand {
 public:
  errand(pointer core, chore what, item* it) noexcept : core_(std::move(core)), item_(it), what_(what) {}
  errand(errand&& other) noexcept = default;
  ~errand() {
    if (core_ && !done_) core_->abandon(what_, item_);
  }
  pool_core& core() const noexcept { return *core_; }
  item& held() const noexcept { return *item_; }
  chore what() const noexcept { return what_; }
  /// The task has done its bookkeeping. Called under the lock or after it.
  void done() noexcept { done_ = true; }

 private:
  pointer core_;
  item* item_;
  chore what_;
  bool done_ = false;
};

}  // namespace polypool
