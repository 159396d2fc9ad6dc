// SPDX-License-Identifier: Apache-2.0
#include "drivers/mongodb/settings.hpp"

#include "base/utf8.hpp"
#include "drivers/mongodb/check_settings.hpp"

#include <polypool/duration.hpp>

#include <algorithm>
#include <charconv>
#include <limits>

namespace polypool::mongodb {
namespace {

[[noreturn]] void refuse(std::string_view option, std::string_view text, std::string_view allowed) {
  throw error(errc::invalid_configuration, "option " + std::string(option) + " of a MongoDB connection: '" +
                                               excerpt(text) + "' is not allowed; allowed: " + std::string(allowed));
}

// `server_selection_timeout` and `serverSelectionTimeoutMS` are one name.
std::string plain_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c != '_') out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return out;
}

bool read_flag(std::string_view option, std::string_view text) {
  const auto word = plain_name(text);
  if (word == "true" || word == "yes" || word == "on" || word == "1") return true;
  if (word == "false" || word == "no" || word == "off" || word == "0") return false;
  refuse(option, text, "true, false");
}

duration read_time(std::string_view option, std::string_view text) {
  std::int32_t milliseconds = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), milliseconds);
  if (problem == std::errc() && end == text.data() + text.size() && milliseconds >= 0) {
    return std::chrono::milliseconds(milliseconds);
  }
  const auto span = parse_duration(text);
  if (!span || *span < duration::zero()) refuse(option, text, "milliseconds, or a duration such as 10s");
  return *span;
}

std::string escaped(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
  return out;
}

// Collects what goes behind the question mark.
class query {
 public:
  void add(std::string_view name, std::string_view value) {
    text_ += text_.empty() ? "" : "&";
    text_ += std::string(name) + '=' + escaped(value);
  }
  const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

struct reading {
  const endpoint& where;
  settings& out;
  query& words;
  std::string mechanism;
  std::string auth_source = "admin";
  bool srv = false;
};

using option_reader = void (*)(reading&, std::string_view name, const std::string& text);

std::string milliseconds_of(duration span) {
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  return std::to_string(std::min<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(span).count(), most));
}

void read_number(reading& r, std::string_view name, const std::string& text) {
  std::int32_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end != text.data() + text.size() || number < -1) refuse(name, text, "a whole number");
  r.words.add(plain_name(name), text);
}
void read_text(reading& r, std::string_view name, const std::string& text) { r.words.add(plain_name(name), text); }
void read_compressors(reading& r, std::string_view name, const std::string& text) {
  read_text(r, name, text);
  r.out.compresses = !text.empty();
}
void read_boolean(reading& r, std::string_view name, const std::string& text) {
  r.words.add(plain_name(name), read_flag(name, text) ? "true" : "false");
}
void read_milliseconds(reading& r, std::string_view name, const std::string& text) {
  auto word = plain_name(name);
  if (!word.ends_with("ms")) word += "ms";
  r.words.add(word, milliseconds_of(read_time(name, text)));
}
void read_direct(reading& r, std::string_view name, const std::string& text) {
  const bool direct = read_flag(name, text);
  r.words.add("directconnection", direct ? "true" : "false");
  r.out.several_servers = !direct;
}
void read_auth_source(reading& r, std::string_view, const std::string& text) { r.auth_source = text; }
void read_mechanism(reading& r, std::string_view, const std::string& text) { r.mechanism = text; }
void read_replica_set(reading& r, std::string_view, const std::string& text) {
  if (text.empty()) return;
  r.words.add("replicaset", text);
  r.out.several_servers = true;
}
void read_preference_option(reading& r, std::string_view name, const std::string& text) {
  if (text.empty()) return;
  const auto found = parse_read_preference(text);
  if (!found) refuse(name, text, "primary, primaryPreferred, secondary, secondaryPreferred, nearest");
  r.words.add("readpreference", to_string(*found));
}
void read_srv(reading& r, std::string_view name, const std::string& text) { r.srv = read_flag(name, text); }
void read_retry_reads(reading& r, std::string_view name, const std::string& text) {
  r.out.retry_reads = read_flag(name, text);
}
void read_server_selection(reading& r, std::string_view name, const std::string& text) {
  r.out.server_selection = read_time(name, text);
}
void read_socket_timeout(reading& r, std::string_view name, const std::string& text) {
  r.out.socket_timeout = read_time(name, text);
  r.out.socket_timeout_configured = true;
}
void read_ca_file(reading& r, std::string_view, const std::string& text) { r.out.tls.ca_file = text; }
void read_certificate(reading& r, std::string_view, const std::string& text) { r.out.tls.certificate_file = text; }
void read_certificate_password(reading& r, std::string_view, const std::string& text) {
  r.out.tls.certificate_password = secret(text);
}
void read_any_host_name(reading& r, std::string_view name, const std::string& text) {
  if (read_flag(name, text) && r.out.tls.mode == tls_mode::verify_full) r.out.tls.mode = tls_mode::verify_ca;
}
void refuse_pool_option(reading&, std::string_view name, const std::string&) {
  throw error(errc::invalid_configuration,
              "option " + std::string(name) + " of a MongoDB connection: the pool has fields of its own")
      .with_hint("use min_open_conns, max_open_conns, conn_max_idle_time and acquire_timeout");
}

