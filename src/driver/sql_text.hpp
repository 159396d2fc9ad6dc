// SPDX-License-Identifier: Apache-2.0
// The words and signs of a SQL text, past blanks, comments and what stands in quotes. No parser: it knows where
// literals end, and nothing of grammar.
#pragma once

#include "base/words.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace polypool {

/// How a database writes literals, names and comments. The default is standard SQL.
struct sql_dialect {
  bool backslash_escapes = false;       ///< in '…'; MySQL unless NO_BACKSLASH_ESCAPES is set
  bool backslash_in_double = false;     ///< in "…", where these are literals; MySQL unless ANSI_QUOTES is set
  bool escape_strings = false;          ///< E'…' has backslashes; PostgreSQL
  bool dollar_quotes = false;           ///< $$…$$ and $tag$…$tag$; PostgreSQL
  bool backticks = false;               ///< `…` is a name; MySQL, SQLite
  bool brackets = false;                ///< […] is a name; SQL Server, SQLite
  bool hash_comments = false;           ///< # to the end of the line; MySQL
  bool dashes_want_blank = false;       ///< -- is a comment only before a blank or the end; MySQL
  bool nested_comments = false;         ///< a comment may hold comments; PostgreSQL, SQL Server
  bool executed_comments = false;       ///< the inside of /*!…*/ and /*M!…*/ is code; MySQL, MariaDB
  bool at_words = false;                ///< @name and @@name are words; MySQL, SQL Server
  bool question_mark_operator = false;  ///< ? may be an operator, so it is no placeholder; PostgreSQL
};

inline constexpr sql_dialect standard_sql{};
inline constexpr sql_dialect mysql_dialect{.backslash_escapes = true,
                                           .backslash_in_double = true,
                                           .backticks = true,
                                           .hash_comments = true,
                                           .dashes_want_blank = true,
                                           .executed_comments = true,
                                           .at_words = true};
inline constexpr sql_dialect postgres_dialect{
    .escape_strings = true, .dollar_quotes = true, .nested_comments = true, .question_mark_operator = true};
inline constexpr sql_dialect mssql_dialect{.brackets = true, .nested_comments = true, .at_words = true};
inline constexpr sql_dialect sqlite_dialect{.backticks = true, .brackets = true};

/// A piece of a SQL text.
struct sql_token {
  enum class token_kind : std::uint8_t {
    end,
    word,         ///< a keyword, an unquoted name, a number
    placeholder,  ///< $ and digits
    quoted,       ///< a literal or a quoted name, with its quotes
    sign          ///< any other character
  };
  token_kind kind = token_kind::end;
  std::string_view text;  ///< lies in the scanned text

  bool is(char sign) const noexcept { return kind == token_kind::sign && text.front() == sign; }
};

/// Reads tokens one after the other. Blanks and comments are skipped. A literal that is not closed goes to the end.
class sql_scanner {
 public:
  /// @param text outlives the scanner and its tokens
  sql_scanner(std::string_view text, const sql_dialect& dialect) noexcept : text_(text), dialect_(dialect) {}
  sql_token next() noexcept;

 private:
  bool at(std::string_view sign) const noexcept { return text_.substr(at_).starts_with(sign); }
  void skip_blanks_and_comments() noexcept;
  bool skip_comment() noexcept;
  void skip_block() noexcept;
  void skip_to(std::string_view mark) noexcept;
  void skip_quoted(char closing, bool backslashes) noexcept;
  bool skip_dollar_quoted() noexcept;
  bool skip_quotes() noexcept;
  bool skip_escape_string() noexcept;
  void skip_word() noexcept;
  bool in_word(char c) const noexcept;

  std::string_view text_;
  sql_dialect dialect_;
  std::size_t at_ = 0;
};

}  // namespace polypool
