// SPDX-License-Identifier: Apache-2.0
#include "drivers/odbc/profile.hpp"

#include "base/words.hpp"
#include "drivers/odbc/unicode.hpp"

#include <algorithm>
#include <array>

namespace polypool::odbc {
namespace {

std::string text_info(SQLHDBC connection, SQLUSMALLINT what) {
  std::array<SQLWCHAR, 256> buffer{};
  SQLSMALLINT bytes = 0;
  if (!succeeded(SQLGetInfoW(connection, what, buffer.data(), sizeof buffer, &bytes))) return {};
  const auto units = std::clamp<std::size_t>(static_cast<std::size_t>(bytes) / sizeof(SQLWCHAR), 0, buffer.size() - 1);
  return to_utf8(std::span(buffer).first(units));
}

brand brand_of(std::string_view database) {
  const std::string name = lower_case(database);
  if (name.contains("postgres")) return brand::postgres;
  if (name.contains("sqlite")) return brand::sqlite;
  if (name.contains("microsoft sql server") || name.contains("sql server")) return brand::mssql;
  return brand::other;
}

}  // namespace

driver_family family_of(std::string_view library) noexcept {
  const std::string name = lower_case(library);
  if (name.contains("psqlodbc")) return driver_family::psqlodbc;
  if (name.contains("sqlite3odbc")) return driver_family::sqlite;
  if (name.contains("tdsodbc")) return driver_family::freetds;
  if (name.contains("msodbcsql")) return driver_family::microsoft;
  return driver_family::other;
}

profile profile_of(SQLHDBC connection) {
  profile out;
  out.family = family_of(text_info(connection, SQL_DRIVER_NAME));
  out.database_name = text_info(connection, SQL_DBMS_NAME);
  out.database = brand_of(out.database_name);
  // FreeTDS speaks to nobody else of those that are known here, whatever the server calls itself.
  if (out.family == driver_family::freetds || out.family == driver_family::microsoft) out.database = brand::mssql;
  out.version = text_info(connection, SQL_DBMS_VER);
  out.read_only = text_info(connection, SQL_DATA_SOURCE_READ_ONLY) == "Y";
  SQLUINTEGER extensions = 0;
  SQLGetInfoW(connection, SQL_GETDATA_EXTENSIONS, &extensions, sizeof extensions, nullptr);
  out.gets_again = (extensions & SQL_GD_BOUND) != 0;
  out.row_arrays = out.gets_again && (extensions & SQL_GD_BLOCK) != 0 && out.family == driver_family::psqlodbc;
  out.honest_sizes = out.family == driver_family::freetds || out.family == driver_family::microsoft;
  out.batches = out.database == brand::mssql;
  return out;
}

sql_dialect profile::dialect() const noexcept {
  sql_dialect out = standard_sql;
  if (database == brand::postgres) out = postgres_dialect;
  if (database == brand::sqlite) out = sqlite_dialect;
  if (database == brand::mssql) out = mssql_dialect;
  out.question_mark_operator = false;  // to ODBC it always is a placeholder
  return out;
}

}  // namespace polypool::odbc
