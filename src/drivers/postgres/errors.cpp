// SPDX-License-Identifier: Apache-2.0
#include "drivers/postgres/errors.hpp"

#include "driver/server_link.hpp"
#include "driver/sqlstate.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace polypool::postgres {
namespace {

// The last number in a text. The server's words may be translated; numbers are not.
std::optional<std::size_t> last_number(std::string_view text) {
  const auto end = text.find_last_of("0123456789");
  if (end == std::string_view::npos) return std::nullopt;
  auto begin = text.find_last_not_of("0123456789", end);
  begin = begin == std::string_view::npos ? 0 : begin + 1;
  std::size_t out = 0;
  std::from_chars(text.data() + begin, text.data() + end + 1, out);
  return out;
}

error parameter_count_error(const PGresult* answer, std::size_t given) {
  const auto words = diagnostic(answer, PG_DIAG_MESSAGE_PRIMARY);
  const auto wanted = last_number(words);
  std::string cause = "the statement got " + std::to_string(given) + (given == 1 ? " parameter" : " parameters");
  if (wanted) cause += " and needs " + std::to_string(*wanted);
  error problem(errc::parameter_count, cause);
  problem.with_sqlstate(diagnostic(answer, PG_DIAG_SQLSTATE)).with_server_message(words);
  return problem;
}

// What the server's own hint does not say.
std::string_view hint_for(std::string_view sqlstate, const PGresult* answer) {
  if (sqlstate == "42601" && diagnostic(answer, PG_DIAG_SOURCE_FUNCTION) == "exec_parse_message") {
    return "run several statements with execute_script";
  }
  if (sqlstate == "42P18") return "say which type the parameter has, such as $1::text";
  if (sqlstate == "25P02") return "roll back, then run the transaction again";
  return {};
}

void adjust(error& problem, std::string_view sqlstate, std::string_view words) {
  if (sqlstate == "57014" && !words.contains("user request")) {
    problem.with_disposition(disposition::retryable);  // the server undid the statement
  } else if (sqlstate == "57P03") {
    problem.with_disposition(disposition::retryable).with_poisoned_session();
  } else if (sqlstate == "25006" || problem.portable_code() == errc::connection_lost) {
    problem.with_poisoned_session();
  }
}

// In `…FATAL:  28P01: password authentication failed…` the place of the code.
std::size_t find_sqlstate(std::string_view text) {
  for (auto at = text.rfind(":  "); at != std::string_view::npos && at > 0; at = text.rfind(":  ", at - 1)) {
    const auto code = text.substr(at + 3, 5);
    const bool shaped = code.size() == 5 && std::ranges::all_of(code, [](char c) {
                          return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
                        });
    if (shaped && text.substr(at + 8).starts_with(": ")) return at + 3;
  }
  return std::string_view::npos;
}

struct connect_verdict {
  errc code;
  disposition what_now;
  std::string_view hint;
};

connect_verdict judge_sqlstate(std::string_view sqlstate) {
  using enum disposition;
  if (sqlstate.starts_with("28")) {
    return {errc::authentication_failed, permanent, "check user and password, and the server's pg_hba.conf"};
  }
  if (sqlstate == "53300") {
    return {errc::too_many_connections, retryable, "lower the pools' limits or raise the server's max_connections"};
  }
  if (sqlstate == "3D000") return {errc::connect_failed, permanent, "create the database or correct its name"};
  if (sqlstate == "42501") return {errc::permission_denied, permanent, "grant CONNECT on the database"};
  if (sqlstate.starts_with("57P") || sqlstate.starts_with("53")) return {errc::connect_failed, retryable, {}};
  if (sqlstate.starts_with("42") || sqlstate.starts_with("22")) return {errc::connect_failed, permanent, {}};
  return {errc::connect_failed, retryable_elsewhere, {}};
}

connect_verdict judge_words(std::string_view words, bool password_missing) {
  using enum disposition;
  if (password_missing) return {errc::authentication_failed, permanent, "the server wants a password: configure one"};
  if (words.contains("does not support SSL")) {
    return {errc::connect_failed, permanent, "switch TLS on at the server, or set sslmode to prefer or disable"};
  }
  if (words.contains("certificate")) return {errc::connect_failed, permanent, "check sslrootcert and the host's name"};
  if (words.contains("refused")) {
    return {errc::connect_failed, retryable_elsewhere, "is the server running, and listening there?"};
  }
  return {errc::connect_failed, retryable_elsewhere, {}};
}

}  // namespace

std::string_view diagnostic(const PGresult* answer, int field) noexcept {
  const char* text = answer ? PQresultErrorField(answer, field) : nullptr;
  return text ? std::string_view(text) : std::string_view();
}

error server_error(const PGresult* answer, std::size_t parameters) {
  const auto sqlstate = diagnostic(answer, PG_DIAG_SQLSTATE);
  if (sqlstate == "08P01" && diagnostic(answer, PG_DIAG_SOURCE_FUNCTION) == "exec_bind_message") {
    return parameter_count_error(answer, parameters);
  }
  const auto words = diagnostic(answer, PG_DIAG_MESSAGE_PRIMARY);
  const auto detail = diagnostic(answer, PG_DIAG_MESSAGE_DETAIL);
  std::string message = words.empty() ? one_line(PQresultErrorMessage(answer)) : std::string(words);
  if (!detail.empty()) message.append(": ").append(detail);
  std::string cause = message;
  if (const auto at = diagnostic(answer, PG_DIAG_STATEMENT_POSITION); !at.empty()) {
    cause.append(" (at character ").append(at).append(")");
  }
  const auto code =
      sqlstate == "57014" && words.contains("user request") ? errc::cancelled : code_of_sqlstate(sqlstate);
  error problem(code, cause);
  problem.with_sqlstate(sqlstate).with_server_message(message);
  const auto hint = diagnostic(answer, PG_DIAG_MESSAGE_HINT);
  problem.with_hint(hint.empty() ? hint_for(sqlstate, answer) : hint);
  adjust(problem, sqlstate, words);
  return problem;
}

bool is_stale_statement(const PGresult* answer) noexcept {
  const auto sqlstate = diagnostic(answer, PG_DIAG_SQLSTATE);
  if (sqlstate == "26000") return true;
  return sqlstate == "0A000" && diagnostic(answer, PG_DIAG_SOURCE_FUNCTION) == "RevalidateCachedQuery";
}

error connect_error(std::string_view text, std::string_view place, const secret& password, bool password_missing) {
  std::string sqlstate;
  std::string_view words = text;
  if (const auto at = find_sqlstate(text); at != std::string_view::npos) {
    sqlstate = text.substr(at, 5);
    words = text.substr(at + 7);
    words = words.substr(0, words.find("\nLOCATION:"));
  } else if (const auto failed_at = words.find("failed: ");
             failed_at != std::string_view::npos && words.rfind("failed: ") == failed_at) {
    words.remove_prefix(failed_at + 8);           // one address only: its name is in the text already
    words = words.substr(0, words.find("\n\t"));  // libpq's question whether the server is running
  }
  const std::string clean = redact(one_line(words), password);
  const auto verdict = sqlstate.empty() ? judge_words(clean, password_missing) : judge_sqlstate(sqlstate);
  error problem(verdict.code, "cannot connect to PostgreSQL at " + std::string(place) + ": " + clean);
  problem.with_sqlstate(sqlstate).with_disposition(verdict.what_now).with_hint(verdict.hint);
  if (!sqlstate.empty()) problem.with_server_message(clean);
  return problem;
}

}  // namespace polypool::postgres
