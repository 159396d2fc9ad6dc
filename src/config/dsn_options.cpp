// SPDX-License-Identifier: Apache-2.0
#include "config/dsn_options.hpp"

#include "config/fields.hpp"
#include "config/vocabulary.hpp"

#include <polypool/duration.hpp>

#include <algorithm>
#include <limits>

namespace polypool::config {
namespace {

using enum database_type;

std::string refused(const refusal& why) { return why.why + "; allowed: " + why.allowed; }

/// Puts a value where it belongs; what is wrong with it, or empty.
using setter = std::string (*)(connection&, const std::string&);

std::string set_user(connection& c, const std::string& value) { return c.where.user = value, std::string(); }
std::string set_password(connection& c, const std::string& value) {
  c.where.password = secret(value);
  return {};
}
std::string set_host(connection& c, const std::string& value) { return c.where.host = value, std::string(); }
std::string set_database(connection& c, const std::string& value) {
  if (c.type == redis) {
    if (const auto number = read_integer(value, 0, 65535); !number) return refused(number.error());
  }
  c.where.database = value;
  return {};
}
std::string set_schema(connection& c, const std::string& value) { return c.where.schema = value, std::string(); }

std::string set_port(connection& c, const std::string& value) {
  if (c.type == postgres && value.find(',') != std::string::npos) return c.where.options["port"] = value, std::string();
  const auto port = read_port(value);
  if (!port) return refused(port.error());
  c.where.port = *port;
  return {};
}

std::string set_tls(connection& c, const std::string& value) {
  const auto flag = read_flag(value);
  auto mode = flag ? read_result<tls_mode>(*flag ? tls_mode::verify_full : tls_mode::disable) : read_tls(value);
  // MySQL's own words.
  if (!mode && same_word(value, "preferred")) mode = tls_mode::prefer;
  if (!mode && same_word(value, "required")) mode = tls_mode::require;
  if (!mode && same_word(value, "disabled")) mode = tls_mode::disable;
  if (!mode && (same_word(value, "verify_identity") || same_word(value, "strict"))) mode = tls_mode::verify_full;
  if (!mode) return refused(mode.error());
  c.where.tls = *mode;
  return {};
}

std::string set_trust(connection& c, const std::string& value) {
  const auto flag = read_flag(value);
  if (!flag) return refused(flag.error());
  if (*flag && c.where.tls >= tls_mode::verify_ca) c.where.tls = tls_mode::require;
  return {};
}

std::string set_timeout(connection& c, nanoseconds value) {
  if (value.count() > 0) c.overrides.connect_timeout = value;  // libpq's 0 is "no limit of its own"
  return {};
}
std::string set_connect_timeout(connection& c, const std::string& value) {
  constexpr std::int64_t most_seconds = 1'000'000'000;
  if (const auto seconds = read_integer(value, 0, most_seconds)) return set_timeout(c, std::chrono::seconds(*seconds));
  const auto with_unit = read_duration(value);
  return with_unit ? set_timeout(c, *with_unit) : refused(with_unit.error());
}
std::string set_connect_timeout_ms(connection& c, const std::string& value) {
  const auto count = read_integer(value, 0, std::numeric_limits<std::int32_t>::max());
  return count ? set_timeout(c, std::chrono::milliseconds(*count)) : refused(count.error());
}

std::string set_read_preference(connection& c, const std::string& value) {
  const auto word = read_preference_word(value);
  if (!word) return refused(word.error());
  c.where.options["read_preference"] = *word;
  return {};
}

/// MongoDB's own words for what the pool does.
template <auto Member>
std::string set_count(connection& c, const std::string& value) {
  const auto count = read_integer(value, 0, std::numeric_limits<std::uint32_t>::max());
  if (!count) return refused(count.error());
  c.overrides.*Member = static_cast<std::uint32_t>(*count);
  return {};
}
template <auto Member>
std::string set_milliseconds(connection& c, const std::string& value) {
  const auto count = read_integer(value, 0, std::numeric_limits<std::int32_t>::max());
  if (!count) return refused(count.error());
  c.overrides.*Member = std::chrono::milliseconds(*count);
  return {};
}
std::string set_auth_source(connection& c, const std::string& value) {
  return c.where.options["auth_source"] = value, std::string();
}
std::string set_replica_set(connection& c, const std::string& value) {
  return c.where.options["replica_set"] = value, std::string();
}

/// SQL Server's `tcp:host,1433` and `host\instance`.
std::string set_server(connection& c, const std::string& value) {
  std::string_view host = value;
  if (same_word(host.substr(0, 4), "tcp:")) host.remove_prefix(4);
  if (const auto comma = host.find(','); comma != std::string_view::npos) {
    if (auto wrong = set_port(c, std::string(host.substr(comma + 1))); !wrong.empty()) return wrong;
    host = host.substr(0, comma);
  }
  if (const auto slash = host.find('\\'); slash != std::string_view::npos) {
    c.where.options["instance"] = host.substr(slash + 1);
    host = host.substr(0, slash);
  }
  c.where.host = host;
  return {};
}

/// ODBC's own words keep their usual spelling, whatever the case they were written in.
std::string set_odbc_driver(connection& c, const std::string& value) {
  return c.where.options["Driver"] = value, std::string();
}
std::string set_odbc_source(connection& c, const std::string& value) {
  return c.where.options["DSN"] = value, std::string();
}

struct option_row {
  std::string_view name;
  type_set types;
  setter set;
};

constexpr type_set sql_servers = types_of(postgres, mysql, mssql, odbc);
constexpr type_set windows_words = types_of(mssql, odbc);

constexpr option_row rows[] = {
    {"sslmode", server_types, set_tls},
    {"ssl-mode", server_types, set_tls},
    {"tls", types_of(mysql, mongodb, redis), set_tls},
    {"ssl", types_of(postgres, mysql, mongodb, redis), set_tls},
    {"usessl", types_of(mysql), set_tls},
    {"encrypt", types_of(mssql), set_tls},
    {"trustservercertificate", types_of(mssql), set_trust},
    {"tlsallowinvalidcertificates", types_of(mongodb), set_trust},
    {"tlsinsecure", types_of(mongodb), set_trust},
    {"user", sql_servers, set_user},
    {"uid", windows_words, set_user},
    {"user id", windows_words, set_user},
    {"password", server_types, set_password},
    {"pwd", windows_words, set_password},
    {"host", sql_servers, set_host},
    {"socket", types_of(mysql), set_host},
    {"unix_socket", types_of(mysql), set_host},
    {"server", windows_words, set_server},
    {"servername", types_of(odbc), set_server},
    {"data source", windows_words, set_server},
    {"port", sql_servers, set_port},
    {"dbname", types_of(postgres, mysql), set_database},
    {"database", windows_words, set_database},
    {"initial catalog", windows_words, set_database},
    {"db", types_of(redis), set_database},
    {"schema", types_of(postgres, mssql), set_schema},
    {"currentschema", types_of(postgres), set_schema},
    {"search_path", types_of(postgres), set_schema},
    {"connect_timeout", server_types, set_connect_timeout},
    {"connect timeout", windows_words, set_connect_timeout},
    {"connection timeout", windows_words, set_connect_timeout},
    {"login timeout", windows_words, set_connect_timeout},
    {"connecttimeoutms", types_of(mongodb), set_connect_timeout_ms},
    {"minpoolsize", types_of(mongodb), set_count<&tuning_overrides::min_open_conns>},
    {"maxpoolsize", types_of(mongodb), set_count<&tuning_overrides::max_open_conns>},
    {"maxidletimems", types_of(mongodb), set_milliseconds<&tuning_overrides::conn_max_idle_time>},
    {"waitqueuetimeoutms", types_of(mongodb), set_milliseconds<&tuning_overrides::acquire_timeout>},
    {"authsource", types_of(mongodb), set_auth_source},
    {"auth_source", types_of(mongodb), set_auth_source},
    {"replicaset", types_of(mongodb), set_replica_set},
    {"replica_set", types_of(mongodb), set_replica_set},
    {"readpreference", types_of(mongodb), set_read_preference},
    {"read_preference", types_of(mongodb), set_read_preference},
    {"driver", windows_words, set_odbc_driver},
    {"dsn", types_of(odbc), set_odbc_source},
};

/// What relaxes the check of a certificate comes after what asks for encryption, whatever their order in the text.
bool comes_last(const option_row& row) { return row.set == &set_trust; }

const option_row* row_of(std::string_view name, database_type type) {
  const auto found = std::ranges::find_if(
      rows, [&](const auto& row) { return (row.types & types_of(type)) != 0 && same_word(row.name, name); });
  return found == std::end(rows) ? nullptr : found;
}

}  // namespace

std::vector<std::string> apply_options(connection& target, const pairs& values) {
  std::vector<std::string> wrong;
  for (const bool last : {false, true}) {
    for (const auto& [name, value] : values) {
      const auto* row = row_of(name, target.type);
      if (row == nullptr) {
        target.where.options[name] = value;
        continue;
      }
      if (comes_last(*row) != last) continue;
      auto why = row->set(target, value);
      if (why.empty()) continue;
      // Without the value: an unescaped '?' or quote in a password makes a part of it look like one.
      wrong.push_back("the URL's " + std::string(row->name) + " " + why);
    }
  }
  return wrong;
}

}  // namespace polypool::config
