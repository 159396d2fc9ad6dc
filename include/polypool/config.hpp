// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup config
/// The configuration: its structures, and the readers of files, environment variables and URLs.
#pragma once

#include <polypool/driver.hpp>
#include <polypool/error.hpp>
#include <polypool/secret.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::config {

using std::chrono::nanoseconds;

/// The types of database that configuration knows. Whether this build has a driver is another question.
enum class database_type : std::uint8_t { postgres, mysql, sqlite, mssql, odbc, mongodb, redis };

/// "postgres", "mysql" … the canonical spelling.
std::string_view to_string(database_type type) noexcept;
/// Also knows `postgresql`, `pg`, `mariadb`, `sqlite3`, `sqlserver`, `mongo`. Nothing when unknown.
std::optional<database_type> parse_database_type(std::string_view text) noexcept;
database_kind kind_of(database_type type) noexcept;
/// 5432, 3306, 1433, 27017, 6379; 0 where there is no port.
std::uint16_t default_port(database_type type) noexcept;

/// What `database()` gives by default. `bun` is read as builder and `gorm` as mapped.
enum class access_style : std::uint8_t { native, builder, mapped };

/// Settings that exist once for all connections and can be overridden by each.
struct tuning {
  std::uint32_t max_open_conns = 25;                         ///< most sessions open at once; at least 1
  std::uint32_t max_idle_conns = 5;                          ///< most sessions kept idle
  std::uint32_t min_open_conns = 0;                          ///< sessions kept open even when idle
  nanoseconds conn_max_lifetime = std::chrono::minutes(30);  ///< a session's greatest age; 0: no limit
  nanoseconds conn_max_idle_time = std::chrono::minutes(5);  ///< idle longer than this: closed; 0: no limit
  nanoseconds connect_timeout = std::chrono::seconds(10);    ///< for one attempt to connect
  nanoseconds query_timeout = std::chrono::seconds(30);    ///< for one statement, with its wait for a session; 0: none
  nanoseconds acquire_timeout = std::chrono::seconds(30);  ///< for the wait for a session
  std::uint32_t max_waiting = 10000;                       ///< callers that may wait for a session at once
  nanoseconds keepalive_interval = std::chrono::minutes(2);        ///< idle sessions are probed this often; 0: never
  nanoseconds probe_after = std::chrono::milliseconds(500);        ///< idle longer than this: probed before use
  nanoseconds leak_threshold = std::chrono::minutes(1);            ///< a lease longer than this is reported; 0: never
  std::uint32_t retry_attempts = 3;                                ///< attempts to connect, at least 1
  nanoseconds retry_delay = std::chrono::seconds(1);               ///< before the second attempt; doubles from there
  nanoseconds retry_max_delay = std::chrono::seconds(10);          ///< the delay's limit
  nanoseconds query_retry_delay = std::chrono::milliseconds(100);  ///< before a failed call is made again; doubles
  nanoseconds health_check_interval = std::chrono::seconds(30);    ///< 0: no health checks
  std::uint32_t unhealthy_after = 3;                               ///< failed checks in a row; at least 1
  std::uint32_t healthy_after = 2;                           ///< good checks in a row after being unhealthy; at least 1
  nanoseconds slow_probe = std::chrono::seconds(1);          ///< a check that takes longer makes it degraded; 0: never
  nanoseconds max_replica_lag = std::chrono::seconds(10);    ///< a replica further behind is degraded; 0: never
  bool circuit_breaker = true;                               ///< keeps calls away from a server that fails
  std::uint32_t circuit_failure_percent = 50;                ///< of the calls in the window that trip it; 1 to 100
  std::uint32_t circuit_slow_percent = 50;                   ///< of the calls in the window that trip it; 1 to 100
  nanoseconds circuit_slow_after = std::chrono::seconds(5);  ///< a call that takes longer is slow
  nanoseconds circuit_window = std::chrono::seconds(10);     ///< in ten buckets
  std::uint32_t circuit_volume = 10;                         ///< calls in the window below which no rate counts
  nanoseconds circuit_reset = std::chrono::seconds(30);      ///< open for this long; doubles with each trip
  nanoseconds circuit_reset_max = std::chrono::minutes(5);   ///< the reset time's limit
  std::uint32_t circuit_trials = 3;                          ///< calls at once while half-open; at least 1
  std::uint32_t max_concurrent = 0;                          ///< calls at once; more wait in a queue; 0: no limit
  bool enable_auto_reconnect = true;                         ///< reconnect by itself after a failed health check
  bool lazy_connect = false;                                 ///< connect on first use instead of at start
  std::uint32_t statement_cache_size = 256;                  ///< prepared statements kept per session
  bool operator==(const tuning&) const = default;
};

