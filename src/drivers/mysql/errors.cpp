// SPDX-License-Identifier: Apache-2.0
#include "drivers/mysql/errors.hpp"

#include "driver/server_link.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace polypool::mysql {
namespace {

struct numbered {
  unsigned int number;
  errc code;
};

// The numbers are fixed in the servers' error lists; those over 1900 differ between MySQL and MariaDB.
constexpr std::array numbers{
    numbered{1022, errc::unique_violation},       // ER_DUP_KEY
    numbered{1062, errc::unique_violation},       // ER_DUP_ENTRY
    numbered{1169, errc::unique_violation},       // ER_DUP_UNIQUE
    numbered{1586, errc::unique_violation},       // ER_DUP_ENTRY_WITH_KEY_NAME
    numbered{1216, errc::foreign_key_violation},  // ER_NO_REFERENCED_ROW
    numbered{1217, errc::foreign_key_violation},  // ER_ROW_IS_REFERENCED
    numbered{1451, errc::foreign_key_violation},  // ER_ROW_IS_REFERENCED_2
    numbered{1452, errc::foreign_key_violation},  // ER_NO_REFERENCED_ROW_2
    numbered{1701, errc::foreign_key_violation},  // ER_TRUNCATE_ILLEGAL_FK
    numbered{1761, errc::foreign_key_violation},  // ER_FOREIGN_DUPLICATE_KEY_WITH_CHILD_INFO
    numbered{1762, errc::foreign_key_violation},  // ER_FOREIGN_DUPLICATE_KEY_WITHOUT_CHILD_INFO
    numbered{1048, errc::not_null_violation},     // ER_BAD_NULL_ERROR
    numbered{1263, errc::not_null_violation},     // ER_WARN_NULL_TO_NOTNULL
    numbered{1364, errc::not_null_violation},     // ER_NO_DEFAULT_FOR_FIELD
    numbered{3819, errc::check_violation},        // MySQL: ER_CHECK_CONSTRAINT_VIOLATED
    numbered{4025, errc::check_violation},        // MariaDB: ER_CONSTRAINT_FAILED
    numbered{1213, errc::deadlock},               // ER_LOCK_DEADLOCK
    numbered{1614, errc::deadlock},               // ER_XA_RBDEADLOCK
    numbered{3058, errc::deadlock},               // ER_USER_LOCK_DEADLOCK
    numbered{1205, errc::lock_timeout},           // ER_LOCK_WAIT_TIMEOUT
    numbered{1613, errc::lock_timeout},           // ER_XA_RBTIMEOUT
    numbered{3572, errc::lock_timeout},           // MySQL: ER_LOCK_NOWAIT
    numbered{1020, errc::serialization_failure},  // ER_CHECKREAD
    numbered{1040, errc::too_many_connections},   // ER_CON_COUNT_ERROR
    numbered{1203, errc::too_many_connections},   // ER_TOO_MANY_USER_CONNECTIONS
    numbered{1226, errc::too_many_connections},   // ER_USER_LIMIT_REACHED
    numbered{1045, errc::authentication_failed},  // ER_ACCESS_DENIED_ERROR
    numbered{1130, errc::authentication_failed},  // ER_HOST_NOT_PRIVILEGED
    numbered{1251, errc::authentication_failed},  // ER_NOT_SUPPORTED_AUTH_MODE
    numbered{1275, errc::authentication_failed},  // ER_SERVER_IS_IN_SECURE_AUTH_MODE
    numbered{1524, errc::authentication_failed},  // ER_PLUGIN_IS_NOT_LOADED
    numbered{1698, errc::authentication_failed},  // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
    numbered{1820, errc::authentication_failed},  // ER_MUST_CHANGE_PASSWORD
    numbered{1862, errc::authentication_failed},  // ER_MUST_CHANGE_PASSWORD_LOGIN
    numbered{3118, errc::authentication_failed},  // MySQL: ER_ACCOUNT_HAS_BEEN_LOCKED
    numbered{4151, errc::authentication_failed},  // MariaDB: ER_ACCOUNT_HAS_BEEN_LOCKED
    numbered{1044, errc::permission_denied},      // ER_DBACCESS_DENIED_ERROR
    numbered{1142, errc::permission_denied},      // ER_TABLEACCESS_DENIED_ERROR
    numbered{1143, errc::permission_denied},      // ER_COLUMNACCESS_DENIED_ERROR
    numbered{1227, errc::permission_denied},      // ER_SPECIFIC_ACCESS_DENIED_ERROR
    numbered{1370, errc::permission_denied},      // ER_PROCACCESS_DENIED_ERROR
    numbered{1410, errc::permission_denied},      // ER_CANT_CREATE_USER_WITH_GRANT
    numbered{1419, errc::permission_denied},      // ER_BINLOG_CREATE_ROUTINE_NEED_SUPER
    numbered{1036, errc::read_only},              // ER_OPEN_AS_READONLY
    numbered{1792, errc::read_only},              // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
    numbered{1836, errc::read_only},              // ER_READ_ONLY_MODE
    numbered{1874, errc::read_only},              // ER_INNODB_READ_ONLY
    numbered{1064, errc::syntax_error},           // ER_PARSE_ERROR
    numbered{1149, errc::syntax_error},           // ER_SYNTAX_ERROR
    numbered{1008, errc::undefined_object},       // ER_DB_DROP_EXISTS
    numbered{1049, errc::undefined_object},       // ER_BAD_DB_ERROR
    numbered{1051, errc::undefined_object},       // ER_BAD_TABLE_ERROR
    numbered{1054, errc::undefined_object},       // ER_BAD_FIELD_ERROR
    numbered{1072, errc::undefined_object},       // ER_KEY_COLUMN_DOES_NOT_EXITS
    numbered{1091, errc::undefined_object},       // ER_CANT_DROP_FIELD_OR_KEY
    numbered{1109, errc::undefined_object},       // ER_UNKNOWN_TABLE
    numbered{1128, errc::undefined_object},       // ER_FUNCTION_NOT_DEFINED
    numbered{1146, errc::undefined_object},       // ER_NO_SUCH_TABLE
    numbered{1176, errc::undefined_object},       // ER_KEY_DOES_NOT_EXITS
    numbered{1193, errc::undefined_object},       // ER_UNKNOWN_SYSTEM_VARIABLE
    numbered{1243, errc::undefined_object},       // ER_UNKNOWN_STMT_HANDLER
    numbered{1305, errc::undefined_object},       // ER_SP_DOES_NOT_EXIST
    numbered{1327, errc::undefined_object},       // ER_SP_UNDECLARED_VAR
    numbered{1360, errc::undefined_object},       // ER_TRG_DOES_NOT_EXIST
    numbered{1630, errc::undefined_object},       // ER_FUNC_INEXISTENT_NAME_COLLISION
    numbered{1046, errc::invalid_argument},       // ER_NO_DB_ERROR
    numbered{1138, errc::invalid_value},          // ER_INVALID_USE_OF_NULL
    numbered{1265, errc::invalid_value},          // WARN_DATA_TRUNCATED
    numbered{1366, errc::invalid_value},          // ER_TRUNCATED_WRONG_VALUE_FOR_FIELD
    numbered{1411, errc::invalid_value},          // ER_WRONG_VALUE_FOR_TYPE
    numbered{1525, errc::invalid_value},          // ER_WRONG_VALUE
    numbered{3140, errc::invalid_value},          // MySQL: ER_INVALID_JSON_TEXT
    numbered{1021, errc::disk_full},              // ER_DISK_FULL
    numbered{1114, errc::disk_full},              // ER_RECORD_FILE_FULL
    numbered{1317, errc::cancelled},              // ER_QUERY_INTERRUPTED: KILL QUERY from elsewhere
    numbered{1969, errc::deadline_exceeded},      // MariaDB: ER_STATEMENT_TIMEOUT
    numbered{3024, errc::deadline_exceeded},      // MySQL: ER_QUERY_TIMEOUT
    numbered{1053, errc::connection_lost},        // ER_SERVER_SHUTDOWN
    numbered{1080, errc::connection_lost},        // ER_FORCING_CLOSE
    numbered{1152, errc::connection_lost},        // ER_ABORTING_CONNECTION
    numbered{1153, errc::invalid_value},          // ER_NET_PACKET_TOO_LARGE
    numbered{1158, errc::connection_lost},        // ER_NET_READ_ERROR
    numbered{1159, errc::connection_lost},        // ER_NET_READ_INTERRUPTED
    numbered{1160, errc::connection_lost},        // ER_NET_ERROR_ON_WRITE
    numbered{1161, errc::connection_lost},        // ER_NET_WRITE_INTERRUPTED
    numbered{1184, errc::connection_lost},        // ER_NEW_ABORTING_CONNECTION
    numbered{1927, errc::connection_lost},        // MariaDB: ER_CONNECTION_KILLED
    numbered{3169, errc::connection_lost},        // MySQL: ER_SESSION_WAS_KILLED
    numbered{4031, errc::connection_lost},        // MySQL: ER_CLIENT_INTERACTION_TIMEOUT
};

struct classed {
  std::string_view sqlstate;
  errc code;
};
constexpr std::array classes{
    classed{"40001", errc::serialization_failure}, classed{"42S02", errc::undefined_object},
    classed{"42S22", errc::undefined_object},      classed{"22", errc::invalid_value},
    classed{"23", errc::constraint_violation},     classed{"28", errc::authentication_failed},
    classed{"08", errc::connection_lost},
};

bool is_read_only_option(std::string_view words) {
  return words.contains("--read-only") || words.contains("--read_only") || words.contains("super-read-only") ||
         words.contains("innodb_read_only") || words.contains("innodb-read-only");
}

std::string_view hint_for(const complaint& what) {
  switch (what.number) {
    case 1046:
      return "configure `database`, or write the database before the table";
    case 1153:
      return "send less at once, or raise the server's max_allowed_packet";
    case 1205:
      return "somebody else holds the lock; see the server's innodb_lock_wait_timeout";
    case 1213:
      return "run the whole transaction again";
    case 1461:
      return "lower statement_cache, or raise the server's max_prepared_stmt_count";
    default:
      return {};
  }
}

struct connect_verdict {
  errc code;
  disposition what_now;
  std::string_view hint;
};

connect_verdict judge_server(const complaint& what, bool tls) {
  using enum disposition;
  switch (what.number) {
    case 1040:
      return {errc::too_many_connections, retryable, "lower the pools' limits or raise the server's max_connections"};
    case 1203:
    case 1226:
      return {errc::too_many_connections, retryable,
              "lower the pools' limits or raise this user's limits on the server"};
    case 1044:
      return {errc::permission_denied, permanent, "grant the user rights on the database"};
    case 1049:
      return {errc::connect_failed, permanent, "create the database or correct its name"};
    case 1129:
      return {errc::connect_failed, permanent, "the server blocks this host: run FLUSH HOSTS there"};
    case 1130:
      return {errc::authentication_failed, permanent, "create the user for this host"};
    case 1820:
    case 1862:
      return {errc::authentication_failed, permanent, "the password has expired: set a new one"};
    default:
      break;
  }
  if (is_tls_required(static_cast<int>(what.number))) {
    return {errc::connect_failed, permanent, "set sslmode to require or higher"};
  }
  const auto code = portable_code(what);
  if (code == errc::authentication_failed) {
    return {code, permanent,
            tls ? "check user and password, and from where the user may log in"
                : "check user and password, from where the user may log in, and whether that takes TLS (sslmode)"};
  }
  if (code == errc::syntax_error || code == errc::undefined_object || code == errc::invalid_value) {
    return {errc::connect_failed, permanent, {}};  // a session's settings
  }
  return {errc::connect_failed, retryable_elsewhere, {}};
}

connect_verdict judge_library(const complaint& what, bool verified) {
  using enum disposition;
  switch (what.number) {
    case CR_SSL_CONNECTION_ERROR:
      if (!verified) return {errc::connect_failed, retryable_elsewhere, {}};
      if (what.words.contains("ertificate")) {
        return {errc::connect_failed, permanent, "check sslrootcert and the host's name"};
      }
      return {errc::connect_failed, retryable_elsewhere, "check sslrootcert, sslcert and sslkey"};
    case CR_UNKNOWN_HOST:
      return {errc::connect_failed, retryable_elsewhere, "check `host`"};
    case CR_AUTH_PLUGIN_CANNOT_LOAD:
    case CR_AUTH_PLUGIN_ERR:
    case CR_PLUGIN_NOT_ALLOWED:
      return {errc::authentication_failed, permanent,
              "give the user another way to log in, use TLS (sslmode=require), or set allow_cleartext_passwords"};
    case CR_CONNECTION_ERROR:
    case CR_CONN_HOST_ERROR:
      if (what.words.contains("(111)") || what.words.contains("(2)")) {
        return {errc::connect_failed, retryable_elsewhere, "is the server running, and listening there?"};
      }
      return {errc::connect_failed, retryable_elsewhere, {}};
    default:
      return {errc::connect_failed, retryable_elsewhere, {}};
  }
}

}  // namespace

