// SPDX-License-Identifier: Apache-2.0
#include "config/fields.hpp"

#include "config/problems.hpp"

#include <polypool/duration.hpp>

#include <array>
#include <type_traits>
#include <utility>

namespace polypool::config {
namespace {

using enum database_type;

// Settings for all, and for one connection.

read_result<std::uint32_t> read_as(std::string_view text, std::uint32_t least) { return read_count(text, least); }
read_result<nanoseconds> read_as(std::string_view text, nanoseconds least) { return read_duration(text, least); }
read_result<bool> read_as(std::string_view text, bool /*least*/) { return read_flag(text); }

template <std::size_t Row>
read_result<void> set_tuning(settings& target, std::string_view text) {
  constexpr auto& row = std::get<Row>(tuning_members);
  return keep(read_as(text, row.least), target.defaults.*row.for_all);
}
template <std::size_t Row>
read_result<void> set_override(connection_draft& target, std::string_view text) {
  constexpr auto& row = std::get<Row>(tuning_members);
  return keep(read_as(text, row.least), target.made.overrides.*row.for_one);
}

template <std::size_t... Rows>
constexpr auto tuning_fields(std::index_sequence<Rows...>) {
  return std::array{field<settings>{std::get<Rows>(tuning_members).name, std::get<Rows>(tuning_members).other_name,
                                    &set_tuning<Rows>}...};
}
template <std::size_t... Rows>
constexpr auto override_fields(std::index_sequence<Rows...>) {
  return std::array{field<connection_draft>{std::get<Rows>(tuning_members).name,
                                            std::get<Rows>(tuning_members).other_name, &set_override<Rows>}...};
}

template <class Target, std::size_t A, std::size_t B>
constexpr auto together(const std::array<field<Target>, A>& a, const std::array<field<Target>, B>& b) {
  std::array<field<Target>, A + B> out{};
  for (std::size_t i = 0; i < A; ++i) out[i] = a[i];
  for (std::size_t i = 0; i < B; ++i) out[A + i] = b[i];
  return out;
}

// A connection's own fields.

using draft = connection_draft;

template <auto Member>
read_result<void> set_place(draft& target, std::string_view text) {
  target.made.where.*Member = std::string(text);
  return {};
}
template <auto Member>
read_result<void> set_flag(draft& target, std::string_view text) {
  return keep(read_flag(text), target.made.*Member);
}
template <auto Member>
read_result<void> set_part(draft& target, std::string_view text) {
  target.*Member = std::string(text);
  return {};
}

read_result<void> set_type(draft& t, std::string_view text) { return keep(read_type(text), t.type); }
read_result<void> set_port(draft& t, std::string_view text) { return keep(read_port(text), t.made.where.port); }
read_result<void> set_tls(draft& t, std::string_view text) { return keep(read_tls(text), t.made.where.tls); }
read_result<void> set_style(draft& t, std::string_view text) {
  return keep(read_access_style(text), t.made.default_orm);
}
read_result<void> set_auth_source(draft& t, std::string_view text) {
  t.made.where.options["auth_source"] = text;
  return {};
}
read_result<void> set_replica_set(draft& t, std::string_view text) {
  t.made.where.options["replica_set"] = text;
  return {};
}
read_result<void> set_read_preference(draft& t, std::string_view text) {
  return keep(read_preference_word(text), t.made.where.options["read_preference"]);
}
read_result<void> set_busy_timeout(draft& t, std::string_view text) {
  const auto time = read_duration(text);
  if (!time) return std::unexpected(time.error());
  t.made.where.options["busy_timeout"] = format_duration(*time);
  return {};
}

read_result<void> set_odbc_driver(draft& t, std::string_view text) {
  t.made.where.options["Driver"] = text;
  return {};
}
read_result<void> set_data_source(draft& t, std::string_view text) {
  t.made.where.options["DSN"] = text;
  return {};
}

/// `a=b,c=d`, for environment variables.
read_result<void> set_pairs(std::map<std::string, std::string>& target, std::string_view text) {
  while (!text.empty()) {
    const auto pair = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return std::unexpected(refusal{"is not a map of texts", "a map, or name=value,name=value"});
    }
    target[std::string(pair.substr(0, equals))] = pair.substr(equals + 1);
  }
  return {};
}
std::map<std::string, std::string>& tags_of(draft& t) { return t.made.tags; }
std::map<std::string, std::string>& options_of(draft& t) { return t.made.where.options; }
read_result<void> set_tags(draft& t, std::string_view text) { return set_pairs(tags_of(t), text); }
read_result<void> set_options(draft& t, std::string_view text) { return set_pairs(options_of(t), text); }

constexpr std::array own_fields{
    field<draft>{"name", "", &set_part<&draft::name>},
    field<draft>{"type", "", &set_type},
    field<draft>{.name = "dsn", .other_name = "url", .set = &set_part<&draft::dsn>, .is_secret = true},
    field<draft>{.name = "host", .other_name = "", .set = &set_place<&endpoint::host>, .types = server_types},
    field<draft>{.name = "port", .other_name = "", .set = &set_port, .types = server_types},
    field<draft>{.name = "user", .other_name = "", .set = &set_place<&endpoint::user>, .types = server_types},
    field<draft>{.name = "password",
                 .other_name = "",
                 .set = &set_place<&endpoint::password>,
                 .is_secret = true,
                 .types = server_types},
    field<draft>{.name = "database", .other_name = "", .set = &set_place<&endpoint::database>, .types = server_types},
    field<draft>{.name = "sslmode", .other_name = "", .set = &set_tls, .types = server_types},
    field<draft>{.name = "schema",
                 .other_name = "",
                 .set = &set_place<&endpoint::schema>,
                 .types = types_of(postgres, mssql, odbc)},
    field<draft>{.name = "driver", .other_name = "", .set = &set_odbc_driver, .types = types_of(mssql, odbc)},
    field<draft>{.name = "data_source", .other_name = "", .set = &set_data_source, .types = types_of(odbc)},
    field<draft>{
        .name = "filepath", .other_name = "", .set = &set_place<&endpoint::filepath>, .types = types_of(sqlite)},
    field<draft>{.name = "busy_timeout", .other_name = "", .set = &set_busy_timeout, .types = types_of(sqlite)},
    field<draft>{.name = "auth_source", .other_name = "", .set = &set_auth_source, .types = types_of(mongodb)},
    field<draft>{.name = "replica_set", .other_name = "", .set = &set_replica_set, .types = types_of(mongodb)},
    field<draft>{.name = "read_preference", .other_name = "", .set = &set_read_preference, .types = types_of(mongodb)},
    field<draft>{"enable_tracing", "", &set_flag<&connection::enable_tracing>},
    field<draft>{"enable_metrics", "", &set_flag<&connection::enable_metrics>},
    field<draft>{"enable_logging", "", &set_flag<&connection::enable_logging>},
    field<draft>{"default_orm", "", &set_style},
    field<draft>{"critical", "", &set_flag<&connection::critical>},
    field<draft>{"tags", "", &set_tags, &tags_of},
    field<draft>{"options", "", &set_options, &options_of},
};

// The whole, the server, the log.

template <class Target, auto Member>
read_result<void> set_text(Target& target, std::string_view text) {
  target.*Member = std::string(text);
  return {};
}
template <class Target, auto Member>
read_result<void> set_time(Target& target, std::string_view text) {
  return keep(read_duration(text), target.*Member);
}

read_result<void> set_total(settings& t, std::string_view text) {
  return keep(read_integer(text, 0, std::numeric_limits<std::uint32_t>::max()), t.max_concurrent_total);
}

constexpr std::array whole_fields{
    field<settings>{"default_connection", "", &set_text<settings, &settings::default_connection>},
    field<settings>{"default_redis", "", &set_text<settings, &settings::default_redis>},
    field<settings>{"max_concurrent_total", "", &set_total},
    field<settings>{"drain_timeout", "", &set_time<settings, &settings::drain_timeout>},
    field<settings>{"force_timeout", "", &set_time<settings, &settings::force_timeout>},
};

read_result<void> set_enabled(server_settings& t, std::string_view text) { return keep(read_flag(text), t.enabled); }
read_result<void> set_server_port(server_settings& t, std::string_view text) {
  return keep(read_port(text, 0), t.port);
}
read_result<void> set_body(server_settings& t, std::string_view text) {
  return keep(read_integer(text, 1, 1024L * 1024 * 1024), t.max_body_bytes);
}
read_result<void> set_listen(server_settings& t, std::string_view text) {
  const auto colon = text.rfind(':');
  auto host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto port = read_port(colon == std::string_view::npos ? "" : text.substr(colon + 1), 0);
  if (!port || host.empty()) return std::unexpected(refusal{"is not an address", "host:port, such as 127.0.0.1:8080"});
  t.host = host;
  t.port = *port;
  return {};
}

constexpr std::array server_rows{
    field<server_settings>{"enabled", "", &set_enabled},
    field<server_settings>{"listen", "", &set_listen},
    field<server_settings>{"host", "", &set_text<server_settings, &server_settings::host>},
    field<server_settings>{"port", "", &set_server_port},
    field<server_settings>{"max_body_bytes", "", &set_body},
    field<server_settings>{"request_timeout", "", &set_time<server_settings, &server_settings::request_timeout>},
};

read_result<void> set_level(logging_settings& t, std::string_view text) {
  return keep(read_word(same_word(text, "warn") ? "warning" : text, log_levels(), "a level"), t.level);
}
read_result<void> set_format(logging_settings& t, std::string_view text) {
  return keep(read_word(text, log_formats(), "a format"), t.format);
}

read_result<void> set_debug(logging_settings& t, std::string_view text) { return keep(read_debug(text), t.debug); }

constexpr std::array logging_rows{
    field<logging_settings>{"level", "", &set_level},
    field<logging_settings>{"format", "", &set_format},
    field<logging_settings>{"debug", "", &set_debug},
};

template <auto Member>
read_result<void> set_hook_time(webhook& t, std::string_view text) {
  return keep(read_duration(text), t.*Member);
}
template <auto Member>
read_result<void> set_hook_count(webhook& t, std::string_view text) {
  return keep(read_count(text, 1), t.*Member);
}
read_result<void> set_hook_key(webhook& t, std::string_view text) {
  t.key = std::string(text);
  return {};
}
read_result<void> set_hook_url(webhook& t, std::string_view text) {
  const bool web = text.starts_with("http://") || text.starts_with("https://");
  if (!web) return std::unexpected(refusal{"is not the URL of a web server", "http://… and https://…"});
  t.url = text;
  return {};
}

constexpr std::array webhook_rows{
    field<webhook>{"name", "", &set_text<webhook, &webhook::name>},
    field<webhook>{.name = "url", .other_name = "", .set = &set_hook_url, .is_secret = true},
    field<webhook>{.name = "secret", .other_name = "", .set = &set_hook_key, .is_secret = true},
    field<webhook>{"timeout", "", &set_hook_time<&webhook::timeout>},
    field<webhook>{"attempts", "", &set_hook_count<&webhook::attempts>},
    field<webhook>{"retry_delay", "", &set_hook_time<&webhook::retry_delay>},
    field<webhook>{"retry_max_delay", "", &set_hook_time<&webhook::retry_max_delay>},
    field<webhook>{"max_pending", "", &set_hook_count<&webhook::max_pending>},
    field<webhook>{"ca_file", "", &set_text<webhook, &webhook::ca_file>},
};

constexpr auto indices = std::make_index_sequence<tuning_count>{};

}  // namespace

std::span<const field<connection_draft>> connection_fields() {
  static constexpr auto all = together(own_fields, override_fields(indices));
  return all;
}
std::span<const field<settings>> settings_fields() {
  static constexpr auto all = together(whole_fields, tuning_fields(indices));
  return all;
}
std::span<const field<server_settings>> server_fields() { return server_rows; }
std::span<const field<logging_settings>> logging_fields() { return logging_rows; }
std::span<const field<webhook>> webhook_fields() { return webhook_rows; }

}  // namespace polypool::config