struct option_row {
  std::string_view name;  // as plain_name() gives it; those in milliseconds may do without `ms`
  option_reader read;
};
constexpr option_row rows[] = {
    {"appname", read_text},
    {"authmechanism", read_mechanism},
    {"authmechanismproperties", read_text},
    {"authsource", read_auth_source},
    {"compressors", read_compressors},
    {"directconnection", read_direct},
    {"heartbeatfrequencyms", read_milliseconds},
    {"journal", read_boolean},
    {"loadbalanced", read_boolean},
    {"localthresholdms", read_milliseconds},
    {"maxidletimems", refuse_pool_option},
    {"maxpoolsize", refuse_pool_option},
    {"maxstalenessseconds", read_number},
    {"minpoolsize", refuse_pool_option},
    {"readconcernlevel", read_text},
    {"readpreference", read_preference_option},
    {"readpreferencetags", read_text},
    {"replicaset", read_replica_set},
    {"retryreads", read_retry_reads},
    {"retrywrites", read_boolean},
    {"serverselectiontimeoutms", read_server_selection},
    {"sockettimeoutms", read_socket_timeout},
    {"srv", read_srv},
    {"srvmaxhosts", read_number},
    {"srvservicename", read_text},
    {"sslcertificateauthorityfile", read_ca_file},
    {"sslclientcertificatekeyfile", read_certificate},
    {"tlsallowinvalidhostnames", read_any_host_name},
    {"tlscafile", read_ca_file},
    {"tlscertificatekeyfile", read_certificate},
    {"tlscertificatekeyfilepassword", read_certificate_password},
    {"w", read_text},
    {"waitqueuetimeoutms", refuse_pool_option},
    {"wtimeoutms", read_milliseconds},
    {"zlibcompressionlevel", read_number},
};

void read_option(reading& r, const std::string& name, const std::string& text) {
  const auto word = plain_name(name);
  const auto found =
      std::ranges::find_if(rows, [&](const auto& row) { return row.name == word || row.name == word + "ms"; });
  if (text.contains('\0')) refuse(name, text, "text without NUL characters");
  if (found != std::end(rows)) return found->read(r, name, text);
  throw error(errc::invalid_configuration, "the MongoDB driver knows no option '" + excerpt(name) + "'")
      .with_hint("it knows MongoDB's own URL options, such as auth_source, replica_set, read_preference and app_name");
}

