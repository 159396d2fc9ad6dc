// SPDX-License-Identifier: Apache-2.0
// Who is at the other end: which ODBC driver, which database, and what can be relied on.
#pragma once

#include "driver/sql_text.hpp"
#include "drivers/odbc/native.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace polypool::odbc {

/// ODBC drivers whose ways are known.
enum class driver_family : std::uint8_t { psqlodbc, sqlite, freetds, microsoft, other };

/// The family that a library belongs to, by its file name or path.
driver_family family_of(std::string_view library) noexcept;

/// Databases whose words are known.
enum class brand : std::uint8_t { postgres, sqlite, mssql, other };

struct profile {
  driver_family family = driver_family::other;
  brand database = brand::other;
  std::string database_name;  ///< as the driver says it
  std::string version;
  bool read_only = false;
  bool row_arrays = false;    ///< many rows a fetch, also of columns whose size is not known
  bool gets_again = false;    ///< what was bound and cut short can be fetched again
  bool honest_sizes = false;  ///< a column's size is the most that a value has
  bool batches = false;       ///< a text may be several statements

  /// How the database writes literals, names and comments.
  sql_dialect dialect() const noexcept;
};

/// Asks a connection.
profile profile_of(SQLHDBC connection);

}  // namespace polypool::odbc
