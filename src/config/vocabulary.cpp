// SPDX-License-Identifier: Apache-2.0
#include "config/vocabulary.hpp"

#include "config/problems.hpp"

#include <polypool/document.hpp>
#include <polypool/duration.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace polypool::config {
namespace {

struct type_row {
  database_type type;
  std::string_view name;
  std::array<std::string_view, 2> others;
  database_kind kind;
  std::uint16_t port;
};

constexpr std::array types{
    type_row{database_type::postgres, "postgres", {"postgresql", "pg"}, database_kind::sql, 5432},
    type_row{database_type::mysql, "mysql", {"mariadb", {}}, database_kind::sql, 3306},
    type_row{database_type::sqlite, "sqlite", {"sqlite3", {}}, database_kind::sql, 0},
    type_row{database_type::mssql, "mssql", {"sqlserver", {}}, database_kind::sql, 1433},
    type_row{database_type::odbc, "odbc", {}, database_kind::sql, 0},
    type_row{database_type::mongodb, "mongodb", {"mongo", {}}, database_kind::document, 27017},
    type_row{database_type::redis, "redis", {}, database_kind::key_value, 6379},
};

const type_row& row_of(database_type type) noexcept { return types[static_cast<std::size_t>(type) % types.size()]; }

constexpr std::array<std::string_view, 6> tls_words{"disable", "allow",     "prefer",
                                                    "require", "verify-ca", "verify-full"};

std::string number(std::int64_t value) { return std::to_string(value); }

}  // namespace

std::string_view to_string(database_type type) noexcept { return row_of(type).name; }
database_kind kind_of(database_type type) noexcept { return row_of(type).kind; }
std::uint16_t default_port(database_type type) noexcept { return row_of(type).port; }

std::optional<database_type> parse_database_type(std::string_view text) noexcept {
  for (const auto& row : types) {
    if (same_word(text, row.name)) return row.type;
    for (const auto other : row.others) {
      if (!other.empty() && same_word(text, other)) return row.type;
    }
  }
  return std::nullopt;
}

read_result<database_type> read_type(std::string_view text) {
  if (const auto type = parse_database_type(text)) return *type;
  std::vector<std::string_view> names;
  std::vector<std::string_view> all;
  for (const auto& row : types) {
    names.push_back(row.name);
    all.push_back(row.name);
    std::ranges::copy_if(row.others, std::back_inserter(all), [](auto other) { return !other.empty(); });
  }
  return std::unexpected(refusal{"is not a type of database that is known", joined(names) + suggestion(text, all)});
}

read_result<std::int64_t> read_integer(std::string_view text, std::int64_t least, std::int64_t most) {
  std::int64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string allowed = most == std::numeric_limits<std::uint32_t>::max() ? number(least) + " and more"
                                                                                : number(least) + " to " + number(most);
  if (failed == std::errc::result_out_of_range && end == text.data() + text.size()) {
    return std::unexpected(refusal{"is out of range", allowed});
  }
  if (failed != std::errc() || end != text.data() + text.size()) {
    return std::unexpected(refusal{"is not a whole number", allowed});
  }
  if (value < least) return std::unexpected(refusal{"is too small", allowed});
  if (value > most) return std::unexpected(refusal{"is too large", allowed});
  return value;
}

read_result<std::uint32_t> read_count(std::string_view text, std::uint32_t least, std::uint32_t most) {
  auto value = read_integer(text, least, most);
  if (!value) return std::unexpected(std::move(value.error()));
  return static_cast<std::uint32_t>(*value);
}

read_result<std::uint16_t> read_port(std::string_view text, std::uint16_t least) {
  auto value = read_integer(text, least, 65535);
  if (!value) return std::unexpected(refusal{"is not a port", std::move(value.error().allowed)});
  return static_cast<std::uint16_t>(*value);
}

