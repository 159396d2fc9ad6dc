// SPDX-License-Identifier: Apache-2.0
#include "cli/targets.hpp"

namespace polypool::cli {

std::string target_of(const config::connection& what) {
  const endpoint& where = what.where;
  if (what.type == config::database_type::sqlite) return where.filepath;
  const auto port = where.port != 0 ? where.port : config::default_port(what.type);
  std::string out = where.host.find(':') == std::string::npos ? where.host : "[" + where.host + "]";
  if (port != 0) out += ":" + std::to_string(port);
  if (!where.database.empty()) out += "/" + where.database;
  return out;
}

}  // namespace polypool::cli
