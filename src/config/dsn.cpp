// SPDX-License-Identifier: Apache-2.0
#include "config/dsn.hpp"

#include "config/dsn_options.hpp"
#include "config/split_url.hpp"
#include "config/vocabulary.hpp"

#include <algorithm>
#include <utility>

namespace polypool::config {
namespace {

using texts = std::vector<std::string>;

struct scheme_row {
  std::string_view name;
  database_type type;
  bool tls;  ///< encrypted, and the server's certificate is checked
};
constexpr scheme_row schemes[] = {
    {"postgres", database_type::postgres, false}, {"postgresql", database_type::postgres, false},
    {"mysql", database_type::mysql, false},       {"mariadb", database_type::mysql, false},
    {"sqlite", database_type::sqlite, false},     {"sqlite3", database_type::sqlite, false},
    {"file", database_type::sqlite, false},       {"mssql", database_type::mssql, false},
    {"sqlserver", database_type::mssql, false},   {"odbc", database_type::odbc, false},
    {"mongodb", database_type::mongodb, false},   {"mongodb+srv", database_type::mongodb, true},
    {"redis", database_type::redis, false},       {"rediss", database_type::redis, true},
    {"sentinel", database_type::redis, false},    {"sentinels", database_type::redis, true},
};

constexpr std::uint16_t sentinel_port = 26379;

constexpr std::string_view allowed_schemes =
    "postgres, mysql, mariadb, sqlite, mssql, sqlserver, odbc, mongodb, mongodb+srv, redis, rediss, sentinel, "
    "sentinels";

const scheme_row* scheme_of(std::string_view dsn) {
  const auto colon = dsn.find(':');
  if (colon == std::string_view::npos) return nullptr;
  const auto found =
      std::ranges::find_if(schemes, [&](const auto& row) { return same_word(row.name, dsn.substr(0, colon)); });
  if (found == std::end(schemes)) return nullptr;
  // "host:port" must not be taken for a scheme; only files and ODBC do without the slashes.
  const bool bare = found->type == database_type::sqlite || found->type == database_type::odbc;
  return bare || dsn.substr(colon).starts_with("://") ? found : nullptr;
}

/// Several hosts stay together in one text. With ports that differ, the text has them, as MongoDB and libpq write it.
void apply_hosts(connection& target, const std::vector<host_and_port>& hosts) {
  if (hosts.empty()) return;
  auto& where = target.where;
  const auto one_port = hosts.front().port;
  const bool same = std::ranges::all_of(hosts, [&](const auto& h) { return h.port == one_port; });
  where.host.clear();
  std::string ports;
  for (const auto& one : hosts) {
    const auto port = one.port.value_or(where.options.contains("sentinel") ? sentinel_port : default_port(target.type));
    if (!where.host.empty()) where.host += ',';
    if (!ports.empty()) ports += ',';
    ports += std::to_string(port);
    const bool six = target.type == database_type::redis && hosts.size() > 1 && one.host.find(':') != std::string::npos;
    where.host += six ? "[" + one.host + "]" : one.host;
    const bool ports_inside = target.type == database_type::mongodb || target.type == database_type::redis;
    if (ports_inside && hosts.size() > 1) where.host += ":" + std::to_string(port);
  }
  if (same) {
    if (one_port) where.port = *one_port;
  } else if (target.type == database_type::postgres) {
    where.options["port"] = ports;
  }
}

texts apply_path(connection& target, const std::string& path) {
  if (path.empty()) return {};
  if (target.type == database_type::redis && !read_integer(path, 0, 65535)) {
    return {"a Redis database is a number: redis://host:6379/0"};
  }
  target.where.database = path;
  return {};
}

/// `mymaster/0`: the name that sentinels know the primary by, and the database. The hosts' ports depend on it.
texts take_sentinel_path(connection& target, std::string& path) {
  const auto slash = path.find('/');
  target.where.options["sentinel"] = path.substr(0, slash);
  if (target.where.options["sentinel"].empty()) {
    return {"a sentinel URL names the primary: sentinel://host1,host2/mymaster/0"};
  }
  path = slash == std::string::npos ? std::string() : path.substr(slash + 1);
  return {};
}

/// Whether the URL may have several hosts.
bool many_hosts(const connection& target, const url_parts& parts) {
  switch (target.type) {
    case database_type::postgres:
    case database_type::mongodb:
      return true;
    case database_type::redis:
      return target.where.options.contains("sentinel") || std::ranges::any_of(parts.query, [](const auto& p) {
               return same_word(p.first, "cluster") && read_flag(p.second).value_or(false);
             });
    default:
      return false;
  }
}

texts apply_sqlite(connection& target, std::string_view rest) {
  const auto question = rest.find('?');
  auto path = percent_decoded(rest.substr(0, question));
  if (!path) return {"the path has a '%' without two hexadecimal digits; write '%25' for '%'"};
  if (path->starts_with("//localhost/"))
    path->erase(0, 11);
  else if (path->starts_with("//"))
    path->erase(0, 2);
  // SQLAlchemy writes four slashes before an absolute path.
  if (path->starts_with("//")) path->erase(0, path->find_first_not_of('/') - 1);
  if (path->empty() || *path == "/") return {"the URL has no file; sqlite:path/to/file.db or sqlite::memory:"};
  target.where.filepath = *path == "memory" && rest.starts_with("//") ? ":memory:" : std::move(*path);
  if (question == std::string_view::npos) return {};
  auto query = split_query(rest.substr(question + 1));
  if (!query) return {query.error()};
  return apply_options(target, *query);
}

texts apply_key_values(connection& target, std::expected<pairs, std::string> values) {
  if (!values) return {std::move(values.error())};
  return apply_options(target, *values);
}

texts apply_url(connection& target, const scheme_row& scheme, std::string_view after_scheme) {
  auto parts = split_url(after_scheme);
  if (!parts) return {std::move(parts.error())};
  auto& where = target.where;
  if (scheme.tls) where.tls = tls_mode::verify_full;
  if (same_word(scheme.name, "mongodb+srv")) {
    where.options["srv"] = "true";
    where.port = 0;
    if (parts->hosts.size() != 1) return {"a mongodb+srv URL has exactly one host"};
    if (parts->hosts.front().port) return {"a mongodb+srv URL has no port; the servers' ports come from DNS"};
  }
  if (same_word(scheme.name, "sentinel") || same_word(scheme.name, "sentinels")) {
    if (auto wrong = take_sentinel_path(target, parts->path); !wrong.empty()) return wrong;
  }
  if (parts->hosts.size() > 1 && !many_hosts(target, *parts)) {
    return {
        "the URL has more than one host; only postgres and mongodb allow that, and Redis with sentinel:// or "
        "?cluster=true"};
  }
  if (parts->user && !parts->user->empty()) where.user = *parts->user;
  if (parts->password) where.password = secret(std::move(*parts->password));
  apply_hosts(target, parts->hosts);
  auto wrong = apply_path(target, parts->path);
  auto more = apply_options(target, parts->query);
  wrong.insert(wrong.end(), more.begin(), more.end());
  // A named instance stands where the database does elsewhere, once the query names the database.
  const bool names_database =
      std::ranges::any_of(parts->query, [](const auto& p) { return same_word(p.first, "database"); });
  if (target.type == database_type::mssql && names_database && !parts->path.empty()) {
    where.options["instance"] = parts->path;
  }
  // Without a driver, an ODBC URL's host is the name of a data source.
  if (target.type == database_type::odbc && !where.options.contains("Driver") && !where.host.empty()) {
    where.options["DSN"] = std::exchange(where.host, {});
  }
  return wrong;
}

texts apply_bare(connection& target, std::string_view dsn, database_type type) {
  target.type = type;
  const bool pairs_likely = dsn.find('=') != std::string_view::npos && dsn.find("://") == std::string_view::npos;
  if (type == database_type::sqlite && dsn.find("://") == std::string_view::npos) {
    target.where.filepath = dsn;
    return {};
  }
  if (type == database_type::postgres && pairs_likely) return apply_key_values(target, split_words(dsn));
  if ((type == database_type::mssql || type == database_type::odbc) && pairs_likely) {
    return apply_key_values(target, split_semicolons(dsn));
  }
  return {"this is not a URL for this type of database; such a URL begins with " + std::string(to_string(type)) +
          "://"};
}

}  // namespace

std::vector<std::string> apply_dsn(connection& target, std::string_view dsn, std::optional<database_type> type) {
  const auto begin = dsn.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos)
    return {"the URL is empty; allowed: a URL such as postgres://user@host:5432/database"};
  dsn = dsn.substr(begin, dsn.find_last_not_of(" \t\r\n") - begin + 1);
  if (dsn.find('\0') != std::string_view::npos) return {"the URL has a NUL byte"};
  const auto* scheme = scheme_of(dsn);
  if (scheme == nullptr) {
    if (type) return apply_bare(target, dsn, *type);
    return {"this is not a URL that is known; it has to begin with one of " + std::string(allowed_schemes)};
  }
  if (type && *type != scheme->type) {
    return {"this is a URL for " + std::string(to_string(scheme->type)) + ", but the type is " +
            std::string(to_string(*type))};
  }
  target.type = scheme->type;
  auto rest = dsn.substr(scheme->name.size() + 1);
  if (same_word(scheme->name, "file")) {  // SQLite reads these itself
    target.where.filepath = dsn;
    return {};
  }
  if (scheme->type == database_type::sqlite) return apply_sqlite(target, rest);
  if (!rest.starts_with("//")) return apply_key_values(target, split_semicolons(rest));
  return apply_url(target, *scheme, rest.substr(2));
}

}  // namespace polypool::config
