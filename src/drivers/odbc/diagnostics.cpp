// SPDX-License-Identifier: Apache-2.0
#include "drivers/odbc/diagnostics.hpp"

#include "driver/sqlite_words.hpp"
#include "driver/sqlstate.hpp"
#include "drivers/odbc/sql_server.hpp"
#include "drivers/odbc/unicode.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace polypool::odbc {
namespace {

std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool blank = c == '\n' || c == '\r' || c == '\t' || c == ' ';
    if (!blank) out += c;
    if (blank && !out.empty() && out.back() != ' ') out += ' ';
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

// A prepared statement of this name exists: psqlodbc names them by address, and forgets to drop some that failed.
constexpr std::string_view name_taken = "42P05";

// The codes of ODBC itself, where the database gave none.
errc code_of_odbc(std::string_view sqlstate) noexcept {
  if (sqlstate == "07002" || sqlstate == "07001") return errc::parameter_count;
  if (sqlstate == "HYT00" || sqlstate == "HYT01" || sqlstate == "S1T00") return errc::deadline_exceeded;
  if (sqlstate == "HY008") return errc::cancelled;
  if (sqlstate == "42000") return errc::syntax_error;
  if (sqlstate == "42S02" || sqlstate == "42S22" || sqlstate == "42S12") return errc::undefined_object;
  if (sqlstate.starts_with("01")) return errc::database_error;
  return code_of_sqlstate(sqlstate);
}

// The number at the end of `UNIQUE constraint failed: t.a (19)` says the kind, the words say the rest.
errc code_of_sqlite(int native, std::string_view words) noexcept {
  switch (native & 0xFF) {
    case 19:  // SQLITE_CONSTRAINT
      if (words.contains("UNIQUE") || words.contains("PRIMARY KEY")) return errc::unique_violation;
      if (words.contains("FOREIGN KEY")) return errc::foreign_key_violation;
      if (words.contains("NOT NULL")) return errc::not_null_violation;
      if (words.contains("CHECK")) return errc::check_violation;
      if (words.contains("cannot store")) return errc::invalid_value;
      return errc::constraint_violation;
    case 5:  // SQLITE_BUSY
    case 6:  // SQLITE_LOCKED
      return errc::lock_timeout;
    case 8:  // SQLITE_READONLY
      return errc::read_only;
    case 9:  // SQLITE_INTERRUPT
      return errc::cancelled;
    case 13:  // SQLITE_FULL
      return errc::disk_full;
    case 14:  // SQLITE_CANTOPEN
    case 26:  // SQLITE_NOTADB
      return errc::connect_failed;
    case 18:  // SQLITE_TOOBIG
    case 20:  // SQLITE_MISMATCH
      return errc::invalid_value;
    case 1:  // SQLITE_ERROR
      return sqlite::code_of_message(words);
    default:
      return errc::database_error;
  }
}

errc code_of(const diagnostic& one, std::string_view words, const profile& with) noexcept {
  switch (with.database) {
    case brand::mssql:
      if (const auto code = code_of_sql_server(one.native, words); code != errc::database_error) return code;
      // Drivers give the same SQLSTATE to most of what the server says.
      if (one.native != 0 && (one.native < 20000 || one.native > 20100)) return errc::database_error;
      break;
    case brand::sqlite:
      if (one.sqlstate == "HY000" || one.sqlstate == "S1000") return code_of_sqlite(one.native, words);
      break;
    case brand::postgres:
      if (one.sqlstate == "57014" && words.contains("user request")) return errc::cancelled;
      if (one.sqlstate == "42000") return errc::database_error;
      break;
    case brand::other:
      break;
  }
  return code_of_odbc(one.sqlstate);
}

void adjust(error& problem, const diagnostic& main, const profile& with) {
  const auto code = problem.portable_code();
  if (code == errc::connection_lost || code == errc::read_only) problem.with_poisoned_session();
  if (code == errc::connect_failed) {
    problem.with_poisoned_session().with_disposition(disposition::retryable);
  }
  if (code == errc::deadline_exceeded || code == errc::cancelled) {
    problem.with_disposition(disposition::retryable);  // the server undid the statement
  }
  if (code == errc::transaction_aborted) problem.with_hint("roll back, then run the transaction again");
  if (main.sqlstate == "42P18" && with.database == brand::postgres) {
    problem.with_hint("say which type the parameter has, such as $1::text");
  }
  if (with.database == brand::sqlite && code == errc::read_only) {
    problem.with_poisoned_session(false).with_disposition(disposition::permanent);
  }
}

struct verdict {
  errc code = errc::connect_failed;
  disposition what_now = disposition::retryable_elsewhere;
  std::string_view hint = {};
};

verdict judge_number(int number) {
  using enum disposition;
  const errc code = code_of_sql_server(number, {});
  if (code == errc::authentication_failed) {
    return {code, permanent, "check user and password, and that the server allows SQL Server logins"};
  }
  if (code == errc::too_many_connections) {
    return {code, retryable, "lower the pools' limits or raise what the server allows"};
  }
  if (code == errc::permission_denied) return {code, permanent, {}};
  if (number == 4060 || number == 4064) {
    return {errc::connect_failed, permanent, "create the database, correct its name, or let the user in"};
  }
  return {errc::connect_failed, is_transient(number) ? retryable : retryable_elsewhere, {}};
}

// Drivers that wrap a server's refusal into words of their own.
verdict judge_words(std::string_view words) {
  using enum disposition;
  const auto has = [words](std::string_view part) { return words.contains(part); };
  if (has("password authentication failed") || has("no pg_hba.conf entry") || has("no password supplied") ||
      has("authentication failed") || (has("role ") && has("does not exist"))) {
    return {errc::authentication_failed, permanent, "check user and password, and the server's pg_hba.conf"};
  }
  if (has("too many clients") || has("remaining connection slots") || has("too many connections")) {
    return {errc::too_many_connections, retryable, "lower the pools' limits or raise the server's max_connections"};
  }
  if (has("database \"") && has("does not exist")) {
    return {errc::connect_failed, permanent, "create the database or correct its name"};
  }
  if (has("starting up") || has("shutting down") || has("recovery mode")) {
    return {errc::connect_failed, retryable, {}};
  }
  if (has("does not support SSL") || has("SSL is not supported") || has("ncryption not supported")) {
    return {errc::connect_failed, permanent, "switch TLS on at the server, or set sslmode to prefer or disable"};
  }
  if (has("certificate")) return {errc::connect_failed, permanent, "check the certificates and the host's name"};
  if (has("refused")) {
    return {errc::connect_failed, retryable_elsewhere, "is the server running, and listening there?"};
  }
  return {};
}

verdict judge(const diagnostic& main, std::string_view words, driver_family family) {
  using enum disposition;
  const std::string_view state = main.sqlstate;
  if (state == "IM002" || state == "IM003" || state == "IM004" || words.contains("Can't open lib")) {
    return {errc::invalid_configuration, permanent,
            "name a driver that is installed (`odbcinst -q -d` lists them) or the path of its library, or a data "
            "source of odbc.ini"};
  }
  const bool tds = family == driver_family::freetds || family == driver_family::microsoft;
  if (tds && code_of_sql_server(main.native, {}) != errc::database_error) return judge_number(main.native);
  const auto by_words = judge_words(words);
  if (by_words.code != errc::connect_failed || !by_words.hint.empty() || by_words.what_now == retryable) {
    return by_words;
  }
  if (state.starts_with("28")) return {errc::authentication_failed, permanent, "check user and password"};
  return by_words;
}

}  // namespace