complaint complaint::of(MYSQL* connection) noexcept {
  return {mysql_errno(connection), mysql_sqlstate(connection), mysql_error(connection)};
}
complaint complaint::of(MYSQL_STMT* prepared) noexcept {
  return {mysql_stmt_errno(prepared), mysql_stmt_sqlstate(prepared), mysql_stmt_error(prepared)};
}

errc portable_code(const complaint& what) noexcept {
  if (what.number == 1290) return is_read_only_option(what.words) ? errc::read_only : errc::permission_denied;
  const auto found = std::ranges::find(numbers, what.number, &numbered::number);
  if (found != numbers.end()) return found->code;
  for (const auto& candidate : classes) {
    if (what.sqlstate.starts_with(candidate.sqlstate)) return candidate.code;
  }
  return errc::database_error;
}

bool may_end_transaction(unsigned int number) noexcept {
  constexpr std::array some{1020U, 1047U, 1180U, 1205U, 1206U, 1213U, 1317U, 1613U, 1614U, 1615U, 1969U, 3024U};
  return std::ranges::find(some, number) != some.end();
}

error server_error(const complaint& what) {
  error problem(portable_code(what), one_line(what.words));
  problem.with_sqlstate(what.sqlstate).with_server_message(what.words).with_native_code(static_cast<int>(what.number));
  problem.with_hint(hint_for(what));
  const auto code = problem.portable_code();
  if (code == errc::deadline_exceeded) problem.with_disposition(disposition::retryable);  // the server undid it
  // A transaction that may not write says nothing of the server; the other numbers do.
  const bool read_only_server = code == errc::read_only && what.number != 1792 && what.number != 1036;
  if (read_only_server || code == errc::connection_lost || what.number == 1153) problem.with_poisoned_session();
  return problem;
}

