// SPDX-License-Identifier: Apache-2.0
// What a statement may leave behind in its session, judged by its text.
#pragma once

#include <cstdint>
#include <string_view>

namespace polypool::postgres {

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
