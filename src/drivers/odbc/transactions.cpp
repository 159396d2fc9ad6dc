// SPDX-License-Identifier: Apache-2.0
// How transactions begin.
#include "drivers/odbc/connection.hpp"
#include "drivers/odbc/diagnostics.hpp"

#include <polypool/error.hpp>

namespace polypool::odbc {
namespace {

std::string_view level_words(isolation level) {
  switch (level) {
    case isolation::server_default:
      break;
    case isolation::read_uncommitted:
      return "READ UNCOMMITTED";
    case isolation::read_committed:
      return "READ COMMITTED";
    case isolation::repeatable_read:
      return "REPEATABLE READ";
    case isolation::serializable:
      return "SERIALIZABLE";
  }
  return {};
}

std::size_t level_attribute(isolation level) {
  switch (level) {
    case isolation::server_default:
      break;
    case isolation::read_uncommitted:
      return SQL_TXN_READ_UNCOMMITTED;
    case isolation::read_committed:
      return SQL_TXN_READ_COMMITTED;
    case isolation::repeatable_read:
      return SQL_TXN_REPEATABLE_READ;
    case isolation::serializable:
      return SQL_TXN_SERIALIZABLE;
  }
  return 0;
}

}  // namespace

std::string begin_words(brand database, const transaction_options& options) {
  const std::string level(level_words(options.isolation));
  switch (database) {
    case brand::postgres: {
      std::string out = level.empty() ? "BEGIN" : "BEGIN ISOLATION LEVEL " + level;
      if (options.read_only) out += " READ ONLY";
      return out;
    }
    case brand::mssql:
      return "BEGIN TRANSACTION";
    case brand::sqlite:
      return options.read_only ? "BEGIN DEFERRED" : "BEGIN IMMEDIATE";
    case brand::other:
      break;
  }
  return "BEGIN";
}

// SQL Server has no level for one transaction alone: the session's is set, and taken back when the session is cleaned.
void connection::begin_transaction(const transaction_options& options) {
  const std::string words = begin_words(profile_.database, options);
  close_cursor();
  if (options.isolation != isolation::server_default && transaction_ == state::none) {
    if (profile_.database == brand::mssql) {
      plain("SET TRANSACTION ISOLATION LEVEL " + std::string(level_words(options.isolation)));
      level_changed_ = true;
    } else if (profile_.database == brand::other) {
      const auto code = SQLSetConnectAttr(handle_, SQL_ATTR_TXN_ISOLATION,
                                          as_pointer(level_attribute(options.isolation)), SQL_IS_UINTEGER);
      if (!succeeded(code)) throw statement_error(read_diagnostics(SQL_HANDLE_DBC, handle_), profile_);
      reopen_ = true;
    }
  }
  execute(statement(words));
}

}  // namespace polypool::odbc
