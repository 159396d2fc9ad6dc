// SPDX-License-Identifier: Apache-2.0
// An endpoint in libpq's words.
#include "base/host_port.hpp"
#include "driver/postgres_words.hpp"
#include "drivers/postgres/connect.hpp"

#include <polypool/error.hpp>

#include <algorithm>
#include <set>
#include <string_view>

namespace polypool::postgres {
namespace {

std::string_view sslmode(tls_mode mode) {
  switch (mode) {
    case tls_mode::disable:
      return "disable";
    case tls_mode::allow:
      return "allow";
    case tls_mode::prefer:
      return "prefer";
    case tls_mode::require:
      return "require";
    case tls_mode::verify_ca:
      return "verify-ca";
    case tls_mode::verify_full:
      return "verify-full";
  }
  return "disable";
}

const std::set<std::string, std::less<>>& known_keywords() {
  static const std::set<std::string, std::less<>> words = [] {
    std::set<std::string, std::less<>> out;
    const options_ptr all(PQconninfoParse("", nullptr));
    for (const auto* option = all.get(); option != nullptr && option->keyword != nullptr; ++option) {
      out.insert(option->keyword);
    }
    return out;
  }();
  return words;
}

[[noreturn]] void refuse(const std::string& key, const std::string& why) {
  throw error(errc::invalid_configuration, "option '" + key + "' of a PostgreSQL connection " + why);
}

void check_option(const std::string& key, const std::string& value) {
  static constexpr std::string_view own_fields[] = {"host", "hostaddr", "port", "user", "password", "dbname"};
  if (std::ranges::find(own_fields, key) != std::end(own_fields)) refuse(key, "has a field of its own");
  if (key == "client_encoding" && value != "UTF8" && value != "utf8" && value != "UTF-8" && value != "utf-8") {
    refuse(key, "can only be UTF8");
  }
  if (key == "replication") refuse(key, "is not supported: sessions run statements");
  if (!known_keywords().contains(key)) refuse(key, "is not one that libpq knows");
}

}  // namespace

std::string place_of(const endpoint& where) {
  const std::string port = std::to_string(where.port != 0 ? where.port : 5432);
  if (where.host.starts_with('/')) return where.host + "/.s.PGSQL." + port;
  return host_and_port(where.host.empty() ? "localhost" : where.host, port);
}

connect_settings settings_for(const endpoint& where) {
  std::map<std::string, std::string> all{
      {"host", where.host.empty() ? "localhost" : where.host},
      {"port", std::to_string(where.port != 0 ? where.port : 5432)},
      {"sslmode", std::string(sslmode(where.tls))},
      {"gssencmode", "disable"},
      {"application_name", "polypool"},
      // A dead peer shows within a minute, also to PQcancel, which takes these settings over.
      {"keepalives", "1"},
      {"keepalives_idle", "30"},
      {"keepalives_interval", "10"},
      {"keepalives_count", "3"},
      {"tcp_user_timeout", "30000"},
  };
  if (!where.user.empty()) all["user"] = where.user;
  if (!where.database.empty()) all["dbname"] = where.database;
  for (const auto& [key, value] : where.options) {
    check_option(key, value);
    all[key] = value;
  }
  all["client_encoding"] = "UTF8";
  std::string options = startup_options(where);
  if (const auto own = where.options.find("options"); own != where.options.end()) {
    if (!options.empty()) options += ' ';
    options += own->second;
  }
  if (!options.empty()) all["options"] = options;
  return {all.begin(), all.end()};
}

}  // namespace polypool::postgres
