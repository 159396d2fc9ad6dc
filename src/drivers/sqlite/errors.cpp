// SPDX-License-Identifier: Apache-2.0
#include "drivers/sqlite/errors.hpp"

#include "base/utf8.hpp"
#include "driver/sqlite_words.hpp"

#include <sqlite3.h>

#include <array>

namespace polypool::sqlite {
namespace {

struct meaning {
  errc code;
  std::string_view hint = {};
  bool poisons = false;
};

constexpr std::string_view locked_hint =
    "another session or process holds a lock on the file, probably in a long transaction; end it, shorten it, or wait "
    "longer (option busy_timeout)";
constexpr std::string_view own_lock_hint =
    "a statement of the same session still reads this table; read its cursor to the end or finish it first";

meaning of_constraint(int code) {
  switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
      return {errc::unique_violation};
    case SQLITE_CONSTRAINT_FOREIGNKEY:
      return {errc::foreign_key_violation};
    case SQLITE_CONSTRAINT_NOTNULL:
      return {errc::not_null_violation};
    case SQLITE_CONSTRAINT_CHECK:
      return {errc::check_violation};
    case SQLITE_CONSTRAINT_DATATYPE:
      return {errc::invalid_value, "the table is STRICT: the value's type must be the column's"};
    default:
      return {errc::constraint_violation};
  }
}

meaning of_read_only(int code) {
  switch (code) {
    case SQLITE_READONLY_DBMOVED:
      return {errc::read_only, "the database file was moved or deleted while it was open", true};
    case SQLITE_READONLY_DIRECTORY:
      return {errc::read_only, "the folder of the database file is not writable, and SQLite needs its journal there"};
    case SQLITE_READONLY_CANTINIT:
    case SQLITE_READONLY_CANTLOCK:
    case SQLITE_READONLY_RECOVERY:
      return {errc::read_only, "the write-ahead log cannot be used with read permission only; open it writable once"};
    default:
      return {errc::read_only, "the database was opened with mode=ro, or the file or its folder is not writable"};
  }
}

meaning of_code(int code, std::string_view message) {
  switch (code & 0xFF) {
    case SQLITE_CONSTRAINT:
      return of_constraint(code);
    case SQLITE_READONLY:
      return of_read_only(code);
    case SQLITE_BUSY:
      if (code == SQLITE_BUSY_SNAPSHOT) {
        return {errc::serialization_failure,
                "another session wrote since this transaction began to read; roll back and run it again, begun with "
                "BEGIN IMMEDIATE"};
      }
      return {errc::lock_timeout, locked_hint};
    case SQLITE_LOCKED:
      return {errc::lock_timeout, own_lock_hint};
    case SQLITE_FULL:
      return {errc::disk_full, "free space on the file system, or raise PRAGMA max_page_count"};
    case SQLITE_IOERR:
      return {errc::database_error, "reading or writing the file failed; look at the disk and its file system", true};
    case SQLITE_CORRUPT:
      return {errc::database_error, "the file is damaged; check it with PRAGMA integrity_check, restore a backup"};
    case SQLITE_NOTADB:
      return {errc::connect_failed, "the file is not an SQLite database, or it is encrypted; check filepath", true};
    case SQLITE_CANTOPEN:
      return {errc::connect_failed, "check that the file and its folder exist and that this user may use them"};
    case SQLITE_AUTH:
    case SQLITE_PERM:
      return {errc::permission_denied};
    case SQLITE_TOOBIG:
      return {errc::invalid_value, "SQLite keeps values of up to 1,000,000,000 bytes"};
    case SQLITE_MISMATCH:
      return {errc::invalid_value};
    case SQLITE_ABORT:
      return {errc::transaction_aborted, "the transaction was rolled back while this statement still ran"};
    case SQLITE_INTERRUPT:
      return {errc::cancelled};
    case SQLITE_RANGE:
      return {errc::parameter_count};
    case SQLITE_MISUSE:
      return {errc::internal_error, {}, true};
    case SQLITE_ERROR:
      return {code_of_message(message)};  // says what it means only in words
    default:
      return {errc::database_error};
  }
}

}  // namespace

error make_error(int code, std::string_view message) {
  const auto what = of_code(code, message);
  error problem(what.code, message);
  problem.with_native_code(code).with_server_message(message).with_poisoned_session(what.poisons);
  if (!what.hint.empty()) problem.with_hint(what.hint);
  // There is no other server behind a file, and a lock of one's own does not go away by waiting.
  if (what.code == errc::read_only || (code & 0xFF) == SQLITE_LOCKED) problem.with_disposition(disposition::permanent);
  return problem;
}

error last_error(sqlite3* db, int code) {
  const std::string message = db ? sqlite3_errmsg(db) : sqlite3_errstr(code);
  const int offset = db && (code & 0xFF) == SQLITE_ERROR ? sqlite3_error_offset(db) : -1;
  error problem = make_error(code, message);
  if (offset >= 0 && problem.hint().empty())
    problem.with_hint("at byte " + std::to_string(offset) + " of the statement");
  return problem;
}

}  // namespace polypool::sqlite
