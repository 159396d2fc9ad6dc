// SPDX-License-Identifier: Apache-2.0
#include "config/dsn.hpp"
#include "config/reader.hpp"

#include <utility>

namespace polypool::config {
namespace {

std::string types_with(type_set types) {
  std::vector<std::string_view> names;
  for (unsigned i = 0; i <= static_cast<unsigned>(database_type::redis); ++i) {
    const auto type = static_cast<database_type>(i);
    if ((types & types_of(type)) != 0) names.push_back(to_string(type));
  }
  return joined(names);
}

/// A field that the type does not have was meant for another, or the type is wrong.
void check_belonging(database_type type, const field_bits& given, const complaint& wrong) {
  const auto fields = connection_fields();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (!given[i] || (fields[i].types & types_of(type)) != 0) continue;
    wrong(fields[i].name, "a " + std::string(to_string(type)) +
                              " connection has no such field; types that have it: " + types_with(fields[i].types));
  }
}

std::optional<database_type> type_of(const connection_draft& draft, const complaint& wrong) {
  if (draft.type) return draft.type;
  if (draft.dsn) return std::nullopt;  // the URL tells
  const auto allowed = read_type("").error().allowed;
  wrong("type", "is missing; allowed: " + allowed);
  return std::nullopt;
}

}  // namespace

std::optional<connection> assemble(connection_draft draft, std::string_view name, const tuning& defaults,
                                   const field_bits& given, const complaint& wrong) {
  auto& made = draft.made;
  made.name = name;
  if (draft.name && *draft.name != name) {
    wrong("name", shown(*draft.name) + " is not the name that the connection stands under, which is " + shown(name));
  }
  const auto type = type_of(draft, wrong);
  if (!type && !draft.dsn) return std::nullopt;
  if (type) made.type = *type;
  bool usable = true;
  if (draft.dsn) {
    for (auto& what : apply_dsn(made, *draft.dsn, type)) {
      wrong("dsn", std::move(what));
      usable = false;
    }
  }
  if (!usable && !type) return std::nullopt;
  check_belonging(made.type, given, wrong);
  complete(made);
  if (!usable) return std::nullopt;
  const auto effective = made.overrides.applied_to(defaults_for(made.type, defaults));
  made.where.connect_timeout = effective.connect_timeout;
  made.where.statement_cache = effective.statement_cache_size;
  check_connection(made, defaults, wrong);
  return std::move(made);
}

std::optional<connection> read_connection(reading& with, const entry& from, const tuning& defaults) {
  const std::string path = inside("connections", from.key);
  connection_draft draft;
  fields_read done;
  const auto fields = connection_fields();
  if (from.value.is_scalar()) {
    auto text = text_of(with, from.value, path, true);
    if (!text) return std::nullopt;
    draft.dsn = std::move(*text);
  } else if (from.value.is_map()) {
    done = read_fields(with, from.value, path, fields, draft, {}, [](const entry&) { return false; });
  } else {
    with.problems.add(from.where, path,
                      "is " + std::string(from.value.what()) + "; a map of fields or a URL is expected");
    return std::nullopt;
  }
  const auto wrong = [&](std::string_view name, std::string what) {
    const auto* known = find_field(fields, name);
    // What was refused already needs no second complaint that it is missing.
    if (known != nullptr && done.refused[static_cast<std::size_t>(known - fields.data())]) return;
    const auto* at = from.value.find(name);
    if (at == nullptr && known != nullptr && !known->other_name.empty()) at = from.value.find(known->other_name);
    if (from.value.is_scalar()) {
      with.problems.add(from.value.where, path, std::move(what));
    } else {
      with.problems.add(at == nullptr ? from.where : at->where, inside(path, name), std::move(what));
    }
  };
  const auto is_refused = [&](std::string_view name) {
    return done.refused[static_cast<std::size_t>(find_field(fields, name) - fields.data())];
  };
  if (is_refused("type") || is_refused("dsn")) {
    if (auto what = wrong_name(from.key); !what.empty()) wrong("name", std::move(what));
    return std::nullopt;
  }
  return assemble(std::move(draft), from.key, defaults, done.given, wrong);
}

std::vector<connection> read_connections(reading& with, const node& map, const tuning& defaults) {
  std::vector<connection> out;
  out.reserve(map.children.size());
  for (const auto& child : map.children) {
    if (auto one = read_connection(with, child, defaults)) out.push_back(std::move(*one));
  }
  return out;
}

connection connection_from_url(std::string_view name, std::string_view url, std::optional<database_type> type) {
  std::vector<problem> problems;
  connection_draft draft;
  draft.type = type;
  draft.dsn = std::string(url);
  auto made = assemble(std::move(draft), name, tuning(), {}, [&](std::string_view field, std::string what) {
    problem one;
    one.field = inside(inside("connections", name), field);
    one.what = std::move(what);
    problems.push_back(std::move(one));
  });
  if (!problems.empty() || !made) throw configuration_error(std::move(problems));
  return std::move(*made);
}

}  // namespace polypool::config
