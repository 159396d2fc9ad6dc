// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// Connections by name: the root object of Polypool.
#pragma once

#include <polypool/background.hpp>
#include <polypool/breaker.hpp>
#include <polypool/config.hpp>
#include <polypool/config_changes.hpp>
#include <polypool/database.hpp>
#include <polypool/drivers.hpp>
#include <polypool/events.hpp>
#include <polypool/groups.hpp>
#include <polypool/histogram.hpp>
#include <polypool/pool.hpp>
#include <polypool/redis_database.hpp>
#include <polypool/sql.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polypool {

class mongodb_database;

/// What is known of a connection's health.
enum class health_status : std::uint8_t {
  unknown,
  healthy,
  unhealthy,
  degraded,  ///< it serves, but is slow, lags behind, is saturated, or has just failed a check
};
std::string_view to_string(health_status status) noexcept;
/// Whether calls can be expected to work: healthy or degraded.
constexpr bool is_serving(health_status status) noexcept {
  return status == health_status::healthy || status == health_status::degraded;
}

/// Where a connection stands in its life.
enum class connection_phase : std::uint8_t { registered, connecting, connected, closing, closed, removed };
std::string_view to_string(connection_phase phase) noexcept;

/// What may be done to a circuit breaker by hand.
enum class breaker_action : std::uint8_t { open, close, release };

/// The outcome of one health check.
struct connection_health {
  std::string name;
  config::database_type type = config::database_type::postgres;
  health_status status = health_status::unknown;
  std::string detail;  ///< "Connection 'x' is healthy", or what is wrong
  duration latency{};  ///< of the probe
  server_info server;  ///< its version and role, as last told; empty and unknown when it was never reached
  std::chrono::system_clock::time_point checked_at{};
  bool critical = false;
  bool active = false;
};

/// One check of a connection, as its history keeps it.
struct health_record {
  std::chrono::system_clock::time_point at{};
  duration latency{};                             ///< of the probe
  health_status found = health_status::unknown;   ///< what this check saw
  health_status status = health_status::unknown;  ///< what the connection counted as after it
  std::string detail;                             ///< what was wrong; empty when nothing was
};

/// The health of all connections.
struct health_report {
  bool healthy = true;  ///< no critical connection is unhealthy
  std::vector<connection_health> databases;
  std::size_t count(health_status status) const noexcept;
};

/// The numbers of one connection.
struct connection_statistics {
  std::string name;
  config::database_type type = config::database_type::postgres;
  connection_phase phase = connection_phase::registered;
  health_status health = health_status::unknown;
  bool active = false;
  bool metrics_enabled = true;
  bool group = false;  ///< it stands for others: no pool of its own
  pool_statistics pool;
  std::uint64_t queries = 0;
  std::uint64_t errors = 0;
  std::uint64_t retries = 0;           ///< calls made again
  std::uint64_t retries_left_out = 0;  ///< because too many had failed lately
  breaker_snapshot breaker;
  bulkhead_snapshot places;  ///< of max_concurrent
  std::uint64_t reconnects_succeeded = 0;
  std::uint64_t reconnects_failed = 0;
  std::uint64_t health_checks = 0;
  std::uint64_t health_checks_failed = 0;
  duration health_check_time{};  ///< all checks together
  duration last_health_check{};
  histogram_snapshot health_check_durations;
  latency_snapshot query_times;  ///< of calls, from their first try to their answer
};

/// The numbers of all connections.
struct manager_statistics {
  std::size_t total = 0;
  std::size_t healthy = 0;
  std::size_t unhealthy = 0;
  std::size_t degraded = 0;
  std::vector<connection_statistics> connections;
};

/// What connecting several connections came to.
struct connect_report {
  struct failure {
    std::string name;
    error cause;
  };
  std::vector<std::string> connected;
  std::vector<failure> failed;
};

/// One line of a listing; without secrets.
struct connection_summary {
  std::string name;
  config::database_type type = config::database_type::postgres;
  connection_phase phase = connection_phase::registered;
  health_status health = health_status::unknown;
  bool active = false;
  bool critical = false;
  std::string target;  ///< host:port/database or file; never a password
  std::map<std::string, std::string> tags;
  bool group = false;  ///< it stands for others, which are listed, too
};

