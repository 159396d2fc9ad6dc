// SPDX-License-Identifier: Apache-2.0
// What ODBC drivers complain about, as polypool::error.
#pragma once

#include "drivers/odbc/native.hpp"
#include "drivers/odbc/profile.hpp"

#include <polypool/error.hpp>
#include <polypool/secret.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::odbc {

/// One complaint.
struct diagnostic {
  std::string sqlstate;
  int native = 0;
  std::string text;
};

/// All complaints about the last call on a handle.
std::vector<diagnostic> read_diagnostics(SQLSMALLINT kind, SQLHANDLE handle);

/// The words of a driver without what only says where they come from: `[FreeTDS][SQL Server]`, `ERROR: ` …
std::string plain_words(std::string_view text, driver_family family);

/// What a statement failed with.
error statement_error(std::span<const diagnostic> found, const profile& with);

/// Why a connection could not be made.
/// @param place such as "127.0.0.1:5432"
error connect_error(std::span<const diagnostic> found, driver_family family, std::string_view place,
                    const secret& password);

/// The name of a prepared statement of the server that has to go before another one can have it; else empty.
std::string plan_to_forget(const error& problem);

/// True when the complaint is that a prepared statement is out of date: preparing it again helps.
bool is_stale_statement(const error& problem, const profile& with) noexcept;

}  // namespace polypool::odbc
