// SPDX-License-Identifier: Apache-2.0
// One connection: its configuration in compact form, its pool, its counters. Shared by the manager and all handles.
#pragma once

#include "manager/group_router.hpp"
#include "manager/health_track.hpp"
#include "manager/safeguards.hpp"

#include <polypool/background.hpp>
#include <polypool/events.hpp>
#include <polypool/manager.hpp>
#include <polypool/waits.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <stop_token>

namespace polypool::detail {

class redis_sharing;

/// What the connections of a manager have in common.
struct surroundings {
  background& work;
  std::shared_ptr<event_bus> events;
  failure_filter counts_as_failure;
  std::unique_ptr<bulkhead> total_places;
};

/// Small, because there may be 100,000 of them: a connection that was never used has no pool and no task.
class connection_state : public std::enable_shared_from_this<connection_state> {
 public:
  connection_state(config::connection configuration, std::shared_ptr<const config::tuning> limits,
                   std::shared_ptr<driver> driver, std::shared_ptr<const surroundings> around, log::logger log,
                   std::uint64_t sequence);
  ~connection_state();

  // fixed
  const std::string& name() const noexcept { return name_; }
  config::database_type type() const noexcept { return type_; }
  database_kind kind() const noexcept { return config::kind_of(type_); }
  /// As it was made; for the most calls at once see limit_calls().
  const config::tuning& limits() const noexcept { return *limits_; }
  const std::map<std::string, std::string>& tags() const noexcept { return tags_; }
  std::optional<bool> critical_wish() const noexcept { return critical_; }
  bool metrics_enabled() const noexcept { return metrics_enabled_; }
  config::access_style access_style() const noexcept { return access_style_; }
  std::uint64_t sequence() const noexcept { return sequence_; }
  /// What it was made of, with all its limits written out.
  config::connection configuration() const;
  clock& time() const noexcept { return time_; }
  std::string target() const;
  /// The database that it is configured with; may be empty.
  const std::string& database() const noexcept { return where_.database; }

  // life
  connection_phase phase() const noexcept { return phase_.load(std::memory_order_acquire); }
  bool gone() const noexcept { return phase() == connection_phase::removed; }
  /// What took its place when a configuration was applied; null while it has it itself.
  std::shared_ptr<connection_state> successor() const;
  /// Sends its callers to another one from now on; close() follows.
  void give_way_to(std::shared_ptr<connection_state> next);
  /// Registered at run time, so that configurations that are applied leave it alone.
  bool by_hand() const noexcept { return by_hand_.load(std::memory_order_relaxed); }
  void mark_by_hand() noexcept { by_hand_.store(true, std::memory_order_relaxed); }
  health_status health() const noexcept { return health_.load(std::memory_order_acquire); }
  connection_health last_health() const;
  std::vector<health_record> health_history() const;
  task<void> connect();
  task<void> reconnect();
  /// @param finally `closed` or `removed`
  task<void> close(duration drain, duration force, connection_phase finally);
  void resize(std::uint32_t min_open, std::uint32_t max_open, std::uint32_t max_idle);

  // work
  /// The pool, made by the first who asks. Throws connection_closed and unsupported_database.
  pool& usable_pool();
  task<lease> acquire(std::source_location where);
  /// What callers of a Redis connection share, made by the first who asks.
  redis_sharing& redis();
  background& work() const noexcept { return around_->work; }
  /// What stands before its server, made by the first who asks.
  safeguards& guards() {
    if (auto* made = guards_.load(std::memory_order_acquire)) [[likely]]
      return *made;
    return make_guards();
  }
  /// What limits the calls at once over all connections.
  bulkhead& total_places() const noexcept { return *around_->total_places; }
  /// Lets so many calls work at once from now on; 0: any number.
  void limit_calls(std::uint32_t most);
  bool counts_as_failure(const error& why) const noexcept;
  /// Checks now, and tells what this check saw; it counts as one towards health().
  task<connection_health> check_health();
  /// Lets it be checked on its schedule, from its first use on; or no more.
  void start_monitor();
  void stop_monitor();
  bool monitored() const;
  /// The circuit breaker of its calls; nothing where there is none.
  std::optional<breaker_snapshot> breaker_view() const;
  task<server_info> describe();
  connection_statistics statistics() const;
  void count_query(bool failed) noexcept {
    queries_.fetch_add(1, std::memory_order_relaxed);
    if (failed) errors_.fetch_add(1, std::memory_order_relaxed);
  }
  /// The same with the time that it took.
  void count_query(bool failed, duration took) noexcept {
    count_query(failed);
    if (auto* times = query_times_.load(std::memory_order_acquire)) times->record(took);
  }
  /// A call was made again, or would have been but for the budget.
  void count_retry(bool made) noexcept {
    (made ? retries_ : retries_left_out_).fetch_add(1, std::memory_order_relaxed);
  }
  const log::logger& log() const noexcept { return log_; }
  /// Nobody hears of it from now on: it has no name yet, or another one has it.
  void fall_silent() noexcept { silent_.store(true, std::memory_order_relaxed); }
  /// It has its name now. Tells that it is new, or of its health where that is another than its predecessor's.
  /// @param before may be null
  void speak_up(const connection_state* before) noexcept;
  /// Publishes that something happened to this connection, unless it is silent.
  void tell(event_kind kind, std::string_view from, std::string_view to, std::string_view detail) const noexcept;

