// SPDX-License-Identifier: Apache-2.0
// From a document to a configuration.
#pragma once

#include "config/check.hpp"
#include "config/document.hpp"
#include "config/fields.hpp"
#include "config/substitute.hpp"

#include <algorithm>
#include <bitset>
#include <optional>
#include <string>
#include <string_view>

namespace polypool::config {

/// What reading needs besides the document.
struct reading {
  problem_list& problems;
  const variable_lookup& variables;
};

/// A field's name for messages; no field has a colon, so what follows one may be a secret without its space.
std::string field_key(std::string_view name);

/// `unknown field 'max_open_con'; did you mean 'max_open_conns'?`
std::string unknown_field(std::string_view name, std::vector<std::string_view> known);

/// The text of a value with its variables; nothing (after a complaint) when it has none.
/// @param in_url the value is a URL, into which variables are escaped
std::optional<std::string> text_of(reading& with, const node& value, const std::string& path, bool in_url = false);

/// A map of texts, such as tags.
void read_texts(reading& with, const node& value, const std::string& path, std::map<std::string, std::string>& target);

/// Complains that a text is not what the field takes; shows the text unless it may be a secret.
void complain_about(reading& with, const node& value, const std::string& path, const std::string& text, bool is_secret,
                    const refusal& why);

/// Joins a path and a field.
std::string inside(const std::string& path, std::string_view name);

/// The fields that a map gave, by their place in the table.
using field_bits = std::bitset<128>;
struct fields_read {
  field_bits given;
  field_bits refused;
};

template <class Target>
const field<Target>* find_field(std::span<const field<Target>> fields, std::string_view name) {
  const auto found = std::ranges::find_if(
      fields, [&](const auto& one) { return one.name == name || (!name.empty() && one.other_name == name); });
  return found == fields.end() ? nullptr : &*found;
}

/// Reads one field; false when it was refused.
template <class Target>
bool read_field(reading& with, const field<Target>& one, const node& value, const std::string& path, Target& target) {
  if (value.is_null()) return true;  // as if it were not there
  const auto before = with.problems.size();
  if (one.texts != nullptr && !value.is_scalar()) {
    read_texts(with, value, path, one.texts(target));
  } else if (const auto text = text_of(with, value, path, one.name == "dsn")) {
    if (const auto done = one.set(target, *text); !done) {
      complain_about(with, value, path, *text, one.is_secret, done.error());
    }
  }
  return with.problems.size() == before;
}

/// Reads a map by its table. `other(entry)` is asked about what the table does not know: true when it took care of it.
template <class Target, class Other>
fields_read read_fields(reading& with, const node& map, const std::string& path, std::span<const field<Target>> fields,
                        Target& target, std::vector<std::string_view> other_names, const Other& other) {
  fields_read done;
  for (const auto& child : map.children) {
    const auto* known = find_field(fields, std::string_view(child.key));
    if (known == nullptr) {
      if (other(child)) continue;
      auto names = other_names;
      for (const auto& one : fields) names.push_back(one.name);
      with.problems.add(child.where, inside(path, field_key(child.key)), unknown_field(child.key, std::move(names)));
      continue;
    }
    const auto index = static_cast<std::size_t>(known - fields.data());
    if (done.given[index] && !known->other_name.empty()) {
      with.problems.add(
          child.where, inside(path, child.key),
          "is given twice, as '" + std::string(known->name) + "' and as '" + std::string(known->other_name) + "'");
      continue;
    }
    if (!child.value.is_null()) done.given[index] = true;
    if (!read_field(with, *known, child.value, inside(path, child.key), target)) done.refused[index] = true;
  }
  return done;
}

/// Reads one connection; nothing (after complaints) when not even its type is known.
std::optional<connection> read_connection(reading& with, const entry& from, const tuning& defaults);

/// Reads the connections of a map; `names` gets all their names, also of those that are wrong.
std::vector<connection> read_connections(reading& with, const node& map, const tuning& defaults);

/// Where the groups stand, by name.
using group_places = std::map<std::string, const entry*>;
/// Reads one group; nothing after complaints.
std::optional<group> read_group(reading& with, const entry& from, group_places& places);

/// Puts the parts of a draft together: its type, its URL over its fields, its defaults; then checks it.
std::optional<connection> assemble(connection_draft draft, std::string_view name, const tuning& defaults,
                                   const field_bits& given, const complaint& wrong);

/// Reads what stands under the root key.
settings read_settings(reading& with, const node& root);

/// Turns a list of connections into a map by their names, so that both forms can be laid over each other.
void name_connections(problem_list& problems, node& root);

/// Lays one document over another: maps are merged, everything else is replaced, null takes away.
void lay_over(node& base, node over);

}  // namespace polypool::config
