// SPDX-License-Identifier: Apache-2.0
#include "drivers/mysql/settings.hpp"

#include "base/host_port.hpp"
#include "drivers/mysql/check_settings.hpp"

#include <polypool/error.hpp>

#include <algorithm>
#include <array>
#include <new>
#include <openssl/x509.h>
#include <utility>

namespace polypool::mysql {
namespace {

// TLS handshakes and plugins that are loaded need more than the library's default of 60 kB. Untouched pages cost
// nothing.
constexpr std::size_t coroutine_stack = 256 * 1024;

// What may log in: nothing that hands a password over as it is, or in the broken form of MySQL 4.0.
constexpr const char* careful_plugins =
    "mysql_native_password,client_ed25519,caching_sha2_password,sha256_password,parsec,auth_gssapi_client";
constexpr const char* all_plugins =
    "mysql_native_password,client_ed25519,caching_sha2_password,sha256_password,parsec,auth_gssapi_client,"
    "mysql_clear_password,dialog";

[[noreturn]] void refuse(std::string_view key, std::string_view why) {
  throw error(errc::invalid_configuration,
              "option '" + std::string(key) + "' of a MySQL connection " + std::string(why));
}

bool read_flag(std::string_view key, std::string_view value) {
  for (const std::string_view yes : {"1", "true", "yes", "on"}) {
    if (value == yes) return true;
  }
  for (const std::string_view no : {"0", "false", "no", "off"}) {
    if (value == no) return false;
  }
  refuse(key, "has to be true or false");
}

// `ssl-ca`, `sslCa` and `SSL_CA` are one option.
std::string simple_name(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (c == '-' || c == '_') continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c;
  }
  return out;
}

using text_field = std::string settings::*;
struct text_option {
  std::string_view name;
  text_field field;
};
constexpr std::array text_options{
    text_option{"sslrootcert", &settings::tls_ca},
    text_option{"sslca", &settings::tls_ca},
    text_option{"sslcapath", &settings::tls_ca_folder},
    text_option{"sslcert", &settings::tls_cert},
    text_option{"sslkey", &settings::tls_key},
    text_option{"sslpassword", &settings::tls_key_password},
    text_option{"sslcrl", &settings::tls_crl},
    text_option{"sslcipher", &settings::tls_ciphers},
    text_option{"tlsversion", &settings::tls_version},
    text_option{"applicationname", &settings::application_name},
    text_option{"timezone", &settings::time_zone},
    text_option{"sqlmode", &settings::sql_mode},
    text_option{"defaultauth", &settings::default_auth},
    text_option{"plugindir", &settings::plugin_folder},
    text_option{"serverpublickey", &settings::server_public_key},
};

using flag_field = bool settings::*;
struct flag_option {
  std::string_view name;
  flag_field field;
};
constexpr std::array flag_options{
    flag_option{"compress", &settings::compress},
    flag_option{"foundrows", &settings::found_rows},
    flag_option{"allowcleartextpasswords", &settings::cleartext},
};

void read_option(settings& out, const std::string& key, const std::string& value) {
  const std::string name = simple_name(key);
  for (const auto& each : text_options) {
    if (each.name != name) continue;
    if (value.contains('\0')) refuse(key, "has a NUL character");
    out.*each.field = value;
    return;
  }
  for (const auto& each : flag_options) {
    if (each.name == name) {
      out.*each.field = read_flag(key, value);
      return;
    }
  }
  if (name == "charset" || name == "characterset") {
    if (const auto set = simple_name(value); set != "utf8mb4" && set != "utf8") refuse(key, "can only be utf8mb4");
    return;
  }
  refuse(key, "is not one that the driver knows");
}

void check(int refused, std::string_view what) {
  if (refused != 0) refuse(what, "is refused by the library");
}

const char* or_null(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

void apply_tls(const settings& how, MYSQL* connection) {
  const my_bool on = 1;
  check(mysql_options(connection, MYSQL_OPT_SSL_ENFORCE, &on), "sslmode");
  if (verifies(how)) {
    // Without a name: the authorities that the system trusts.
    const bool named = !how.tls_ca.empty() || !how.tls_ca_folder.empty();
    mysql_options(connection, MYSQL_OPT_SSL_CA, or_null(how.tls_ca));
    mysql_options(connection, MYSQL_OPT_SSL_CAPATH, named ? or_null(how.tls_ca_folder) : ::X509_get_default_cert_dir());
    if (!how.tls_crl.empty()) mysql_options(connection, MYSQL_OPT_SSL_CRL, how.tls_crl.c_str());
  }
  const my_bool whole = how.tls == tls_mode::verify_full;
  check(mysql_options(connection, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &whole), "sslmode");
  mysql_options(connection, MYSQL_OPT_SSL_CERT, or_null(how.tls_cert));
  mysql_options(connection, MYSQL_OPT_SSL_KEY, or_null(how.tls_key));
  if (!how.tls_key_password.empty()) {
    mysql_options(connection, MARIADB_OPT_TLS_PASSPHRASE, how.tls_key_password.c_str());
  }
  if (!how.tls_ciphers.empty()) mysql_options(connection, MYSQL_OPT_SSL_CIPHER, how.tls_ciphers.c_str());
  if (!how.tls_version.empty()) mysql_options(connection, MARIADB_OPT_TLS_VERSION, how.tls_version.c_str());
}

// As a literal of SQL, whatever the server's sql_mode: quotes are doubled, and backslashes are refused.
std::string literal(std::string_view key, std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\\') refuse(key, "has a backslash");
    if (c == '\'') out += c;
    out += c;
  }
  return out + "'";
}

}  // namespace