/// A handle to one named connection. Cheap to copy, thread-safe; it stays valid after its connection is removed, and
/// says connection_closed then. What waits exists blocking and, with `async_` before it, as a task, which needs the
/// handle no longer.
class connection {
 public:
  const std::string& name() const noexcept;
  config::database_type type() const noexcept;
  database_kind kind() const noexcept;      ///< the language that it speaks
  connection_phase phase() const noexcept;  ///< where it stands in its life now
  /// What it counts as after its last checks: `unhealthy_after` failures in a row make it unhealthy, `healthy_after`
  /// good checks healthy again.
  health_status health() const noexcept;
  /// Whether it is healthy or degraded.
  bool is_healthy() const noexcept { return is_serving(health()); }
  /// The last 100 checks, the oldest first.
  std::vector<health_record> health_history() const;
  bool critical() const noexcept;  ///< it counts for readiness and connect(); the only one does by itself
  bool active() const;             ///< whether unnamed calls go to it now
  const std::map<std::string, std::string>& tags() const noexcept;

  /// Opens the first session, with `retry_attempts` and backoff; also reopens what was closed.
  /// Throws already_connected, connect_failed, authentication_failed, unsupported_database, shutting_down.
  void connect();
  task<void> async_connect();
  /// Retires all sessions and opens new ones. Leases at work finish on their old sessions.
  void reconnect();
  task<void> async_reconnect();
  /// Drains until `drain` is over, then interrupts. Idempotent. connect() opens it again.
  void close(duration drain = std::chrono::seconds(30));
  task<void> async_close(duration drain = std::chrono::seconds(30));
  /// Checks now, on a session that is nobody's at the time, and tells what this check saw: a dead server is unhealthy
  /// at once. For health() it counts as one check. Never throws for an unhealthy one: it says so.
  connection_health health_check();
  task<connection_health> async_health_check();
  /// Asks the server for its version and role.
  server_info describe();
  task<server_info> async_describe();
  /// Its numbers at this moment; asks no server.
  connection_statistics statistics() const;
  /// What its circuit breaker has seen.
  polypool::breaker_snapshot breaker_snapshot() const;
  /// Holds its circuit breaker open or closed whatever happens, or lets it work again. Throws unsupported for a group:
  /// its members have one each.
  void force_breaker(breaker_action action);
  /// Changes the pool's limits, numbers of sessions, at run time. What is over them closes as it comes back.
  void resize(std::uint32_t min_open, std::uint32_t max_open, std::uint32_t max_idle);

  /// A handle for SQL. Throws not_sql_database.
  sql_database sql() const;
  /// A handle for documents (polypool/mongodb_database.hpp). Throws not_mongodb.
  mongodb_database mongodb() const;
  /// A handle for Redis commands. Throws not_redis.
  redis_database redis() const;
  /// Borrows a session of any kind, connecting first where that is due.
  polypool::lease lease(std::source_location where = std::source_location::current());
  task<polypool::lease> async_lease(std::source_location where = std::source_location::current());

 private:
  friend class manager;
  connection(std::shared_ptr<detail::manager_core> core, std::shared_ptr<detail::connection_state> state) noexcept;
  std::shared_ptr<detail::connection_state> now() const;  // what has the place today
  std::shared_ptr<detail::manager_core> core_;
  std::shared_ptr<detail::connection_state> state_;
};

/// How a configuration is applied to a running manager.
struct apply_options {
  /// Every connection that is new or changed has to connect, or nothing is applied; otherwise only critical ones, and
  /// those whose predecessor works. Lazy ones are never asked.
  bool all_or_nothing = false;
  /// Called once when everything has changed hands, before the next configuration may be applied; for what a program
  /// has beside its manager. Must not throw, and does not wait.
  std::function<void()> committed = nullptr;
};

/// What a manager is made with, besides its configuration.
struct manager_options {
  driver_list drivers;
  std::shared_ptr<background> work;  ///< null: threads of its own, started on first use
  log::logger log;
  /// Which errors count against the server in circuit breakers; empty: counts_against_server(). Thread-safe.
  std::function<bool(const error&)> counts_as_failure;
};

