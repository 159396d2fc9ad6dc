// SPDX-License-Identifier: Apache-2.0
#include "driver/sqlite_words.hpp"

namespace polypool::sqlite {

errc code_of_message(std::string_view message) noexcept {
  for (const auto start : {"no such ", "unknown database "}) {
    if (message.starts_with(start)) return errc::undefined_object;
  }
  if (message.contains("has no column named")) return errc::undefined_object;
  for (const auto part :
       {"syntax error", "incomplete input", "unrecognized token", "values were supplied", "values for ",
        "wrong number of arguments", "do not have the same number of result columns"}) {
    if (message.contains(part)) return errc::syntax_error;
  }
  for (const auto part : {"malformed JSON", "integer overflow", "string or blob too big", "JSON path"}) {
    if (message.contains(part)) return errc::invalid_value;
  }
  return errc::database_error;
}

}  // namespace polypool::sqlite
