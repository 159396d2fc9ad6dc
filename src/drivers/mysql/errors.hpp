// SPDX-License-Identifier: Apache-2.0
// What MySQL, MariaDB and Connector/C complain about, as polypool::error.
#pragma once

#include "drivers/mysql/native.hpp"

#include <polypool/driver.hpp>
#include <polypool/error.hpp>

#include <string_view>

namespace polypool::mysql {

/// A complaint as the library keeps it; valid until the next call.
struct complaint {
  unsigned int number = 0;  ///< 0: none
  std::string_view sqlstate;
  std::string_view words;

  static complaint of(MYSQL* connection) noexcept;
  static complaint of(MYSQL_STMT* prepared) noexcept;
};

/// The portable code of an error number and SQLSTATE.
errc portable_code(const complaint& what) noexcept;

/// The library's own errors, not the server's: the session is no longer in order.
constexpr bool is_client_error(unsigned int number) noexcept {
  return (number >= 2000 && number < 3000) || (number >= 5000 && number < 6000);
}
/// The server (or this user) takes no connection without TLS.
constexpr bool is_tls_required(int number) noexcept { return number == 3159 || number == 4247; }
constexpr bool is_access_denied(int number) noexcept { return number == 1045; }
/// The server does not know the prepared statement any more, or it has to be prepared anew: it has not run.
constexpr bool is_stale_statement(unsigned int number) noexcept { return number == 1243 || number == 1615; }
/// After such an error the whole transaction may have been rolled back, and only the server knows.
bool may_end_transaction(unsigned int number) noexcept;

/// The server's complaint about a statement.
error server_error(const complaint& what);

/// TLS was asked for, and the server has none.
error no_tls_error(std::string_view place);

/// Why a connection could not be made.
/// @param place such as "127.0.0.1:3306" @param verified the server's certificate was to be verified
error connect_error(MYSQL* connection, std::string_view place, const endpoint& where, bool tls, bool verified);

}  // namespace polypool::mysql