/// Holds connections by name. Thread-safe. Its destructor closes everything, waiting as long as `drain_timeout`.
class manager {
 public:
  /// With all drivers of this build. Throws configuration_error; opens nothing yet.
  explicit manager(config::settings configuration, log::logger log = {});
  /// With the drivers, the background and the log of `options`. Throws configuration_error; opens nothing yet.
  manager(config::settings configuration, manager_options options);
  manager(const manager&) = delete;
  manager& operator=(const manager&) = delete;
  ~manager();

  /// Connects every connection that is not lazy, all at once, each with its retries. Those already connected stay.
  /// Throws when a critical one fails, or every one; then it closes what it had opened. The rest is in the report.
  connect_report connect();
  task<connect_report> async_connect();
  /// Drains, then closes by force, within drain_timeout and force_timeout of the configuration. Idempotent; new calls
  /// get shutting_down at once.
  void close();
  /// @param drain how long work in progress may go on @param force when everything is closed, both counted from now
  void close(duration drain, duration force);
  task<void> async_close(duration drain, duration force);
  bool closing() const noexcept;  ///< whether close() was called
  /// When close() has ended everything, as configured now.
  duration force_timeout() const;

  /// A database of this name, else a Redis. Throws connection_not_found. `default` stands for the active database
  /// unless a connection has that name.
  connection get(std::string_view name) const;
  /// The active database. Throws no_default_connection.
  connection get_default() const;
  /// The Redis connection of this name: a database may have the same name. Throws connection_not_found.
  connection get_redis(std::string_view name) const;
  /// All connections and groups, in the order in which they were registered.
  std::vector<connection> get_all() const;
  /// Those that have this tag with this value.
  std::vector<connection> with_tag(std::string_view key, std::string_view value) const;
  bool contains(std::string_view name) const;
  bool contains_redis(std::string_view name) const;

  /// The name of the database that unnamed calls go to; empty when there is none.
  std::string active() const;
  /// The name of the Redis that unnamed calls go to; empty when there is none.
  std::string active_redis() const;
  /// Sends unnamed calls to this connection from now on. Throws connection_not_found, not_sql_database for a Redis
  /// name.
  void switch_active(std::string_view name);
  /// Sends unnamed Redis calls to this connection from now on. Throws connection_not_found, not_redis.
  void switch_active_redis(std::string_view name);
  /// Another word for switch_active.
  void set_default(std::string_view name) { switch_active(name); }

  /// Adds a connection at run time; it connects on first use or by connect(). The only database becomes active.
  /// Throws already_registered, configuration_error, shutting_down.
  connection register_connection(config::connection configuration);
  /// The same from a URL.
  connection register_url(std::string_view name, std::string_view url);
  /// Removes a connection: it takes no new work at once, drains in the calling thread until `drain` is over, then
  /// interrupts. Removing the active one makes the first remaining active. A name that a database and a Redis both have
  /// means the database. Throws connection_not_found.
  void remove(std::string_view name, duration drain = std::chrono::seconds(30));
  task<void> async_remove(std::string name, duration drain = std::chrono::seconds(30));
  void remove_redis(std::string_view name, duration drain = std::chrono::seconds(30));
  task<void> async_remove_redis(std::string name, duration drain = std::chrono::seconds(30));

  /// Adds a group at run time; its members are registered connections. It has a name as connections do, and is used by
  /// it as they are. Throws already_registered, configuration_error, shutting_down. remove() removes it; a member
  /// cannot be removed before its group.
  polypool::group register_group(config::group configuration);
  /// The group of this name. Throws connection_not_found.
  polypool::group group(std::string_view name) const;
  std::vector<polypool::group> groups() const;

