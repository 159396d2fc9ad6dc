// SPDX-License-Identifier: Apache-2.0
#include "driver/sql_text.hpp"

#include <algorithm>

namespace polypool {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_blank(char c) noexcept { return (c >= '\t' && c <= '\r') || c == ' '; }

// What a placeholder and a dollar quote's tag are made of, and must not touch.
bool is_name_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

bool sql_scanner::in_word(char c) const noexcept {
  return is_name_character(c) || c == '$' || (c == '@' && dialect_.at_words);
}

sql_token sql_scanner::next() noexcept {
  using enum sql_token::token_kind;
  skip_blanks_and_comments();
  if (at_ >= text_.size()) return {};
  const auto begin = at_;
  const auto token = [&](sql_token::token_kind kind) { return sql_token{kind, text_.substr(begin, at_ - begin)}; };
  if (skip_quotes() || (dialect_.escape_strings && skip_escape_string())) return token(quoted);
  if (text_[at_] == '$' && dialect_.dollar_quotes && skip_dollar_quoted()) return token(quoted);
  if (!in_word(text_[at_])) {
    ++at_;
    return token(sign);
  }
  skip_word();
  const auto word_text = text_.substr(begin + 1, at_ - begin - 1);
  const bool number = text_[begin] == '$' && !word_text.empty() && std::ranges::all_of(word_text, is_digit);
  return token(number ? placeholder : word);
}

void sql_scanner::skip_blanks_and_comments() noexcept {
  while (at_ < text_.size()) {
    if (is_blank(text_[at_])) {
      ++at_;
    } else if (!skip_comment()) {
      return;
    }
  }
}

bool sql_scanner::skip_comment() noexcept {
  if (at("--")) {
    const auto after = at_ + 2;
    const bool blank = after >= text_.size() || static_cast<unsigned char>(text_[after]) <= ' ';
    if (dialect_.dashes_want_blank && !blank) return false;
    skip_to("\n");
    return true;
  }
  if (dialect_.hash_comments && at("#")) {
    skip_to("\n");
    return true;
  }
  if (!at("/*")) return false;
  if (dialect_.executed_comments && (at("/*!") || at("/*M!"))) {
    // What follows is code, if the server's version is high enough; the `*/` behind it comes as two signs.
    at_ += at("/*!") ? 3 : 4;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return true;
  }
  skip_block();
  return true;
}

void sql_scanner::skip_block() noexcept {
  at_ += 2;
  if (!dialect_.nested_comments) return skip_to("*/");
  for (std::size_t depth = 1; depth > 0 && at_ < text_.size();) {
    if (at("/*")) {
      ++depth;
      at_ += 2;
    } else if (at("*/")) {
      --depth;
      at_ += 2;
    } else {
      ++at_;
    }
  }
}

void sql_scanner::skip_to(std::string_view mark) noexcept {
  const auto found = text_.find(mark, at_);
  at_ = found == text_.npos ? text_.size() : found + mark.size();
}

bool sql_scanner::skip_quotes() noexcept {
  switch (text_[at_]) {
    case '\'':
      skip_quoted('\'', dialect_.backslash_escapes);
      return true;
    case '"':
      skip_quoted('"', dialect_.backslash_in_double);
      return true;
    case '`':
      if (dialect_.backticks) skip_quoted('`', false);
      return dialect_.backticks;
    case '[':
      if (dialect_.brackets) skip_quoted(']', false);
      return dialect_.brackets;
    default:
      return false;
  }
}

// A closing quote twice stands for itself; the scanner would see a second literal right behind the first, which for its
// purposes is the same, but one token a literal is what readers expect.
void sql_scanner::skip_quoted(char closing, bool backslashes) noexcept {
  for (++at_; at_ < text_.size(); ++at_) {
    if (backslashes && text_[at_] == '\\') {
      ++at_;
    } else if (text_[at_] == closing) {
      if (at_ + 1 >= text_.size() || text_[at_ + 1] != closing) break;
      ++at_;
    }
  }
  at_ = std::min(at_ + 1, text_.size());
}

bool sql_scanner::skip_escape_string() noexcept {
  if (!at("E'") && !at("e'")) return false;
  ++at_;
  skip_quoted('\'', true);
  return true;
}

bool sql_scanner::skip_dollar_quoted() noexcept {
  auto end = at_ + 1;
  while (end < text_.size() && is_name_character(text_[end])) ++end;
  if (end >= text_.size() || text_[end] != '$' || is_digit(text_[at_ + 1])) return false;
  const auto mark = text_.substr(at_, end + 1 - at_);
  at_ = end + 1;
  skip_to(mark);
  return true;
}

void sql_scanner::skip_word() noexcept {
  while (at_ < text_.size() && in_word(text_[at_])) ++at_;
}

}  // namespace polypool
