// SPDX-License-Identifier: Apache-2.0
// What a server is, and how far it is behind.
#include "driver/postgres_words.hpp"
#include "drivers/odbc/connection.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace polypool::odbc {
namespace {

using role = server_info::role_type;

// A row as one text, because that is what ask() gives.
std::string in_one_text(std::string_view question, std::string_view more) {
  return "SELECT CASE WHEN recovering THEN 't' ELSE 'f' END || ' ' || read_only" + std::string(more) + " FROM (" +
         std::string(question) + ") AS state";
}

// Of a database in an availability group. One that has applied all it received is not behind; else the age of the last
// transaction that it applied is what it can tell.
constexpr const char* mssql_replica =
    "SELECT CONCAT('replica ', CASE WHEN s.synchronization_state IN (1, 2) AND s.redo_queue_size = 0 THEN 0 "
    "ELSE CAST(ROUND((CAST(GETDATE() AS float) - CAST(s.last_commit_time AS float)) * 86400000, 0) AS bigint) END) "
    "FROM sys.dm_hadr_database_replica_states AS s WHERE s.is_local = 1 AND s.database_id = DB_ID()";

}  // namespace

server_info connection::describe() {
  close_cursor();
  server_info out;
  switch (profile_.database) {
    case brand::postgres:
      return describe_postgres();
    case brand::mssql:
      return describe_mssql();
    case brand::sqlite:
      out.version = ask("SELECT sqlite_version()");
      out.role = profile_.read_only ? role::read_only : role::primary;
      break;
    case brand::other:
      out.version = profile_.version;
      if (profile_.read_only) out.role = role::read_only;
      break;
  }
  return out;
}

server_info connection::describe_postgres() {
  std::string said;
  if (tells_lag_) {
    try {
      said = ask(in_one_text(postgres::state_question,
                             " || ' ' || coalesce(position::text, '-') || ' ' || coalesce(lag::text, '')"));
    } catch (const error& problem) {
      if (problem.sqlstate() != postgres::undefined_function) throw;
      tells_lag_ = false;  // older than PostgreSQL 10
    }
  }
  if (!tells_lag_) said = ask(in_one_text(postgres::short_state_question, ""));
  std::array<std::string_view, 4> parts;
  std::string_view rest = said;
  for (auto& part : parts) {
    part = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
  }
  if (parts[2] == "-") parts[2] = {};
  auto out = postgres::read_state(parts[0], parts[1], parts[2], parts[3]);
  out.version = ask("SHOW server_version");
  return out;
}

server_info connection::describe_mssql() {
  server_info out;
  out.version = profile_.version;
  const auto said = ask("SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS varchar(20))");
  out.role = said == "READ_ONLY" ? role::read_only : role::primary;
  if (out.role == role::primary || !tells_lag_) return out;
  std::string state;
  try {
    state = ask(mssql_replica);
  } catch (const error&) {
    if (broken_) throw;
    tells_lag_ = false;  // an edition without availability groups, or a user without VIEW SERVER STATE
  }
  constexpr std::string_view replica = "replica ";
  if (!state.starts_with(replica)) return out;
  out.role = role::replica;
  constexpr std::int64_t most = std::chrono::milliseconds(std::chrono::hours(24 * 3650)).count();
  std::int64_t behind = 0;
  const auto text = std::string_view(state).substr(replica.size());
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), behind);
  if (!text.empty() && problem == std::errc() && behind >= 0 && behind < most) {
    out.lag = std::chrono::milliseconds(behind);
  }
  return out;
}

}  // namespace polypool::odbc