/// The settings that a connection of this type starts from. Two types have defaults of their own where `base` has the
/// built-in ones; what was set for all counts. MongoDB: min_open_conns 2, max_open_conns 10, circuit_slow_after 10 s,
/// circuit_failure_percent 60, circuit_reset 45 s. Redis: min_open_conns 1, max_open_conns 10, conn_max_idle_time 30 s,
/// acquire_timeout 10 s, circuit_slow_after 1 s, circuit_failure_percent 70, circuit_reset 15 s.
tuning defaults_for(database_type type, tuning base) noexcept;

/// The same settings where each may be left out; what is left out comes from the tuning for all.
struct tuning_overrides {
  std::optional<std::uint32_t> max_open_conns, max_idle_conns, min_open_conns;
  std::optional<nanoseconds> conn_max_lifetime, conn_max_idle_time, connect_timeout, query_timeout, acquire_timeout;
  std::optional<std::uint32_t> max_waiting;
  std::optional<nanoseconds> keepalive_interval, probe_after, leak_threshold;
  std::optional<std::uint32_t> retry_attempts;
  std::optional<nanoseconds> retry_delay, retry_max_delay, query_retry_delay, health_check_interval;
  std::optional<std::uint32_t> unhealthy_after, healthy_after;
  std::optional<nanoseconds> slow_probe, max_replica_lag;
  std::optional<bool> circuit_breaker;
  std::optional<std::uint32_t> circuit_failure_percent, circuit_slow_percent;
  std::optional<nanoseconds> circuit_slow_after, circuit_window;
  std::optional<std::uint32_t> circuit_volume;
  std::optional<nanoseconds> circuit_reset, circuit_reset_max;
  std::optional<std::uint32_t> circuit_trials, max_concurrent;
  std::optional<bool> enable_auto_reconnect, lazy_connect;
  std::optional<std::uint32_t> statement_cache_size;
  bool empty() const noexcept;
  /// `base` with what is set here put over it.
  tuning applied_to(tuning base) const noexcept;
};

/// One connection, as configured. `where` is complete: URL and single fields are merged, the URL wins.
struct connection {
  std::string name;
  database_type type = database_type::postgres;
  endpoint where;
  tuning_overrides overrides;
  bool enable_tracing = false;
  bool enable_metrics = true;
  bool enable_logging = true;
  access_style default_orm = access_style::native;
  std::optional<bool> critical;  ///< left out: true for the only connection, else false
  std::map<std::string, std::string> tags;
};

/// What a group is for: one server that takes writes, with stand-ins, or equals to spread calls over.
enum class group_type : std::uint8_t { failover, balance };
/// How a member is chosen among those that may be used.
enum class balance_strategy : std::uint8_t { round_robin, least_in_use, power_of_two, weighted };
/// What happens when the member that is declared the primary can take writes again.
enum class fail_back_policy : std::uint8_t { automatic, manual };
/// What it means that several members say they are the primary: a split brain, or that all take writes (Galera, say).
enum class several_primaries : std::uint8_t { refuse, in_order };

