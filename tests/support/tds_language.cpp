// SPDX-License-Identifier: Apache-2.0
// From T-SQL to SQLite's SQL, as far as tests need it.
#include "driver/sql_text.hpp"
#include "support/tds_database.hpp"

#include <algorithm>
#include <initializer_list>
#include <optional>

namespace polypool::test {
namespace {

using token_kind = sql_token::token_kind;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c; });
  return out;
}

// Types whose names would give a column SQLite's numeric affinity, which rounds.
std::string type_name(const std::string& word) {
  if (word == "decimal" || word == "numeric") return "DECIMAL_TEXT";
  if (word == "money") return "MONEY_TEXT";
  if (word == "nvarchar" || word == "nchar") return "NVARCHAR";
  return {};
}

// `[a]]b]`, which SQLite does not read to its end, as `"a]b"`.
std::string quoted_name(std::string_view bracketed) {
  std::string out = "\"";
  for (std::size_t i = 1; i + 1 < bracketed.size(); ++i) {
    out += bracketed[i];
    if (bracketed[i] == ']') ++i;
    if (bracketed[i] == '"') out += '"';
  }
  return out + '"';
}

// `OFFSET 2 ROWS FETCH NEXT 3 ROWS ONLY`, from behind its first word, as `LIMIT 3 OFFSET 2`. Nothing where it is none.
std::optional<std::string> limits(sql_scanner& scanner) {
  sql_scanner ahead = scanner;
  const auto is = [&ahead](std::initializer_list<std::string_view> words) {
    const std::string word = lower(ahead.next().text);
    return std::ranges::find(words, word) != words.end();
  };
  const std::string offset(ahead.next().text);
  if (!is({"row", "rows"})) return std::nullopt;
  scanner = ahead;
  std::string limit = "-1";
  if (is({"fetch"}) && is({"next", "first"})) {
    limit = ahead.next().text;
    if (!is({"row", "rows"}) || !is({"only"})) return std::nullopt;
    scanner = ahead;
  }
  return " LIMIT " + limit + " OFFSET " + offset;
}

}  // namespace

tds_type tds_type::parse(std::string_view declaration) {
  using enum kind;
  const auto words = tds_words(declaration);
  const auto number = [&](std::size_t i, int usual) {
    return i < words.size() && !words[i].empty() && words[i][0] >= '0' && words[i][0] <= '9' ? std::stoi(words[i])
                                                                                             : usual;
  };
  const std::string name = words.empty() ? std::string() : words[0];
  const auto sized = [&](kind what) { return tds_type{what, static_cast<std::size_t>(number(2, 1))}; };
  const auto scaled = [&](kind what) { return tds_type{what, 0, 0, number(2, 7)}; };
  if (name == "int" || name == "integer") return {integer, 4};
  if (name == "bigint") return {integer, 8};
  if (name == "smallint") return {integer, 2};
  if (name == "tinyint") return {integer, 1};
  if (name == "bit") return {bit};
  if (name == "float") return {tds_type::kind::real, 8};
  if (name == "real") return {tds_type::kind::real, 4};
  if (name == "decimal_text") return {decimal, 0, number(2, 18), number(4, 0)};
  if (name == "money_text") return {money};
  if (name == "varchar" || name == "char") return sized(narrow);
  if (name == "nvarchar" || name == "nchar") return sized(text);
  if (name == "varbinary" || name == "binary") return sized(binary);
  if (name == "uniqueidentifier") return {guid};
  if (name == "date") return {date};
  if (name == "time") return scaled(time);
  if (name == "datetime2") return scaled(datetime2);
  if (name == "datetimeoffset") return scaled(datetimeoffset);
  if (name == "datetime") return {datetime};
  if (name == "xml") return {xml};
  return {text, 0};
}

std::vector<std::string_view> tds_statements(std::string_view batch) {
  std::vector<std::string_view> out;
  sql_scanner scanner(batch, mssql_dialect);
  const char* begin = nullptr;
  const auto finish = [&](const char* end) {
    if (begin != nullptr) out.emplace_back(begin, static_cast<std::size_t>(end - begin));
    begin = nullptr;
  };
  for (auto token = scanner.next(); token.kind != token_kind::end; token = scanner.next()) {
    if (token.is(';')) {
      finish(token.text.data());
    } else if (begin == nullptr) {
      begin = token.text.data();
    }
  }
  finish(batch.data() + batch.size());
  return out;
}

std::vector<std::string> tds_words(std::string_view statement) {
  std::vector<std::string> out;
  sql_scanner scanner(statement, mssql_dialect);
  for (auto token = scanner.next(); token.kind != token_kind::end; token = scanner.next()) {
    out.push_back(token.kind == token_kind::word ? lower(token.text) : std::string(token.text));
  }
  return out;
}

std::string tds_translated(std::string_view statement) {
  std::string out;
  sql_scanner scanner(statement, mssql_dialect);
  std::string before;
  bool temporary = false;
  bool casting = false;
  const auto start = tds_words(statement);
  const bool creates = start.size() > 1 && start[0] == "create" && start[1] == "table";
  const char* last_end = nullptr;  // signs that touch stay together
  for (auto token = scanner.next(); token.kind != token_kind::end; token = scanner.next()) {
    const std::string word = token.kind == token_kind::word ? lower(token.text) : std::string(token.text);
    const auto* end = token.text.data() + token.text.size();
    const bool touches_quote =
        token.kind == token_kind::word && end < statement.data() + statement.size() && *end == '\'';
    if (temporary) {
      out += " \"#" + std::string(token.text) + "\"";
      temporary = false;
    } else if (token.is('#')) {
      temporary = true;
      if (before == "table" && out.ends_with(" TABLE")) out.insert(out.size() - 6, " TEMP");
    } else if (token.text.starts_with('[')) {
      out += (token.text.data() != last_end ? " " : "") + quoted_name(token.text);
    } else if (word == "offset") {
      out += limits(scanner).value_or(" offset");
    } else if (word == "n" && touches_quote) {
      // N'…' is a literal like any other here.
    } else if (word == "@@trancount") {
      out += " polypool_trancount()";
    } else if (word == "@@spid") {
      out += " polypool_spid()";
    } else if (word == "max" && before == "(" && casting) {
      out += " 0";
    } else if (const auto type = type_name(word); !type.empty() && (before != "(" || casting)) {
      out += " " + type;
      casting = true;
    } else if (word == "varbinary" || word == "varchar" || word == "nvarchar") {
      out += " " + word;
      casting = true;
    } else if (word == "identity") {
      // INTEGER PRIMARY KEY counts by itself.
      sql_scanner ahead = scanner;
      if (ahead.next().is('(')) {
        for (auto inside = scanner.next(); !inside.is(')') && inside.kind != token_kind::end;) inside = scanner.next();
      }
    } else {
      if (token.text.data() != last_end) out += " ";
      out += word == "table" || word == "create" ? (word == "table" ? "TABLE" : "CREATE") : std::string(token.text);
      if (word != "(") casting = false;
    }
    // SQLite keeps anything in any column; SQL Server does not.
    if (creates && (word == "int" || word == "bigint" || word == "smallint" || word == "tinyint")) {
      out += " CHECK (typeof(" + before + ") IN ('integer', 'null'))";  // a name would be the next one's, too
    }
    before = token.text.starts_with('[') ? quoted_name(token.text) : word;
    last_end = token.text.data() + token.text.size();
  }
  return out;
}

}  // namespace polypool::test
