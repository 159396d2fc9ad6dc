// SPDX-License-Identifier: Apache-2.0
#include "drivers/sqlite/effects.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>

namespace polypool::sqlite {
namespace {

constexpr bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
constexpr bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0;
}

// Questions with an argument, and settings that live in the file: nothing that a session could keep.
constexpr std::array<std::string_view, 20> harmless_pragmas{
    "table_info",     "table_xinfo",      "table_list",         "index_list",      "index_info",
    "index_xinfo",    "foreign_key_list", "foreign_key_check",  "integrity_check", "quick_check",
    "optimize",       "wal_checkpoint",   "incremental_vacuum", "user_version",    "application_id",
    "schema_version", "encoding",         "auto_vacuum",        "page_size",       "data_version"};

std::string unquoted(std::string_view token) {
  if (token.size() >= 2 &&
      (token.front() == '"' || token.front() == '\'' || token.front() == '[' || token.front() == '`'))
    token = token.substr(1, token.size() - 2);
  return lower_case(token);
}

}  // namespace

void effects_recorder::install(sqlite3* db) noexcept { sqlite3_set_authorizer(db, &effects_recorder::callback, this); }

int effects_recorder::callback(void* self, int action, const char*, const char*, const char* database,
                               const char* trigger) noexcept {
  effects* const out = static_cast<effects_recorder*>(self)->target_;
  if (!out || trigger) return SQLITE_OK;
  switch (action) {
    case SQLITE_INSERT:
      out->inserts = true;
      [[fallthrough]];
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
      out->writes = true;
      break;
    case SQLITE_CREATE_TEMP_INDEX:
    case SQLITE_CREATE_TEMP_TABLE:
    case SQLITE_CREATE_TEMP_TRIGGER:
    case SQLITE_CREATE_TEMP_VIEW:
      out->temp = true;
      [[fallthrough]];
    case SQLITE_DROP_TEMP_INDEX:
    case SQLITE_DROP_TEMP_TABLE:
    case SQLITE_DROP_TEMP_TRIGGER:
    case SQLITE_DROP_TEMP_VIEW:
    case SQLITE_CREATE_INDEX:
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_TRIGGER:
    case SQLITE_CREATE_VIEW:
    case SQLITE_CREATE_VTABLE:
    case SQLITE_DROP_INDEX:
    case SQLITE_DROP_TABLE:
    case SQLITE_DROP_TRIGGER:
    case SQLITE_DROP_VIEW:
    case SQLITE_DROP_VTABLE:
    case SQLITE_ALTER_TABLE:
    case SQLITE_REINDEX:
    case SQLITE_ANALYZE:
      out->schema = true;
      if (database && std::string_view(database) == "temp") out->temp = true;  // `CREATE TABLE temp.x` is no TEMP table
      break;
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
      out->attaches = true;
      break;
    default:
      break;
  }
  return SQLITE_OK;
}

void token_reader::skip_blanks() noexcept {
  while (!rest_.empty()) {
    if (is_blank(rest_.front())) {
      rest_.remove_prefix(1);
    } else if (rest_.starts_with("--")) {
      rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
    } else if (rest_.starts_with("/*")) {
      const auto end = rest_.find("*/", 2);
      rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 2);
    } else {
      return;
    }
  }
}

std::string_view token_reader::next() noexcept {
  skip_blanks();
  if (rest_.empty()) return {};
  const char first = rest_.front();
  std::size_t length = 1;
  if (is_word(first)) {
    while (length < rest_.size() && is_word(rest_[length])) ++length;
  } else if (first == '"' || first == '\'' || first == '`' || first == '[') {
    const auto end = rest_.find(first == '[' ? ']' : first, 1);
    length = end == std::string_view::npos ? rest_.size() : end + 1;
  }
  const auto out = rest_.substr(0, length);
  rest_.remove_prefix(length);
  return out;
}

bool is_pragma(std::string_view text) noexcept { return same_word(token_reader(text).next(), "pragma"); }

std::string changed_pragma(std::string_view text) {
  token_reader tokens(text);
  if (!same_word(tokens.next(), "pragma")) return {};
  std::string name = unquoted(tokens.next());
  std::string schema;
  auto sign = tokens.next();
  if (sign == ".") {
    schema = std::move(name);
    name = unquoted(tokens.next());
    sign = tokens.next();
  }
  if (sign != "=" && sign != "(") return {};
  if (std::ranges::find(harmless_pragmas, name) != harmless_pragmas.end()) return {};
  if (!schema.empty()) name = schema + "." + name;
  return std::ranges::all_of(name, [](char c) { return is_word(c) || c == '.'; }) ? name : std::string();
}

bool is_rollback(std::string_view text) noexcept {
  token_reader tokens(text);
  if (!same_word(tokens.next(), "rollback")) return false;
  auto word = tokens.next();
  if (same_word(word, "transaction")) word = tokens.next();
  return !same_word(word, "to");
}

}  // namespace polypool::sqlite
