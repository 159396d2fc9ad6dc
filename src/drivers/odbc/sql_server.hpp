// SPDX-License-Identifier: Apache-2.0
// What SQL Server's error numbers mean.
#pragma once

#include <polypool/error.hpp>

#include <string_view>

namespace polypool::odbc {

/// The portable code of an error number (`sys.messages`); database_error when it says nothing.
errc code_of_sql_server(int number, std::string_view words) noexcept;

/// True for errors that end the whole transaction on the server.
bool ends_transaction(int number) noexcept;

/// True for errors that come before or while a session is made, and go away by themselves.
bool is_transient(int number) noexcept;

}  // namespace polypool::odbc