/// "failover" and "balance"; "round_robin" …; "automatic" and "manual"; "refuse" and "in_order".
std::string_view to_string(group_type type) noexcept;
std::string_view to_string(balance_strategy strategy) noexcept;
std::string_view to_string(fail_back_policy policy) noexcept;
std::string_view to_string(several_primaries policy) noexcept;

/// One member of a group.
struct group_member {
  std::string name;          ///< of a connection
  std::uint32_t weight = 1;  ///< its share of the calls; 1 to 100
  bool operator==(const group_member&) const = default;
};

/// A name that stands for several connections of one kind.
struct group {
  std::string name;
  group_type type = group_type::failover;
  std::string primary;                 ///< failover: the connection that writes go to at first
  std::vector<group_member> replicas;  ///< failover: read from, and writes go there once they are promoted
  std::vector<group_member> backups;   ///< failover: not read from while there is another
  std::vector<group_member> members;   ///< balance
  balance_strategy strategy = balance_strategy::round_robin;  ///< over members, and over replicas for reads
  fail_back_policy fail_back = fail_back_policy::automatic;
  nanoseconds fail_back_after{0};  ///< automatic: the primary has to work this long before; see settle_time
  several_primaries two_primaries = several_primaries::refuse;
  nanoseconds max_lag{0};         ///< replicas further behind are not read from; 0: no limit
  bool read_your_writes = false;  ///< what was written through this manager is seen by whoever reads through it
  nanoseconds role_check_interval = std::chrono::seconds(5);  ///< how often the members are looked at
  std::uint32_t unreachable_after = 2;                        ///< failed looks in a row; at least 1
  nanoseconds settle_time = std::chrono::seconds(10);  ///< before failing back; doubles with each failover of late
  std::uint32_t eject_after = 5;                       ///< failed calls in a row; 0: never
  nanoseconds eject_time = std::chrono::seconds(30);   ///< times the number of ejections
  nanoseconds eject_max = std::chrono::minutes(5);     ///< the limit of that
  nanoseconds slow_start = std::chrono::seconds(10);   ///< a member that is back gets its full share after this
  std::optional<bool> critical;                        ///< as of a connection
  std::map<std::string, std::string> tags;
  /// The names of all members in their order: primary, replicas, backups; or members.
  std::vector<std::string> names() const;
  bool operator==(const group&) const = default;
};

/// What the daemon listens on.
struct server_settings {
  bool enabled = true;
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;  ///< 0: any free port
  std::size_t max_body_bytes = 1024 * 1024;
  nanoseconds request_timeout = std::chrono::seconds(30);  ///< to receive a request
};

/// How it logs.
struct logging_settings {
  std::string level = "info";   ///< trace, debug, info, warning, error, off
  std::string format = "text";  ///< text or json
  std::string debug;            ///< parts that log at debug whatever the level: `polypool:pool,-polypool:server`
  bool operator==(const logging_settings&) const = default;
};

/// Where events are sent to, as HTTP requests.
struct webhook {
  std::string name;                      ///< for logs and metrics; empty: the host of its URL
  std::string url;                       ///< http:// or https://; may hold a secret, so only its host is ever shown
  std::vector<std::string> events;       ///< "health-change", "failover" …; empty: all
  std::vector<std::string> connections;  ///< names; empty: all
  secret key;                            ///< signs each request (HMAC-SHA256); empty: unsigned
  nanoseconds timeout = std::chrono::seconds(10);     ///< for one attempt
  std::uint32_t attempts = 5;                         ///< in all, at least 1
  nanoseconds retry_delay = std::chrono::seconds(1);  ///< before the second attempt; doubles
  nanoseconds retry_max_delay = std::chrono::minutes(1);
  std::uint32_t max_pending = 1000;  ///< events that wait to be sent; the oldest go when there are more
  std::string ca_file;               ///< PEM certificates to trust for https; empty: the system's
  bool operator==(const webhook&) const = default;
  /// What it is called where people read it: its name, or else the host of its URL.
  std::string shown_name() const;
};

