// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup drivers
/// The ODBC drivers: any database with an ODBC driver, and Microsoft SQL Server. Native handle: `SQLHDBC`.
#pragma once

#include <polypool/driver.hpp>

#include <memory>

namespace polypool::odbc {

/// The driver for `type: odbc`.
std::shared_ptr<driver> make_driver();

/// The driver for `type: mssql`.
std::shared_ptr<driver> make_mssql_driver();

/// True when every session of an ODBC connection has a database of its own (SQLite's `:memory:`).
bool owns_data(const endpoint& where) noexcept;

}  // namespace polypool::odbc
