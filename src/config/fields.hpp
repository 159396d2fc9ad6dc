// SPDX-License-Identifier: Apache-2.0
// The fields of a configuration: one table each, for files, `DATABASES` and environment variables alike.
#pragma once

#include "config/vocabulary.hpp"

#include <polypool/config.hpp>

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>

namespace polypool::config {

/// A bit for each type of database.
using type_set = std::uint32_t;
template <class... Types>
constexpr type_set types_of(Types... types) {
  return ((type_set{1} << static_cast<unsigned>(types)) | ...);
}
constexpr type_set all_types = 0x7F;
/// Those with a server, which is all but SQLite.
constexpr type_set server_types = types_of(database_type::postgres, database_type::mysql, database_type::mssql,
                                           database_type::odbc, database_type::mongodb, database_type::redis);

/// One field of something that is read into a Target.
template <class Target>
struct field {
  std::string_view name;
  std::string_view other_name;  ///< another spelling; may be empty
  /// Puts a text into the target, or says what is wrong with it.
  read_result<void> (*set)(Target& target, std::string_view text);
  /// Set when the field is a map of texts.
  std::map<std::string, std::string>& (*texts)(Target& target) = nullptr;
  bool is_secret = false;
  type_set types = all_types;  ///< the types of database that have it
};

/// What a connection's own fields are read into, before its URL is put over them.
struct connection_draft {
  connection made;
  std::optional<std::string> name;
  std::optional<database_type> type;
  std::optional<std::string> dsn;
};

std::span<const field<connection_draft>> connection_fields();
std::span<const field<settings>> settings_fields();
std::span<const field<server_settings>> server_fields();
std::span<const field<logging_settings>> logging_fields();
std::span<const field<webhook>> webhook_fields();

template <class Value>
inline constexpr Value greatest = std::numeric_limits<Value>::max();
template <>
inline constexpr nanoseconds greatest<nanoseconds> = nanoseconds::max();

/// One setting that exists for all connections and for each: the single table behind reading, overriding and checking.
template <class Value>
struct tuning_member {
  std::string_view name;
  std::string_view other_name;
  Value tuning::* for_all;
  std::optional<Value> tuning_overrides::* for_one;
  Value least;
  Value most = greatest<Value>;
};

using count_member = tuning_member<std::uint32_t>;
using duration_member = tuning_member<nanoseconds>;
using flag_member = tuning_member<bool>;

inline constexpr nanoseconds no_time{0};
inline constexpr nanoseconds some_time{1};

inline constexpr std::tuple tuning_members{
    count_member{"max_open_conns", "", &tuning::max_open_conns, &tuning_overrides::max_open_conns, 1},
    count_member{"max_idle_conns", "", &tuning::max_idle_conns, &tuning_overrides::max_idle_conns, 0},
    count_member{"min_open_conns", "", &tuning::min_open_conns, &tuning_overrides::min_open_conns, 0},
    duration_member{"conn_max_lifetime", "", &tuning::conn_max_lifetime, &tuning_overrides::conn_max_lifetime, no_time},
    duration_member{"conn_max_idle_time", "", &tuning::conn_max_idle_time, &tuning_overrides::conn_max_idle_time,
                    no_time},
    duration_member{"connect_timeout", "", &tuning::connect_timeout, &tuning_overrides::connect_timeout, some_time},
    duration_member{"query_timeout", "", &tuning::query_timeout, &tuning_overrides::query_timeout, no_time},
    duration_member{"acquire_timeout", "", &tuning::acquire_timeout, &tuning_overrides::acquire_timeout, no_time},
    count_member{"max_waiting", "", &tuning::max_waiting, &tuning_overrides::max_waiting, 0},
    duration_member{"keepalive_interval", "", &tuning::keepalive_interval, &tuning_overrides::keepalive_interval,
                    no_time},
    duration_member{"probe_after", "", &tuning::probe_after, &tuning_overrides::probe_after, no_time},
    duration_member{"leak_threshold", "", &tuning::leak_threshold, &tuning_overrides::leak_threshold, no_time},
    count_member{"retry_attempts", "", &tuning::retry_attempts, &tuning_overrides::retry_attempts, 1},
    duration_member{"retry_delay", "", &tuning::retry_delay, &tuning_overrides::retry_delay, no_time},
    duration_member{"retry_max_delay", "", &tuning::retry_max_delay, &tuning_overrides::retry_max_delay, no_time},
    duration_member{"query_retry_delay", "", &tuning::query_retry_delay, &tuning_overrides::query_retry_delay, no_time},
    duration_member{"health_check_interval", "", &tuning::health_check_interval,
                    &tuning_overrides::health_check_interval, no_time},
    count_member{"unhealthy_after", "", &tuning::unhealthy_after, &tuning_overrides::unhealthy_after, 1},
    count_member{"healthy_after", "", &tuning::healthy_after, &tuning_overrides::healthy_after, 1},
    duration_member{"slow_probe", "", &tuning::slow_probe, &tuning_overrides::slow_probe, no_time},
    duration_member{"max_replica_lag", "", &tuning::max_replica_lag, &tuning_overrides::max_replica_lag, no_time},
    flag_member{"circuit_breaker", "", &tuning::circuit_breaker, &tuning_overrides::circuit_breaker, false},
    count_member{"circuit_failure_percent", "", &tuning::circuit_failure_percent,
                 &tuning_overrides::circuit_failure_percent, 1, 100},
    count_member{"circuit_slow_percent", "", &tuning::circuit_slow_percent, &tuning_overrides::circuit_slow_percent, 1,
                 100},
    duration_member{"circuit_slow_after", "", &tuning::circuit_slow_after, &tuning_overrides::circuit_slow_after,
                    some_time},
    duration_member{"circuit_window", "", &tuning::circuit_window, &tuning_overrides::circuit_window, some_time},
    count_member{"circuit_volume", "", &tuning::circuit_volume, &tuning_overrides::circuit_volume, 1},
    duration_member{"circuit_reset", "", &tuning::circuit_reset, &tuning_overrides::circuit_reset, some_time},
    duration_member{"circuit_reset_max", "", &tuning::circuit_reset_max, &tuning_overrides::circuit_reset_max,
                    some_time},
    count_member{"circuit_trials", "", &tuning::circuit_trials, &tuning_overrides::circuit_trials, 1},
    count_member{"max_concurrent", "", &tuning::max_concurrent, &tuning_overrides::max_concurrent, 0},
    flag_member{"enable_auto_reconnect", "", &tuning::enable_auto_reconnect, &tuning_overrides::enable_auto_reconnect,
                false},
    flag_member{"lazy_connect", "lazy", &tuning::lazy_connect, &tuning_overrides::lazy_connect, false},
    count_member{"statement_cache_size", "", &tuning::statement_cache_size, &tuning_overrides::statement_cache_size, 0},
};
inline constexpr std::size_t tuning_count = std::tuple_size_v<decltype(tuning_members)>;

/// Calls `use` with each row.
template <class Use>
constexpr void for_each_tuning(const Use& use) {
  std::apply([&](const auto&... rows) { (use(rows), ...); }, tuning_members);
}

}  // namespace polypool::config
