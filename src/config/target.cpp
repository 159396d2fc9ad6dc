// SPDX-License-Identifier: Apache-2.0
#include "config/target.hpp"

#include "base/host_port.hpp"
#include "config/vocabulary.hpp"

#include <algorithm>

namespace polypool::config {
namespace {

// ODBC's words may come in any case.
std::string option_of(const endpoint& where, std::string_view name) {
  const auto found = std::ranges::find_if(where.options, [&](const auto& each) { return same_word(each.first, name); });
  return found == where.options.end() ? std::string() : found->second;
}

std::string place_of(database_type type, const endpoint& where) {
  if (where.host.empty()) return {};
  const auto port = where.port != 0 ? where.port : default_port(type);
  const bool has_ports = where.host.find(',') != std::string::npos && where.host.find(':') != std::string::npos;
  if (port == 0 || has_ports) return where.host;
  return polypool::host_and_port(where.host, std::to_string(port));
}

}  // namespace

std::string target_of(database_type type, const endpoint& where) {
  if (type == database_type::sqlite) return where.filepath;
  std::string out = place_of(type, where);
  if (out.empty()) out = option_of(where, "dsn");
  if (out.empty()) out = option_of(where, "driver");
  if (!where.database.empty()) out += "/" + where.database;
  return out;
}

}  // namespace polypool::config