/// A whole configuration.
struct settings {
  std::string default_connection;  ///< the active database at the start
  std::string default_redis;       ///< the active Redis at the start
  tuning defaults;
  std::uint32_t max_concurrent_total = 0;                ///< calls at once over all connections; 0: no limit
  std::vector<connection> connections;                   ///< in the order of the file; names are unique
  std::vector<group> groups;                             ///< their names and those of connections are unique together
  nanoseconds drain_timeout = std::chrono::seconds(30);  ///< at shutdown: how long work in progress may take
  nanoseconds force_timeout = std::chrono::seconds(40);  ///< at shutdown: when everything is closed by force
  server_settings server;
  logging_settings logging;
  std::vector<webhook> webhooks;
};

/// One thing that is wrong with a configuration.
struct problem {
  std::string file;   ///< empty when it did not come from a file
  int line = 0;       ///< 1-based; 0: unknown
  std::string field;  ///< "connections.primary.port"; empty for the file as a whole
  std::string what;   ///< what is wrong and what is allowed; never a secret
  /// `polypool.yaml:12: connections.primary.port: 70000 is not a port; allowed: 1 to 65535`
  std::string to_string() const;
};

/// Everything that is wrong, at once. Its `what()` lists all problems, a line each.
class configuration_error : public error {
 public:
  explicit configuration_error(std::vector<problem> problems);
  const std::vector<problem>& problems() const noexcept { return problems_; }

 private:
  std::vector<problem> problems_;
};

/// Looks a variable up; nothing when it is not set.
using variable_lookup = std::function<std::optional<std::string>(const std::string& name)>;
/// Looks in the process environment.
std::optional<std::string> process_environment(const std::string& name);

/// How to read a configuration.
struct load_options {
  variable_lookup variables = process_environment;
  std::string environment;  ///< development, staging, production …; empty: the variable POLYPOOL_ENV
};

/// Reads a YAML or JSON file (by its extension; anything but .json is YAML), with overlays and `${VAR}`.
/// Throws configuration_error with every problem found.
settings load(const std::filesystem::path& file, const load_options& options = {});

/// The same from a text. @param name stands for the file in messages; its extension decides the format
settings parse(std::string_view text, std::string_view name = "configuration.yaml", const load_options& options = {});

/// A connection from a URL: `postgres://user:pass@host:5432/db?sslmode=require`, `sqlite:data/app.db`,
/// `sqlite::memory:`, also mysql, mariadb, mongodb, mongodb+srv, redis, rediss, mssql, sqlserver and odbc;
/// `sentinel://host1:26379,host2/mymaster/0` for a Redis behind sentinels (`sentinels` with TLS), and
/// `redis://host1,host2/?cluster=true` for a cluster.
/// Also a libpq key/value string for PostgreSQL when `type` says so.
/// Throws configuration_error; its text has no password.
connection connection_from_url(std::string_view name, std::string_view url,
                               std::optional<database_type> type = std::nullopt);

/// A connection from variables: `<PREFIX>_DB_URL`, or `<PREFIX>_DB_HOST`, `_DB_PORT`, `_DB_USER`, `_DB_PASSWORD`,
/// `_DB_NAME`, `_DB_TYPE` (default postgres; sqlite with a file and no host), `_DB_SSLMODE`, `_DB_SCHEMA`,
/// `_DB_FILEPATH`, and each field of the tables (`_DB_MAX_OPEN_CONNS` …). Its name is the prefix in lower case.
/// Throws configuration_error that names all missing variables at once.
connection build_config_from_env(std::string_view prefix, const variable_lookup& variables = process_environment);

/// All connections of the variable `DATABASES`: a JSON object of name → URL or name → object with a connection's
/// fields. Nothing when it is not set. Throws configuration_error.
std::optional<std::vector<connection>> connections_from_databases_variable(
    const variable_lookup& variables = process_environment);

/// Checks a configuration that was put together in code. Nothing found: an empty list.
std::vector<problem> validate(const settings& configuration);

}  // namespace polypool::config
