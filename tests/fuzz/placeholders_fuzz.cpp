// SPDX-License-Identifier: Apache-2.0
// Any text as SQL with placeholders. The first byte chooses the dialect.
#include "driver/placeholders.hpp"

#include <polypool/error.hpp>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using polypool::sql_token;
constexpr std::array dialects{polypool::mysql_dialect, polypool::postgres_dialect, polypool::mssql_dialect,
                              polypool::sqlite_dialect, polypool::standard_sql};

// Rewriting changes placeholders and nothing else: both texts have the same tokens.
void compare(std::string_view before, const polypool::rewritten_statement& after,
             const polypool::sql_dialect& dialect) {
  polypool::sql_scanner was(before, dialect);
  polypool::sql_scanner is(after.text, dialect);
  std::size_t placeholders = 0;
  for (;;) {
    const auto old_token = was.next();
    const auto new_token = is.next();
    if (old_token.kind == sql_token::token_kind::placeholder) {
      if (!new_token.is('?')) std::abort();
      ++placeholders;
      continue;
    }
    if (old_token.kind != new_token.kind || old_token.text != new_token.text) std::abort();
    if (old_token.kind == sql_token::token_kind::end) break;
    if (old_token.is('?') && !dialect.question_mark_operator) ++placeholders;
  }
  if (placeholders != after.values.size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto& dialect = dialects[data[0] % dialects.size()];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    const auto out = polypool::rewrite_placeholders(text, dialect);
    for (const auto index : out.values) {
      if (index >= out.expected) std::abort();
    }
    compare(text, out, dialect);
  } catch (const polypool::error& problem) {
    if (problem.portable_code() != polypool::errc::invalid_argument) std::abort();
  }
  return 0;
}