std::vector<diagnostic> read_diagnostics(SQLSMALLINT kind, SQLHANDLE handle) {
  std::vector<diagnostic> out;
  constexpr SQLSMALLINT most = 20;
  std::vector<SQLWCHAR> text(1024);
  for (SQLSMALLINT i = 1; i <= most; ++i) {
    std::array<SQLWCHAR, 6> state{};
    SQLINTEGER native = 0;
    SQLSMALLINT length = 0;
    const auto room = static_cast<SQLSMALLINT>(text.size());
    if (!succeeded(SQLGetDiagRecW(kind, handle, i, state.data(), &native, text.data(), room, &length))) break;
    if (length >= room) {  // the rest of a long message: once more, with room for it
      text.resize(static_cast<std::size_t>(std::min<int>(length + 1, 32000)));
      SQLGetDiagRecW(kind, handle, i, state.data(), &native, text.data(), static_cast<SQLSMALLINT>(text.size()),
                     &length);
    }
    const auto units = std::clamp<std::size_t>(static_cast<std::size_t>(length), 0, text.size() - 1);
    out.push_back(
        {to_utf8(std::span(state).first(5)), static_cast<int>(native), to_utf8(std::span(text).first(units))});
  }
  return out;
}

std::string plain_words(std::string_view text, driver_family family) {
  while (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  if (family == driver_family::psqlodbc) {
    if (const auto own = text.find(";\nError while"); own != std::string_view::npos) text = text.substr(0, own);
    for (const std::string_view severity : {"ERROR: ", "FATAL: ", "PANIC: "}) {
      if (text.starts_with(severity)) text.remove_prefix(severity.size());
    }
  }
  std::string out = one_line(text);
  if (family == driver_family::sqlite && out.ends_with(')')) {
    const auto open = out.rfind(" (");
    const auto digits = std::string_view(out).substr(std::min(open + 2, out.size()));
    if (open != std::string::npos && digits.find_first_not_of("0123456789)") == std::string_view::npos) out.erase(open);
  }
  return out;
}

error statement_error(std::span<const diagnostic> found, const profile& with) {
  if (found.empty()) return {errc::database_error, "the ODBC driver reported an error and did not say which"};
  // SQL Server says more after the error that counts, such as "The statement has been terminated".
  const auto telling = [&](const diagnostic& one) {
    return code_of(one, plain_words(one.text, with.family), with) != errc::database_error;
  };
  const auto* main = std::ranges::find_if(found, telling).operator->();
  if (main == found.data() + found.size()) main = found.data();
  const std::string words = plain_words(main->text, with.family);
  error problem(code_of(*main, words, with), words.empty() ? "the ODBC driver reported an error without words" : words);
  problem.with_sqlstate(main->sqlstate).with_native_code(main->native).with_server_message(words);
  adjust(problem, *main, with);
  return problem;
}

error connect_error(std::span<const diagnostic> found, driver_family family, std::string_view place,
                    const secret& password) {
  diagnostic main{"", 0, "the ODBC driver did not say why"};
  if (!found.empty()) main = found.front();
  const bool tds = family == driver_family::freetds || family == driver_family::microsoft;
  // FreeTDS says what the server said behind its own "Unable to connect".
  for (const auto& each : found) {
    if (tds && each.native != 0 && (each.native < 20000 || each.native > 20100)) {
      main = each;
      break;
    }
  }
  const std::string words = plain_words(main.text, family);
  const verdict found_out = judge(main, words, family);
  const std::string clean = redact(words, password);
  error problem(found_out.code, "cannot connect to " + std::string(place) + ": " + clean);
  problem.with_sqlstate(main.sqlstate).with_native_code(main.native).with_server_message(clean);
  problem.with_disposition(found_out.what_now).with_hint(found_out.hint);
  if (tds && found_out.code == errc::connect_failed && found_out.hint.empty()) {
    problem.with_hint("check `host` and `port`, and whether a SQL Server is running and listening there");
  }
  return problem;
}

std::string plan_to_forget(const error& problem) {
  if (problem.sqlstate() != name_taken) return {};
  const std::string& words = problem.server_message();
  const auto begin = words.find('"');
  const auto end = words.find('"', begin + 1);
  if (begin == words.npos || end == words.npos) return {};
  auto name = words.substr(begin + 1, end - begin - 1);
  const bool plain = std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
  return plain ? name : std::string();
}

bool is_stale_statement(const error& problem, const profile& with) noexcept {
  if (with.database == brand::postgres) {
    return problem.sqlstate() == "26000" || problem.sqlstate() == name_taken ||
           (problem.sqlstate() == "0A000" && problem.server_message().contains("cached plan"));
  }
  return with.database == brand::mssql && problem.native_code() == 8179;  // no such prepared statement
}

}  // namespace polypool::odbc