// `a:27017,b:27018`, `::1`, a path of a Unix socket.
std::string hosts_of(const endpoint& where) {
  const std::string all = where.host.empty() ? "localhost" : where.host;
  if (all.contains('\0')) refuse("host", all, "a name, an address, or the path of a Unix socket");
  const auto port = ":" + std::to_string(where.port != 0 ? where.port : 27017);
  if (all.starts_with('/')) return escaped(all);
  std::string out;
  for (std::size_t begin = 0; begin <= all.size();) {
    const auto comma = std::min(all.find(',', begin), all.size());
    const auto one = all.substr(begin, comma - begin);
    begin = comma + 1;
    if (one.empty() || one.find_first_of("/@?#% ") != std::string::npos) refuse("host", all, "names or addresses");
    if (!out.empty()) out += ',';
    const auto colons = std::ranges::count(one, ':');
    const bool bare_ipv6 = colons > 1 && !one.starts_with('[');
    const bool has_port = one.starts_with('[') ? one.contains("]:") : colons == 1;
    out += bare_ipv6 ? "[" + one + "]" : one;
    if (!has_port) out += port;
  }
  return out;
}

std::string address_of(const reading& r) {
  if (!r.srv) return hosts_of(r.where);
  const auto& host = r.where.host;
  if (host.find_first_of("/@?#%,: ") != std::string::npos || std::ranges::count(host, '.') < 2) {
    refuse("host", host, "exactly one name such as cluster.example.com, whose servers are found in DNS");
  }
  return r.where.host;
}

void add_credentials(reading& r) {
  // With these the server asks somebody else, and libmongoc insists on the name.
  const bool external = r.mechanism == "MONGODB-X509" || r.mechanism == "GSSAPI" || r.mechanism == "PLAIN" ||
                        r.mechanism == "MONGODB-AWS";
  if (!r.mechanism.empty()) r.words.add("authmechanism", r.mechanism);
  if (r.where.user.empty() && r.mechanism.empty()) return;
  r.words.add("authsource", external && r.auth_source == "admin" ? "$external" : r.auth_source);
}

void make_uri(reading& r) {
  const auto address = address_of(r);
  std::string text = r.srv ? "mongodb+srv://" : "mongodb://";
  if (!r.where.user.empty()) text += escaped(r.where.user) + '@';
  text += address + '/' + escaped(r.where.database) + '?' + r.words.text();
  bson_error_t problem{};
  r.out.uri.reset(mongoc_uri_new_with_error(text.c_str(), &problem));
  if (!r.out.uri) {
    throw error(errc::invalid_configuration,
                "the settings of a MongoDB connection: " + redact(problem.message, r.where.password));
  }
  if (!r.where.password.empty() && !mongoc_uri_set_password(r.out.uri.get(), r.where.password.reveal().c_str())) {
    throw error(errc::invalid_configuration, "the password of a MongoDB connection is not UTF-8");
  }
  r.out.place = r.where.host.starts_with('/') ? r.where.host : address;
}

}  // namespace

settings read_settings(const endpoint& where) {
  settings out;
  out.database = where.database;
  out.tls.mode = where.tls;
  out.password = where.password;
  out.connect_timeout = where.connect_timeout;
  out.several_servers = where.host.contains(',');
  query words;
  reading r{where, out, words, {}};
  for (const auto& [name, text] : where.options) read_option(r, name, text);
  out.several_servers = out.several_servers || r.srv;
  add_credentials(r);
  const bool named =
      std::ranges::any_of(where.options, [](const auto& each) { return plain_name(each.first) == "appname"; });
  if (!named) words.add("appname", "polypool");
  if (where.connect_timeout > duration::zero()) words.add("connecttimeoutms", milliseconds_of(where.connect_timeout));
  // Waits, retries of reads and TLS are ours: see watch.hpp, session.cpp, channel.hpp.
  words.add("sockettimeoutms", std::to_string(std::numeric_limits<std::int32_t>::max()));
  words.add("socketcheckintervalms", "2000000");  // the pool probes; more would overflow in libmongoc
  words.add("retryreads", "false");
  words.add("tls", "false");
  make_uri(r);
  return out;
}

void check_settings(const endpoint& where) { static_cast<void>(read_settings(where)); }

}  // namespace polypool::mongodb
