// SPDX-License-Identifier: Apache-2.0
#include "sql/statement_writer.hpp"

#include "base/words.hpp"

#include <polypool/error.hpp>

#include <algorithm>
#include <array>

namespace polypool {
namespace {

struct quotes {
  char open;
  char close;
};

quotes quotes_of(dialect language) noexcept {
  switch (language) {
    case dialect::mysql:
      return {'`', '`'};
    case dialect::mssql:
      return {'[', ']'};
    case dialect::standard:
    case dialect::postgres:
    case dialect::sqlite:
      break;
  }
  return {'"', '"'};
}

void append_quoted(std::string& out, std::string_view part, std::string_view whole, quotes marks) {
  if (part.empty()) {
    throw error(errc::invalid_argument, "'" + std::string(whole) + "' is not a name: a part of it is empty");
  }
  if (part.find('\0') != part.npos) throw error(errc::invalid_argument, "a name must not contain a zero byte");
  out += marks.open;
  for (const char c : part) {
    if (c == marks.close) out += c;
    out += c;
  }
  out += marks.close;
}

// Each part of a name with points by itself; a last part of `*` stays when it may.
std::string quoted(std::string_view name, dialect language, bool star_allowed) {
  std::string out;
  const auto marks = quotes_of(language);
  for (auto rest = name;;) {
    const auto point = rest.find('.');
    const auto part = rest.substr(0, point);
    const bool last = point == rest.npos;
    if (last && star_allowed && part == "*") {
      out += part;
    } else {
      append_quoted(out, part, name, marks);
    }
    if (last) return out;
    out += '.';
    rest.remove_prefix(point + 1);
  }
}

constexpr std::array<std::string_view, 9> comparisons{"=", "<>", "!=", "<", "<=", ">", ">=", "like", "not like"};

}  // namespace

std::string quoted_name(std::string_view name, dialect language) { return quoted(name, language, false); }

statement_writer& statement_writer::name(std::string_view identifier, std::string_view what) {
  if (identifier.empty()) throw error(errc::invalid_argument, "a " + std::string(what) + " without a name");
  return text(quoted(identifier, language_, false));
}
statement_writer& statement_writer::columns(std::string_view identifier) {
  if (identifier.empty()) throw error(errc::invalid_argument, "a column without a name");
  return text(quoted(identifier, language_, true));
}

statement_writer& statement_writer::bind(value parameter) {
  made_.parameters.push_back(std::move(parameter));
  return text("$").number(made_.parameters.size());
}

void statement_writer::table(const query_parts& parts) {
  name(parts.table, "table");
  if (!parts.alias.empty()) text(" AS ").name(parts.alias, "alias");
}

void statement_writer::compare(const query_parts::condition& one) {
  const auto known =
      std::ranges::find_if(comparisons, [&](std::string_view each) { return same_word(one.comparison, each); });
  if (known == comparisons.end()) {
    throw error(errc::invalid_argument, "'" + one.comparison + "' is not a comparison")
        .with_hint("there are: =, <>, !=, <, <=, >, >=, like, not like");
  }
  if (one.values.front().is_null()) {
    throw error(errc::invalid_argument, "'" + one.column + "' is compared with NULL, which is never true")
        .with_hint("use where_null or where_not_null");
  }
  name(one.column, "column").text(" ").text(*known == "!=" ? "<>" : *known).text(" ").bind(one.values.front());
}

void statement_writer::condition(const query_parts::condition& one) {
  using enum query_parts::test;
  switch (one.what) {
    case compare:
      this->compare(one);
      return;
    case in:
    case not_in:
      if (one.values.empty()) {  // nothing is in an empty list
        text(one.what == in ? "1 = 0" : "1 = 1");
        return;
      }
      name(one.column, "column").text(one.what == in ? " IN (" : " NOT IN (");
      list(one.values, [this](const value& each) { bind(each); });
      text(")");
      return;
    case null:
      name(one.column, "column").text(" IS NULL");
      return;
    case not_null:
      name(one.column, "column").text(" IS NOT NULL");
      return;
    case between:
      name(one.column, "column").text(" BETWEEN ").bind(one.values[0]).text(" AND ").bind(one.values[1]);
      return;
  }
}

void statement_writer::conditions(const query_parts& parts) {
  bool first = true;
  for (const auto& one : parts.conditions) {
    text(first ? " WHERE " : one.alternative ? " OR " : " AND ");
    first = false;
    condition(one);
  }
}

void statement_writer::order(const query_parts& parts) {
  if (parts.order.empty()) return;
  text(" ORDER BY ");
  list(parts.order, [this](const query_parts::sorting& each) {
    name(each.column, "column").text(each.order == desc ? " DESC" : "");
  });
}

void statement_writer::limits(const query_parts& parts) {
  if (!parts.limit && !parts.offset) return;
  if (language_ == dialect::mssql) {
    if (parts.order.empty()) text(" ORDER BY (SELECT NULL)");  // OFFSET belongs to an order there
    text(" OFFSET ").number(parts.offset.value_or(0)).text(" ROWS");
    if (parts.limit) text(" FETCH NEXT ").number(*parts.limit).text(" ROWS ONLY");
    return;
  }
  if (parts.limit) {
    text(" LIMIT ").number(*parts.limit);
  } else if (language_ == dialect::sqlite) {
    text(" LIMIT -1");  // an OFFSET has to follow a LIMIT there
  } else if (language_ == dialect::mysql) {
    text(" LIMIT 18446744073709551615");
  }
  if (parts.offset) text(" OFFSET ").number(*parts.offset);
}

}  // namespace polypool
