// SPDX-License-Identifier: Apache-2.0
#include "drivers/odbc/connection_plan.hpp"

#include "base/host_port.hpp"
#include "base/utf8.hpp"
#include "base/words.hpp"
#include "driver/postgres_words.hpp"

#include <polypool/error.hpp>
#include <polypool/odbc.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace polypool::odbc {
namespace {

using option_map = std::map<std::string, std::string>;

[[noreturn]] void refuse(std::string cause, std::string_view hint) {
  error problem(errc::invalid_configuration, cause);
  problem.with_hint(hint);
  throw problem;
}

// Takes an option out, whatever the case of its name.
std::string take(option_map& options, std::string_view name) {
  const auto found = std::ranges::find_if(options, [&](const auto& each) { return same_word(each.first, name); });
  if (found == options.end()) return {};
  std::string out = std::move(found->second);
  options.erase(found);
  return out;
}

bool has(const option_map& options, std::string_view name) {
  return std::ranges::any_of(options, [&](const auto& each) { return same_word(each.first, name); });
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& each : names) out += (out.empty() ? "" : ", ") + each;
  return out.empty() ? "none is installed" : "installed are: " + out;
}

// The fields that have a place of their own are not repeated as options, under none of their names.
void check_options(const option_map& options) {
  static constexpr std::array own{"uid",        "user", "user id", "pwd",      "password", "server",
                                  "servername", "host", "port",    "database", "address",  "initial catalog"};
  for (const auto& [name, text] : options) {
    const auto found = std::ranges::find_if(own, [&](std::string_view each) { return same_word(each, name); });
    if (found != own.end())
      refuse("option '" + name + "' of an ODBC connection has a field of its own", "use the field");
  }
}

