// SPDX-License-Identifier: Apache-2.0
#include "cli/wrong_kind.hpp"

#include <polypool/error.hpp>

#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <ranges>

namespace polypool::cli {
namespace {

constexpr std::string_view blanks = " \t\r\n;";

// Takes the next word; empty at the end.
std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  const auto word = text.substr(0, text.find_first_of(blanks));
  text.remove_prefix(word.size());
  return word;
}

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, [](unsigned char c) { return std::toupper(c); });
}

std::string_view what_to_write(config::database_type type) {
  switch (type) {
    case config::database_type::redis:
      return "a Redis takes commands such as: GET user:1";
    case config::database_type::mongodb:
      return R"(MongoDB takes commands such as: {"find": "articles", "filter": {"author": "Ada"}})";
    default:
      return "it takes SQL, such as: SELECT 1";
  }
}

[[noreturn]] void refuse(const std::string& connection, config::database_type type, errc code, std::string_view meant) {
  throw error(code, "it is a " + std::string(config::to_string(type)) + " connection, not " + std::string(meant))
      .with_hint(what_to_write(type))
      .at(connection, "query");
}

}  // namespace

bool is_json_object(std::string_view text) {
  boost::system::error_code wrong;
  const auto value = boost::json::parse(text, wrong);
  return !wrong && value.is_object();
}

bool looks_like_sql(std::string_view text) {
  constexpr std::array<std::string_view, 11> beginnings{"SELECT", "INSERT", "UPDATE", "DELETE",   "WITH",   "CREATE",
                                                        "ALTER",  "DROP",   "BEGIN",  "TRUNCATE", "EXPLAIN"};
  const auto first = next_word(text);
  if (std::ranges::none_of(beginnings, [&](std::string_view each) { return same_word(first, each); })) return false;
  next_word(text);
  return !same_word(first, "SELECT") || !next_word(text).empty();
}

void refuse_document(const std::string& connection, config::database_type type, std::string_view text) {
  if (is_json_object(text)) refuse(connection, type, errc::not_mongodb, "a MongoDB database");
}

void refuse_sql(const std::string& connection, config::database_type type, std::string_view text) {
  if (looks_like_sql(text)) refuse(connection, type, errc::not_sql_database, "a SQL database");
}

}  // namespace polypool::cli