  /// Runs `operation(connection)` on the connection or group `primary`, and when it fails there in a way that leaves
  /// nothing behind, on `backup`. An operation that does several things is run again from its beginning, so it has to
  /// be idempotent or a single transaction. Throws what the operation throws on the last of them.
  template <std::invocable<connection&> Operation>
  auto execute_with_failover(std::string_view primary, std::string_view backup, Operation&& operation,
                             failover_call how = {}) {
    auto first = get(primary);
    auto second = get(backup);
    try {
      return std::invoke(operation, first);
    } catch (const error& why) {
      if (!fails_over(first, second, why, how)) throw;
    }
    return std::invoke(operation, second);
  }
  /// The same for an operation that gives a task.
  template <std::invocable<connection&> Operation>
  auto async_execute_with_failover(std::string primary, std::string backup, Operation operation, failover_call how = {})
      -> std::invoke_result_t<Operation&, connection&> {
    auto first = get(primary);
    auto second = get(backup);
    try {
      auto attempt = std::invoke(operation, first);
      co_return co_await std::move(attempt);
    } catch (const error& why) {
      if (!fails_over(first, second, why, how)) throw;
    }
    auto attempt = std::invoke(operation, second);
    co_return co_await std::move(attempt);
  }

  /// A handle to a SQL database by name. Throws connection_not_found, not_sql_database.
  sql_database sql(std::string_view name) const;
  /// A handle that goes to whatever database is active.
  sql_database sql() const;

  /// A handle to a Redis by name. Throws connection_not_found, not_redis.
  redis_database redis(std::string_view name) const;
  /// A handle that goes to whatever Redis is active.
  redis_database redis() const;

  /// The same database with all ways to work with it, and the one that `default_orm` picks. Throws as sql() does.
  polypool::database database(std::string_view name) const;
  polypool::database database() const;

  /// A handle to a MongoDB database by name (polypool/mongodb_database.hpp). Throws connection_not_found, not_mongodb.
  mongodb_database mongodb(std::string_view name) const;
  /// A handle that goes to whatever database is active, which has to be MongoDB.
  mongodb_database mongodb() const;

  /// Checks all connections at once; several seconds at most. One that is lazy and was never used stays `unknown`.
  health_report health_check();
  task<health_report> async_health_check();
  /// What the connections count as after their last checks, without asking any server.
  health_report health() const;
  /// Whether no critical connection is unhealthy.
  bool is_healthy() const;
  /// Checks each connection on a schedule of its own, every `health_check_interval`, from its first use. It is so from
  /// the start; this takes a stop_monitor() back.
  void start_monitor();
  /// Ends the schedules. health_check() still checks.
  void stop_monitor();
  bool monitoring() const noexcept;
  /// The numbers of all connections at this moment; asks no server.
  manager_statistics statistics() const;
  /// What `max_concurrent_total` has let in, made wait and refused.
  bulkhead_snapshot total_places() const noexcept;
  /// What there is, without secrets; asks no server.
  std::vector<connection_summary> list() const;

  /// What it is configured with now, without what was registered at run time; every limit is written out.
  config::settings configuration() const;
  /// What apply() would change.
  std::vector<config::change> preview(const config::settings& next) const;
  /// Puts another configuration in the place of the present one, without dropping a call: what is new or changed
  /// connects first, then takes the names over, then the old sessions drain in the background. Handles follow.
  /// Where nothing but `max_concurrent` differs, the connection stays and its limit changes. Connections registered at
  /// run time stay as they are. `logging`, `webhooks` and `server` are only remembered: whoever made these things
  /// changes them.
  /// When something that has to connect does not, nothing changes and its error is thrown. Also throws
  /// configuration_error, shutting_down, and already_registered when a name was taken at run time.
  /// @return what changed
  std::vector<config::change> apply(config::settings next, apply_options how = {});
  task<std::vector<config::change>> async_apply(config::settings next);
  task<std::vector<config::change>> async_apply(config::settings next, apply_options how);

  /// What happens to the connections: to subscribe to, and the last ones to read. Lives as long as the manager;
  /// listeners are called on a thread of its background.
  event_bus& events() const noexcept;

  /// Where its background tasks run.
  const std::shared_ptr<background>& work() const noexcept;

 private:
  static bool fails_over(const connection& from, const connection& to, const error& why, failover_call how) noexcept;
  task<void> remove(std::shared_ptr<detail::connection_state> state, duration drain);
  std::shared_ptr<detail::manager_core> core_;
};

}  // namespace polypool