// What the library says of these misleads.
std::string library_words(const complaint& what, bool verified) {
  if (what.number == CR_PLUGIN_NOT_ALLOWED) {
    return "the server wants the password in a way that is not allowed over this connection";
  }
  if (what.number == CR_SSL_CONNECTION_ERROR && !verified) return "the TLS handshake broke off";
  return one_line(what.words);
}

error no_tls_error(std::string_view place) {
  error problem(errc::connect_failed, "cannot connect to MySQL at " + std::string(place) + ": it does not support TLS");
  problem.with_disposition(disposition::permanent).with_native_code(CR_SSL_CONNECTION_ERROR);
  problem.with_hint("switch TLS on at the server, or set sslmode to prefer or disable");
  return problem;
}

error connect_error(MYSQL* connection, std::string_view place, const endpoint& where, bool tls, bool verified) {
  const auto what = complaint::of(connection);
  const std::string words = redact(library_words(what, verified), where.password);
  const bool from_server = !is_client_error(what.number);
  const auto verdict = from_server ? judge_server(what, tls) : judge_library(what, verified);
  error problem(verdict.code, "cannot connect to MySQL at " + std::string(place) + ": " + words);
  problem.with_disposition(verdict.what_now).with_hint(verdict.hint).with_native_code(static_cast<int>(what.number));
  if (from_server) problem.with_sqlstate(what.sqlstate).with_server_message(words);
  return problem;
}

}  // namespace polypool::mysql
