// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// Functions over one process-wide manager, for programs that want names and no objects.
#pragma once

#include <polypool/manager.hpp>

#include <concepts>
#include <string>
#include <string_view>
#include <utility>

namespace polypool {

/// The process-wide manager; made empty, with all drivers, on first use.
manager& default_manager();

/// Registers a database with the process-wide manager. The only one becomes `default` by itself.
connection register_database(config::connection configuration);
/// The connection of that name; `default` is the active one. Throws connection_not_found, shutting_down.
connection get_database(std::string_view name = "default");
/// The same, connected: connects on the first call, shared by all who ask at once. A failed attempt is forgotten, so
/// the next call tries again. Throws what connecting throws; during shutdown `Cannot get connection pool during
/// shutdown`.
connection get_connection_pool(std::string_view name = "default");
/// Registers and connects several at once.
connect_report initialize_databases(std::vector<config::connection> configurations);
/// Whether the server answers now.
bool is_pool_healthy(std::string_view name = "default");
/// Drains all, then closes by force ten seconds later. Idempotent. The next registration starts afresh.
void shutdown_all(duration drain_timeout = std::chrono::seconds(30));

/// Runs `work(db)` against a database; its errors say which operation it was.
template <std::invocable<sql_database&> Work>
auto execute_query(Work&& work, std::string operation, std::string_view name = "default") {
  auto db = get_connection_pool(name).sql().with(call().named(std::move(operation)));
  return std::forward<Work>(work)(db);
}

}  // namespace polypool