std::string_view sslmode(tls_mode mode) {
  static constexpr std::array words{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"};
  return words[static_cast<std::size_t>(mode)];
}

std::string port_text(const endpoint& where, std::uint16_t usual) {
  return std::to_string(where.port != 0 ? where.port : usual);
}

class planner {
 public:
  planner(const endpoint& where, driver_family family) : where_(where), options_(where.options), string_(family) {
    plan_.family = family;
    plan_.password = where.password;
    plan_.statement_cache = where.statement_cache;
    plan_.prepares = where.statement_cache > 0;
  }

  option_map& options() noexcept { return options_; }
  void add(std::string_view key, std::string_view value) { string_.add(key, value); }
  void add_if(std::string_view key, std::string_view value) {
    if (!value.empty()) add(key, value);
  }
  // Unless the user has said something else.
  void add_default(std::string_view key, std::string_view value) {
    if (!has(options_, key)) add(key, value);
  }

  void postgres();
  void sqlite();
  void freetds();
  void microsoft();
  void other();

  connection_plan finish(std::string place) {
    for (const auto& [key, value] : options_) add(key, value);
    plan_.text = string_.take();
    plan_.place = std::move(place);
    return std::move(plan_);
  }

 private:
  void libpq_words(bool named_user);
  void add_port(std::uint16_t usual) {
    plan_.port = where_.port != 0 ? where_.port : usual;
    add("Port", std::to_string(plan_.port));
  }
  void login() {
    add_if("UID", where_.user);
    add_if("PWD", where_.password.reveal());
  }
  std::string server_and_instance() {
    const std::string instance = take(options_, "instance");
    return instance.empty() ? where_.host : where_.host + "\\" + instance;
  }
  void refuse_schema(std::string_view who) const {
    if (!where_.schema.empty()) {
      refuse("`schema` of an ODBC connection: " + std::string(who), "leave it out, and name schemas in statements");
    }
  }

  const endpoint& where_;
  option_map options_;
  connection_string string_;
  connection_plan plan_;
};

std::string libpq_quoted(std::string_view value) {
  std::string out = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

// psqlodbc hands these on to libpq as they are.
void planner::libpq_words(bool named_user) {
  static constexpr std::array words{
      "application_name",    "channel_binding",      "gssencmode",      "keepalives", "keepalives_count",
      "keepalives_interval", "keepalives_idle",      "sslcert",         "sslcrl",     "sslkey",
      "sslrootcert",         "target_session_attrs", "tcp_user_timeout"};
  std::map<std::string, std::string> all{
      {"application_name", "polypool"}, {"gssencmode", "disable"},     {"keepalives", "1"},
      {"keepalives_idle", "30"},        {"keepalives_interval", "10"}, {"keepalives_count", "3"},
      {"tcp_user_timeout", "30000"},
  };
  for (const std::string_view word : words) {
    if (has(options_, word)) all[std::string(word)] = take(options_, word);
  }
  // Times with a zone come without it, so the zone is always the same.
  std::string startup = postgres::startup_options(where_) + " -c TimeZone=UTC";
  if (const auto own = take(options_, "options"); !own.empty()) startup += ' ' + own;
  all["options"] = startup;
  if (named_user) all["user"] = where_.user;
  std::string text;
  for (const auto& [key, value] : all) text += (text.empty() ? "" : " ") + key + "=" + libpq_quoted(value);
  if (const auto own = take(options_, "pqopt"); !own.empty()) text += ' ' + own;
  add("pqopt", text);
}

void planner::postgres() {
  const bool source = has(options_, "DSN");
  if (!source || !where_.host.empty()) {
    add("Servername", where_.host.empty() ? "localhost" : where_.host);
    add_port(5432);
    if (where_.host.starts_with('/')) plan_.port = 0;  // a Unix socket
  }
  // Its own parser knows no way to write some users.
  const bool strange = where_.user.find_first_of(";{} ") != std::string::npos;
  if (!strange) add_if("UID", where_.user);
  add_if("PWD", where_.password.reveal());
  add_if("Database", where_.database);
  if (!source || where_.tls != tls_mode::disable) add("SSLmode", sslmode(where_.tls));
  add_default("BoolsAsChar", "0");
  add_default("Protocol", "7.4-0");  // an error fails the transaction, as PostgreSQL means it to
  add_default("ByteaAsLongVarBinary", "1");
  add_default("UseDeclareFetch", "0");
  add_default("CommLog", "0");
  add_default("Debug", "0");
  libpq_words(strange);
}

void planner::sqlite() {
  refuse_schema("SQLite has no schemas");
  plan_.owns_data = owns_data(where_);
  add_if("Database", where_.database);
  plan_.statement_cache = 0;    // what is prepared keeps its columns when the table gets others
  add_default("StepAPI", "1");  // rows one by one instead of all in memory
  add_default("FKSupport", "1");
  if (!plan_.owns_data) {
    add_default("JournalMode", "WAL");  // readers and a writer do not wait for each other
    add_default("SyncPragma", "NORMAL");
  }
  add_default("Timeout", "5000");  // milliseconds to wait for locks
}

void planner::freetds() {
  add("Server", server_and_instance());
  if (!has(where_.options, "instance")) add_port(1433);
  login();
  add_if("Database", where_.database);
  add_default("TDS_Version", "7.4");
  add_default("ClientCharset", "UTF-8");
  add_default("APP", "polypool");
  if (where_.tls >= tls_mode::verify_ca) {
    refuse("sslmode: FreeTDS checks certificates only as its freetds.conf says (`ca file`)",
           "use Microsoft's driver (package msodbcsql18), or sslmode require, and set `ca file` there");
  }
  static constexpr std::array words{"off", "request", "request", "require"};
  add_default("Encryption", words[static_cast<std::size_t>(where_.tls)]);
}

void planner::microsoft() {
  std::string server = "tcp:" + server_and_instance();
  if (!has(where_.options, "instance")) {
    server += "," + port_text(where_, 1433);
    plan_.port = where_.port != 0 ? where_.port : 1433;
  }
  add("Server", server);
  login();
  add_if("Database", where_.database);
  add_default("APP", "polypool");
  const bool encrypts = where_.tls >= tls_mode::prefer;
  add_default("Encrypt", encrypts ? "yes" : "no");
  add_default("TrustServerCertificate", where_.tls >= tls_mode::verify_ca ? "no" : "yes");
}

void planner::other() {
  refuse_schema("it is not known how this driver wants it");
  add_if("Server", where_.host);
  if (where_.port != 0) add_port(where_.port);
  login();
  add_if("Database", where_.database);
}

// A driver's family, from its name or path.
driver_family family_of_driver(const std::string& driver, const installation& installed) {
  if (driver.contains('/')) return family_of(driver);
  const std::string library = installed.library_of(driver);
  if (library.empty()) {
    refuse("there is no ODBC driver '" + excerpt(driver) + "'",
           listed(installed.drivers()) + "; or give the path of its library");
  }
  return family_of(library);
}

std::string place_of(const endpoint& where, std::uint16_t usual) {
  return host_and_port(where.host.empty() ? "localhost" : where.host, port_text(where, usual));
}

constexpr std::string_view freetds_library = "/usr/lib/x86_64-linux-gnu/odbc/libtdsodbc.so";

// Microsoft's drivers first, the newest of them before the others; then FreeTDS, registered or not.
std::string find_sql_server_driver(const installation& installed) {
  const auto names = installed.drivers();
  for (const std::string_view wanted : {"ODBC Driver 18 for SQL Server", "ODBC Driver 17 for SQL Server"}) {
    const auto found = std::ranges::find(names, wanted);
    if (found != names.end()) return *found;
  }
  for (const auto& each : names) {
    if (family_of(installed.library_of(each)) == driver_family::freetds) return each;
  }
  if (const std::string path(freetds_library); installed.has_file(path)) return path;
  refuse("no ODBC driver for SQL Server was found", "install tdsodbc (FreeTDS) or msodbcsql18; " + listed(names));
}

void plan_family(planner& work, driver_family family) {
  switch (family) {
    case driver_family::psqlodbc:
      return work.postgres();
    case driver_family::sqlite:
      return work.sqlite();
    case driver_family::freetds:
      return work.freetds();
    case driver_family::microsoft:
      return work.microsoft();
    case driver_family::other:
      return work.other();
  }
}

}  // namespace

bool owns_data(const endpoint& where) noexcept { return where.database == ":memory:"; }

connection_plan plan_odbc(const endpoint& where, const installation& installed) {
  check_options(where.options);
  option_map options = where.options;
  const std::string driver = take(options, "Driver");
  const std::string source = take(options, "DSN");
  if (driver.empty() && source.empty()) {
    refuse("an ODBC connection needs a driver or a data source",
           "options: {Driver: name or path}, or dsn: odbc:DSN=name; " + listed(installed.drivers()));
  }
  if (!driver.empty()) {
    const auto family = family_of_driver(driver, installed);
    planner work(where, family);
    take(work.options(), "Driver");
    take(work.options(), "DSN");
    work.add("Driver", driver);
    plan_family(work, family);
    if (family == driver_family::sqlite) return work.finish("'" + where.database + "'");
    return work.finish(place_of(where, family == driver_family::psqlodbc ? 5432 : 0));
  }
  if (source.size() > 32) {  // SQL_MAX_DSN_LENGTH; unixODBC would complain of the driver's name
    refuse("the name of the ODBC data source '" + excerpt(source) + "' is too long", "ODBC takes 32 characters");
  }
  const std::string its_driver = installed.driver_of_source(source);
  if (its_driver.empty()) {
    refuse("there is no ODBC data source '" + excerpt(source) + "'",
           "`odbcinst -q -s` lists them; they are in odbc.ini (`odbcinst -j` says where)");
  }
  const auto family = family_of_driver(its_driver, installed);
  planner work(where, family);
  take(work.options(), "DSN");
  work.add("DSN", source);
  if (family == driver_family::psqlodbc || family == driver_family::sqlite) {
    work.options()["DSN"] = source;
    plan_family(work, family);
    take(work.options(), "DSN");
  } else {
    work.other();
  }
  return work.finish("data source '" + source + "'");
}

connection_plan plan_mssql(const endpoint& where, const installation& installed) {
  check_options(where.options);
  if (where.host.empty()) refuse("`host` is missing", "name the server");
  option_map options = where.options;
  std::string driver = take(options, "Driver");
  if (driver.empty()) driver = find_sql_server_driver(installed);
  const auto family = family_of_driver(driver, installed);
  planner work(where, family);
  take(work.options(), "Driver");
  work.add("Driver", driver);
  plan_family(work, family == driver_family::microsoft ? family : driver_family::freetds);
  auto out = work.finish("SQL Server at " + place_of(where, 1433));
  out.schema = where.schema;
  return out;
}

}  // namespace polypool::odbc
