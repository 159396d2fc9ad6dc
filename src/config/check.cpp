// SPDX-License-Identifier: Apache-2.0
#include "config/check.hpp"

#include "base/loopback.hpp"
#include "config/fields.hpp"
#include "config/problems.hpp"
#include "config/webhook_reader.hpp"

#include <polypool/duration.hpp>

#include <algorithm>
#include <type_traits>
#include <unordered_set>

namespace polypool::config {
namespace {

std::string as_text(std::uint32_t value) { return std::to_string(value); }
std::string as_text(nanoseconds value) { return format_duration(value); }
std::string as_text(bool value) { return value ? "true" : "false"; }

template <class Row, class Value>
void check_range(const Row& row, Value value, const complaint& wrong) {
  const bool bounded = row.most != greatest<Value>;
  const auto allowed = as_text(row.least) + (bounded ? " to " + as_text(row.most) : " and more");
  if (value < row.least) wrong(row.name, as_text(value) + " is too small; allowed: " + allowed);
  if (value > row.most) wrong(row.name, as_text(value) + " is too much; allowed: " + allowed);
}

template <class Value>
void check_order(std::string_view name, Value value, std::string_view limit_name, Value limit, const complaint& wrong) {
  if (value <= limit) return;
  wrong(name, as_text(value) + " is more than " + std::string(limit_name) + ", which is " + as_text(limit));
}

/// A limit that another one makes smaller is fine where it comes from elsewhere; written down in one place, the two
/// contradict each other.
void check_overrides(const tuning_overrides& own, const tuning& defaults, const complaint& wrong) {
  for_each_tuning([&](const auto& row) {
    if (own.*row.for_one) check_range(row, *(own.*row.for_one), wrong);
  });
  const auto most = own.max_open_conns.value_or(defaults.max_open_conns);
  if (own.max_idle_conns) check_order("max_idle_conns", *own.max_idle_conns, "max_open_conns", most, wrong);
  if (own.min_open_conns) check_order("min_open_conns", *own.min_open_conns, "max_open_conns", most, wrong);
  if (own.retry_delay && own.retry_max_delay) {
    check_order("retry_delay", *own.retry_delay, "retry_max_delay", *own.retry_max_delay, wrong);
  }
  if (own.circuit_reset && own.circuit_reset_max) {
    check_order("circuit_reset", *own.circuit_reset, "circuit_reset_max", *own.circuit_reset_max, wrong);
  }
}

void check_tuning(const tuning& all, const complaint& wrong) {
  const tuning untouched;
  for_each_tuning([&](const auto& row) { check_range(row, all.*row.for_all, wrong); });
  if (all.max_idle_conns != untouched.max_idle_conns) {
    check_order("max_idle_conns", all.max_idle_conns, "max_open_conns", all.max_open_conns, wrong);
  }
  check_order("min_open_conns", all.min_open_conns, "max_open_conns", all.max_open_conns, wrong);
  if (all.retry_max_delay != untouched.retry_max_delay) {
    check_order("retry_delay", all.retry_delay, "retry_max_delay", all.retry_max_delay, wrong);
  }
  if (all.circuit_reset_max != untouched.circuit_reset_max) {
    check_order("circuit_reset", all.circuit_reset, "circuit_reset_max", all.circuit_reset_max, wrong);
  }
}

std::string option_of(const connection& one, const char* name) {
  const auto found = one.where.options.find(name);
  return found == one.where.options.end() ? std::string() : found->second;
}

void check_sqlite(const connection& one, const complaint& wrong) {
  if (one.where.filepath.empty()) {
    wrong("filepath", "is missing; a sqlite connection needs it: a path, or :memory: for a database in memory");
  }
  if (const auto busy = option_of(one, "busy_timeout"); !busy.empty()) {
    if (const auto time = read_duration(busy); !time) {
      wrong("busy_timeout", time.error().why + "; allowed: " + time.error().allowed);
    }
  }
}

void check_odbc(const connection& one, const complaint& wrong) {
  const auto names_a_driver = [](const auto& each) {
    return (same_word(each.first, "driver") || same_word(each.first, "dsn")) && !each.second.empty();
  };
  if (std::ranges::any_of(one.where.options, names_a_driver)) return;
  wrong("driver",
        "is missing; an odbc connection needs a driver (its name in odbcinst.ini or its path), or a data_source of "
        "odbc.ini");
}

void check_mongodb(const connection& one, const complaint& wrong) {
  const auto word = option_of(one, "read_preference");
  if (word.empty()) return;
  if (const auto known = read_preference_word(word); !known) {
    wrong("read_preference", shown(word) + " " + known.error().why + "; allowed: " + known.error().allowed);
  }
}

void check_cluster(const connection& one, const std::string& cluster, const complaint& wrong) {
  const auto flag = read_flag(cluster);
  if (!flag) return wrong("options", "cluster " + flag.error().why + "; allowed: " + flag.error().allowed);
  if (!*flag) return;
  if (!option_of(one, "sentinel").empty()) wrong("options", "cluster and sentinel do not go together");
  if (!one.where.database.empty() && one.where.database != "0") {
    wrong("database", "a Redis cluster has only database 0");
  }
}

void check_redis(const connection& one, const complaint& wrong) {
  const auto& where = one.where;
  if (!where.database.empty() && !read_integer(where.database, 0, 65535)) {
    wrong("database", "a Redis database is a number: 0 and more");
  }
  if (const auto cluster = option_of(one, "cluster"); !cluster.empty()) {
    check_cluster(one, cluster, wrong);
  } else if (where.host.find(',') != std::string::npos && option_of(one, "sentinel").empty()) {
    wrong("host", "is a list; only a Redis cluster (the option cluster) and sentinels (the option sentinel) have one");
  }
  if (where.tls == tls_mode::allow || where.tls == tls_mode::prefer) {
    wrong("sslmode", "a Redis server does not negotiate TLS; allowed: disable, require, verify-ca, verify-full");
  }
}

void check_place(const connection& one, const complaint& wrong) {
  if (one.type == database_type::sqlite) return check_sqlite(one, wrong);
  if (one.type == database_type::odbc) return check_odbc(one, wrong);
  if (one.type == database_type::mongodb) check_mongodb(one, wrong);
  if (one.type == database_type::redis) check_redis(one, wrong);
  if (one.where.host.empty()) {
    wrong("host", "is missing; a " + std::string(to_string(one.type)) + " connection needs a host or a dsn");
  }
}

}  // namespace

void complete(connection& one) {
  auto& where = one.where;
  const bool srv = where.options.contains("srv");
  const bool sentinels = one.type == database_type::redis && where.options.contains("sentinel");
  if (where.port == 0 && !srv) where.port = sentinels ? std::uint16_t{26379} : default_port(one.type);
  if (one.type == database_type::mongodb) where.options.try_emplace("auth_source", "admin");
}

void check_connection(const connection& one, const tuning& defaults, const complaint& wrong) {
  if (auto what = wrong_name(one.name); !what.empty()) wrong("name", std::move(what));
  check_place(one, wrong);
  check_overrides(one.overrides, defaults_for(one.type, defaults), wrong);
}

void check_settings(const settings& whole, const complaint& wrong) {
  check_tuning(whole.defaults, wrong);
  for (const auto& [name, value] : {std::pair{"drain_timeout", whole.drain_timeout},
                                    {"force_timeout", whole.force_timeout},
                                    {"server.request_timeout", whole.server.request_timeout}}) {
    if (value < nanoseconds(0)) wrong(name, as_text(value) + " is too small; allowed: 0 and more");
  }
  // By default, force follows drain: only what was written down can be wrong.
  if (whole.force_timeout != settings().force_timeout) {
    check_order("drain_timeout", whole.drain_timeout, "force_timeout", whole.force_timeout, wrong);
  }
  if (whole.server.enabled && !is_loopback_host(whole.server.host)) {
    wrong("server.host",
          shown(whole.server.host) +
              " is no loopback address, and there is no authentication yet; allowed: " + std::string(loopback_hosts));
  }
  if (whole.server.max_body_bytes == 0) wrong("server.max_body_bytes", "0 is too small; allowed: 1 and more");
  const auto known = [&](std::string_view field, const std::string& word, const auto& words, std::string_view kind) {
    if (const auto found = read_word(word, words, kind); !found) {
      wrong(field, shown(word) + " " + found.error().why + "; allowed: " + found.error().allowed);
    }
  };
  known("logging.level", whole.logging.level, log_levels(), "a level");
  known("logging.format", whole.logging.format, log_formats(), "a format");
  if (const auto parts = read_debug(whole.logging.debug); !parts) {
    wrong("logging.debug",
          shown(whole.logging.debug) + " " + parts.error().why + "; allowed: " + parts.error().allowed);
  }
}

void check_active(
    const settings& whole,
    const std::function<void(std::string_view field, const std::string& chosen, std::string what)>& wrong) {
  const auto check = [&](std::string_view field, const std::string& chosen, bool redis, std::string_view wanted) {
    if (chosen.empty()) return;
    std::optional<database_type> type;
    if (const auto found = std::ranges::find(whole.connections, chosen, &connection::name);
        found != whole.connections.end()) {
      type = found->type;
    } else if (const auto group = std::ranges::find(whole.groups, chosen, &group::name); group != whole.groups.end()) {
      type = type_of_group(whole, *group);
    }
    if (!type) return wrong(field, chosen, "");
    if ((kind_of(*type) == database_kind::key_value) == redis) return;
    wrong(field, chosen,
          shown(chosen) + " is a " + std::string(to_string(*type)) + " connection; " + std::string(wanted));
  };
  check("default_connection", whole.default_connection, false, "a Redis is named in default_redis");
  check("default_redis", whole.default_redis, true, "a database is named in default_connection");
}

std::vector<problem> validate(const settings& configuration) {
  std::vector<problem> found;
  const auto add = [&](std::string field, std::string what) {
    found.push_back({.file = {}, .line = 0, .field = std::move(field), .what = std::move(what)});
  };
  check_settings(configuration, [&](std::string_view field, std::string what) { add(std::string(field), what); });
  std::unordered_set<std::string_view> names;
  for (const auto& one : configuration.connections) {
    const std::string path = "connections." + one.name;
    if (!names.insert(one.name).second) add(path, "there are two connections of this name");
    check_connection(one, configuration.defaults, [&](std::string_view field, std::string what) {
      add(path + "." + std::string(field), std::move(what));
    });
  }
  check_groups(configuration, [&](const group& one, std::string_view field, std::string what) {
    add("groups." + one.name + (field.empty() ? "" : ".") + std::string(field), std::move(what));
  });
  for (std::size_t i = 0; i < configuration.webhooks.size(); ++i) {
    check_webhook(configuration.webhooks[i], [&](std::string_view field, std::string what) {
      add("webhooks[" + std::to_string(i) + "]." + std::string(field), std::move(what));
    });
  }
  check_active(configuration, [&](std::string_view field, const std::string& chosen, std::string what) {
    add(std::string(field), what.empty() ? shown(chosen) + " is not the name of a connection" : std::move(what));
  });
  return found;
}

bool tuning_overrides::empty() const noexcept {
  bool none = true;
  for_each_tuning([&](const auto& row) { none = none && !(this->*row.for_one).has_value(); });
  return none;
}

tuning defaults_for(database_type type, tuning base) noexcept {
  const tuning untouched;
  const auto instead = [&](auto tuning::* field, auto value) {
    if (base.*field == untouched.*field) base.*field = value;
  };
  const auto sessions = [&](std::uint32_t fewest, std::uint32_t most) {
    instead(&tuning::max_open_conns, most);
    instead(&tuning::min_open_conns, std::min(fewest, base.max_open_conns));
  };
  const auto breaker = [&](std::chrono::seconds slow, std::uint32_t percent, std::chrono::seconds reset) {
    instead(&tuning::circuit_slow_after, nanoseconds(slow));
    instead(&tuning::circuit_failure_percent, percent);
    instead(&tuning::circuit_reset, nanoseconds(reset));
  };
  if (type == database_type::mongodb) {
    sessions(2, 10);
    breaker(std::chrono::seconds(10), 60, std::chrono::seconds(45));
  }
  if (type == database_type::redis) {
    sessions(1, 10);
    breaker(std::chrono::seconds(1), 70, std::chrono::seconds(15));
    instead(&tuning::conn_max_idle_time, nanoseconds(std::chrono::seconds(30)));
    instead(&tuning::acquire_timeout, nanoseconds(std::chrono::seconds(10)));
  }
  return base;
}

tuning tuning_overrides::applied_to(tuning base) const noexcept {
  for_each_tuning([&](const auto& row) {
    if (this->*row.for_one) base.*row.for_all = *(this->*row.for_one);
  });
  // What comes from the settings for all gives way to a smaller pool.
  base.max_idle_conns = std::min(base.max_idle_conns, base.max_open_conns);
  base.min_open_conns = std::min(base.min_open_conns, base.max_open_conns);
  return base;
}

}  // namespace polypool::config
