// SPDX-License-Identifier: Apache-2.0
// What PostgreSQL and libpq complain about, as polypool::error.
#pragma once

#include "drivers/postgres/native.hpp"

#include <polypool/error.hpp>
#include <polypool/secret.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace polypool::postgres {

/// A field of an error report, such as PG_DIAG_SQLSTATE; empty when it is not there.
std::string_view diagnostic(const PGresult* answer, int field) noexcept;

/// The server's complaint about a statement with so many parameters.
error server_error(const PGresult* answer, std::size_t parameters);

/// The plan of a prepared statement is no longer valid, or the statement is gone: preparing it again helps.
bool is_stale_statement(const PGresult* answer) noexcept;

/// Why a connection could not be made.
/// @param text libpq's message, with verbosity PQERRORS_VERBOSE @param place such as "127.0.0.1:5432"
error connect_error(std::string_view text, std::string_view place, const secret& password, bool password_missing);

}  // namespace polypool::postgres
