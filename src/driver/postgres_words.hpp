// SPDX-License-Identifier: Apache-2.0
// PostgreSQL's words, for every driver that reaches one: what a statement may leave behind in its session, judged by
// its text, and the settings that a session starts with.
#pragma once

#include <polypool/driver.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace polypool::postgres {

/// Settings that a session starts with, so that RESET ALL keeps them, in the form of libpq's `options`. A pooler
/// (statement_cache 0) knows none but the schema.
std::string startup_options(const endpoint& where);

/// What DISCARD ALL does, except that prepared statements stay. Not in a transaction.
inline constexpr std::string_view forget_everything =
    "CLOSE ALL;SET SESSION AUTHORIZATION DEFAULT;RESET ALL;UNLISTEN *;SELECT pg_advisory_unlock_all();"
    "DISCARD PLANS;DISCARD TEMP;DISCARD SEQUENCES;";

/// Asks for what a server is, in four columns: whether it recovers, default_transaction_read_only, how far it is, and,
/// as a replica, how far behind in microseconds. Needs PostgreSQL 10; before that there is only the short form with
/// two.
extern const char* const state_question;
extern const char* const short_state_question;
inline constexpr std::string_view undefined_function = "42883";  // what older ones say to the long one

/// The answer. @param lag empty: it cannot tell
server_info read_state(std::string_view recovering, std::string_view read_only, std::string_view position = {},
                       std::string_view lag = {});

struct statement_kind {
  bool leaves_state = false;     ///< settings, temporary tables, listens, locks: the next caller must not see it
  bool prepares = false;         ///< makes prepared statements of its own
  bool deallocates_all = false;  ///< and so ours are gone too
  bool asks_read_only = false;   ///< wants writes to be refused
};

/// Errs on the side of "may leave something": a word in a literal counts too.
statement_kind kind_of(std::string_view text) noexcept;

/// The same from the tag that the server answers with, such as "SET" (for scripts: one tag a statement).
bool tag_leaves_state(std::string_view tag) noexcept;

}  // namespace polypool::postgres