  /// Null unless it stands for several connections; set once, before anybody else knows it.
  group_router* group() const noexcept { return group_.get(); }
  void stand_for(std::shared_ptr<group_router> members) noexcept { group_ = std::move(members); }
  /// In how many groups it is.
  std::atomic<std::uint32_t>& memberships() noexcept { return memberships_; }
  std::uint32_t memberships() const noexcept { return memberships_.load(std::memory_order_relaxed); }
  /// How busy it is: sessions on loan, and callers that share some.
  std::uint32_t load() const noexcept;
  /// Its sessions of today are not used again.
  void retire_sessions() noexcept;
  /// Whether its pool could not open a session when it last tried.
  bool cannot_connect() const;
  /// How far a group has found it to be behind the others; for a server that cannot tell itself.
  void note_lag(std::optional<duration> behind) noexcept {
    lag_in_group_.store(behind.value_or(unknown_lag).count(), std::memory_order_relaxed);
  }
  /// What somebody else has found out about its health; counts at once.
  void report(health_status status, std::string reason, std::optional<server_info> server);

 private:
  pool& make_pool();
  safeguards& make_guards();
  void breaker_changed(const breaker_change& change) const noexcept;
  pool& reopened_pool();
  task<void> reconnect_members();
  static task<std::unique_ptr<session>> open_session(std::shared_ptr<connection_state> self);
  pool_options options_of_pool() const;
  void require_open() const;
  task<server_info> probe_once();
  task<void> monitor(std::stop_token stop);
  void start_monitor_locked();
  bool unsettled() const;
  void heed(const pool_incident& what) const noexcept;

  // health.cpp
  struct finding;
  connection_health note(finding seen);
  health_track::step count(const finding& seen, const connection_health& check);
  void log_health(health_status before, health_status after, const std::string& standing) const;
  void connected();
  void failed_to_connect(const error& why);
  void ended();
  bool busy_and_alive(finding& seen);
  void answered() noexcept;
  server_info with_lag(server_info said) const noexcept;
  std::string shortcomings(const finding& seen) const;
  std::string standing_reason(const finding& seen) const;
  std::string health_sentence(health_status status, const std::string& reason) const;

  const std::string name_;
  endpoint where_;
  std::map<std::string, std::string> tags_;
  const std::shared_ptr<const config::tuning> limits_;
  const std::shared_ptr<driver> driver_;  // null: this build has none for the type
  const std::shared_ptr<const surroundings> around_;
  clock& time_;  // outlives the background
  const log::logger log_;
  std::shared_ptr<group_router> group_;
  const std::uint64_t sequence_;
  const config::database_type type_;
  const std::optional<bool> critical_;
  const bool metrics_enabled_, logging_enabled_, tracing_enabled_;
  std::atomic<bool> by_hand_{false}, silent_{false};
  std::atomic<std::uint32_t> most_calls_;  // max_concurrent, which may change while it is used
  const config::access_style access_style_;

  std::atomic<connection_phase> phase_{connection_phase::registered};
  std::atomic<health_status> health_{health_status::unknown};
  std::atomic<std::uint32_t> memberships_{0};
  static constexpr duration unknown_lag{-1};
  std::atomic<duration::rep> lag_in_group_{unknown_lag.count()};
  std::atomic<pool*> pool_{nullptr};  // what made_pool_ owns, for readers without the lock
  mutable std::mutex mutex_;
  std::unique_ptr<pool> made_pool_;
  std::unique_ptr<connection_health> last_health_;
  std::shared_ptr<connection_state> successor_;
  std::unique_ptr<health_track> track_;  // from the first check on
  std::unique_ptr<latency_histogram> made_query_times_;
  std::atomic<latency_histogram*> query_times_{nullptr};  // made with the pool
  bool monitor_wanted_ = true;
  std::atomic<redis_sharing*> redis_{nullptr};  // what made_redis_ owns, for readers without the lock
  std::unique_ptr<redis_sharing> made_redis_;
  std::atomic<safeguards*> guards_{nullptr};  // what made_guards_ owns, for readers without the lock
  std::unique_ptr<safeguards> made_guards_;
  std::stop_source monitor_stop_{std::nostopstate};
  std::atomic<std::uint64_t> queries_{0}, errors_{0}, reconnects_succeeded_{0}, reconnects_failed_{0};
  std::atomic<std::uint64_t> retries_{0}, retries_left_out_{0};
  std::atomic<std::uint64_t> health_checks_{0}, health_checks_failed_{0};
  std::atomic<duration::rep> health_check_time_{0}, last_health_check_{0};
  duration_histogram health_check_durations_;
};

}  // namespace polypool::detail