read_result<nanoseconds> read_duration(std::string_view text, nanoseconds least) {
  constexpr std::string_view allowed = "a number with its unit (ns, us, ms, s, m, h, d), such as 500ms, 30s or 1h30m";
  if (const auto value = parse_duration(text)) {
    if (*value >= least) return *value;
    return std::unexpected(refusal{"is too short", format_duration(least) + " and more"});
  }
  const bool digits =
      !text.empty() && std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  if (digits) return std::unexpected(refusal{"has no unit", std::string(allowed)});
  if (text.starts_with('-')) return std::unexpected(refusal{"is negative", std::string(allowed)});
  return std::unexpected(refusal{"is not a duration", std::string(allowed)});
}

read_result<bool> read_flag(std::string_view text) {
  for (const std::string_view yes : {"true", "yes", "on", "1"}) {
    if (same_word(text, yes)) return true;
  }
  for (const std::string_view no : {"false", "no", "off", "0"}) {
    if (same_word(text, no)) return false;
  }
  return std::unexpected(refusal{"is neither true nor false", "true, false, yes, no, on, off"});
}

read_result<tls_mode> read_tls(std::string_view text) {
  auto word = lower_case(text);
  std::ranges::replace(word, '_', '-');
  const auto found = std::ranges::find(tls_words, word);
  if (found != tls_words.end()) return static_cast<tls_mode>(found - tls_words.begin());
  const std::vector<std::string_view> words(tls_words.begin(), tls_words.end());
  return std::unexpected(refusal{"is not a mode of TLS", joined(words) + suggestion(text, words)});
}

read_result<access_style> read_access_style(std::string_view text) {
  if (same_word(text, "native")) return access_style::native;
  if (same_word(text, "builder") || same_word(text, "bun")) return access_style::builder;
  if (same_word(text, "mapped") || same_word(text, "gorm")) return access_style::mapped;
  return std::unexpected(refusal{"is not an access style", "native, builder (or bun), mapped (or gorm)"});
}

read_result<std::string> read_word(std::string_view text, const std::vector<std::string_view>& words,
                                   std::string_view kind) {
  for (const auto word : words) {
    if (same_word(text, word)) return std::string(word);
  }
  return std::unexpected(refusal{"is not " + std::string(kind), joined(words) + suggestion(text, words)});
}

read_result<std::string> read_preference_word(std::string_view text) {
  static const std::vector<std::string_view> words{"primary", "primaryPreferred", "secondary", "secondaryPreferred",
                                                   "nearest"};
  if (const auto found = parse_read_preference(text)) return std::string(to_string(*found));
  return read_word(text, words, "a read preference");
}
const std::vector<std::string_view>& log_levels() {
  static const std::vector<std::string_view> words{"trace", "debug", "info", "warning", "error", "off"};
  return words;
}
read_result<std::string> read_debug(std::string_view text) {
  constexpr std::string_view separators = ", \t\n";
  std::string out;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(separators), text.size());
    std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty()) continue;
    const bool exclude = word.starts_with('-');
    if (exclude) word.remove_prefix(1);
    if (word.starts_with("polypool:")) word.remove_prefix(std::string_view("polypool:").size());
    const std::string_view name = word.ends_with('*') ? word.substr(0, word.size() - 1) : word;
    const bool plain = std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || c == '_' || c == '-'; });
    if (word.empty() || !plain) {
      return std::unexpected(
          refusal{"is not a list of parts",
                  "names such as pool, breaker, manager or server; * for all; -name to leave one out"});
    }
    out += std::string(out.empty() ? "" : ",") + (exclude ? "-" : "") + "polypool:" + std::string(word);
  }
  return out;
}
const std::vector<std::string_view>& log_formats() {
  static const std::vector<std::string_view> words{"text", "json"};
  return words;
}

std::string wrong_name(std::string_view name) {
  constexpr std::size_t longest = 128;
  if (name.empty()) return "a connection's name is empty";
  if (name.size() > longest) return "a connection's name is longer than 128 characters";
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 &&
        std::string_view("_-.:").find(c) == std::string_view::npos) {
      return shown(name) + " is not a name for a connection; allowed: letters, digits and _ - . :";
    }
  }
  return {};
}

}  // namespace polypool::config