settings read_settings(const endpoint& where) {
  settings out;
  for (const auto& [key, value] : where.options) read_option(out, key, value);
  if (where.host.starts_with('/')) {
    out.unix_socket = where.host;
  } else {
    out.host = where.host.empty() ? "localhost" : where.host;
    out.tls = where.tls;
  }
  if (where.port != 0) out.port = where.port;
  session_statement(out);  // refuses what cannot be written
  return out;
}

bool verifies(const settings& how) noexcept {
  return how.tls >= tls_mode::verify_ca || (how.tls == tls_mode::require && !how.tls_ca.empty());
}

std::string place_of(const endpoint& where) {
  if (where.host.starts_with('/')) return where.host;
  const auto port = std::to_string(where.port != 0 ? where.port : 3306);
  return host_and_port(where.host.empty() ? "localhost" : where.host, port);
}

void apply(const settings& how, bool with_tls, MYSQL* connection) {
  std::size_t stack = coroutine_stack;
  if (mysql_options(connection, MYSQL_OPT_NONBLOCK, &stack) != 0) throw std::bad_alloc();
  const unsigned int protocol = how.unix_socket.empty() ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET;
  mysql_options(connection, MYSQL_OPT_PROTOCOL, &protocol);
  mysql_options(connection, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  const unsigned int no_files = 0;
  mysql_options(connection, MYSQL_OPT_LOCAL_INFILE, &no_files);
  mysql_options(connection, MYSQL_OPT_CONNECT_ATTR_RESET, nullptr);
  mysql_options4(connection, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", how.application_name.c_str());
  const bool anything = how.cleartext || how.tls >= tls_mode::require || !how.unix_socket.empty();
  mysql_optionsv(connection, MARIADB_OPT_RESTRICTED_AUTH, anything ? all_plugins : careful_plugins);
  if (how.compress) mysql_options(connection, MYSQL_OPT_COMPRESS, nullptr);
  if (!how.default_auth.empty()) mysql_options(connection, MYSQL_DEFAULT_AUTH, how.default_auth.c_str());
  if (!how.plugin_folder.empty()) mysql_options(connection, MYSQL_PLUGIN_DIR, how.plugin_folder.c_str());
  if (!how.server_public_key.empty()) {
    mysql_options(connection, MYSQL_SERVER_PUBLIC_KEY, how.server_public_key.c_str());
  }
  if (with_tls) apply_tls(how, connection);
}

std::string session_statement(const settings& how) {
  // The server gives up on a client that does not read on for net_write_timeout; a stream may take its time.
  std::string out = "SET NAMES utf8mb4, autocommit = 1, net_write_timeout = 600";
  if (!how.time_zone.empty()) out += ", time_zone = " + literal("time_zone", how.time_zone);
  if (!how.sql_mode.empty()) out += ", sql_mode = " + literal("sql_mode", how.sql_mode);
  return out;
}

void check_settings(const endpoint& where) { static_cast<void>(read_settings(where)); }

}  // namespace polypool::mysql
