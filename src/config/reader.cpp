// SPDX-License-Identifier: Apache-2.0
#include "config/reader.hpp"

#include <array>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace polypool::config {
namespace {

// What people write who come from elsewhere; too far away for the edit distance.
constexpr std::array<std::pair<std::string_view, std::string_view>, 18> synonyms{{
    {"username", "user"},
    {"dbname", "database"},
    {"db", "database"},
    {"hostname", "host"},
    {"path", "filepath"},
    {"file", "filepath"},
    {"ssl", "sslmode"},
    {"tls", "sslmode"},
    {"pool_size", "max_open_conns"},
    {"max_connections", "max_open_conns"},
    {"max_pool_size", "max_open_conns"},
    {"min_pool_size", "min_open_conns"},
    {"driver", "type"},
    {"timeout", "query_timeout"},
    {"uri", "dsn"},
    {"connection_string", "dsn"},
    {"pass", "password"},
    {"retries", "retry_attempts"},
}};

/// A variable that is called like a secret holds one, whatever field it was put into.
bool names_secret(std::string_view text) {
  const auto upper = upper_case(text);
  for (const std::string_view word : {"PASS", "PW", "SECRET", "TOKEN", "KEY", "PWD", "URL", "DSN", "CRED"}) {
    if (upper.find(word) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

std::string inside(const std::string& path, std::string_view name) {
  return path.empty() ? shown_key(name) : path + "." + shown_key(name);
}

std::string field_key(std::string_view name) {
  const auto sign = name.find_first_of(":=");
  return sign == std::string_view::npos ? shown_key(name) : shown_key(name.substr(0, sign + 1)) + "…";
}

std::string unknown_field(std::string_view name, std::vector<std::string_view> known) {
  const auto key = field_key(name);
  std::string out = "unknown field '" + key + "'";
  if (key.ends_with("…")) return out + "; is a space missing after the colon?";
  const auto same =
      std::ranges::find(synonyms, lower_case(name), &std::pair<std::string_view, std::string_view>::first);
  if (same != synonyms.end() && std::ranges::find(known, same->second) != known.end()) {
    return out + "; did you mean '" + std::string(same->second) + "'?";
  }
  const auto near = suggestion(name, known);
  if (!near.empty()) return out + near;
  std::ranges::sort(known);
  return out + "; allowed: " + joined(known);
}

std::optional<std::string> text_of(reading& with, const node& value, const std::string& path, bool in_url) {
  if (!value.is_scalar()) {
    with.problems.add(value.where, path, "is " + std::string(value.what()) + "; a single value is expected");
    return std::nullopt;
  }
  if (value.text.find("${") == std::string::npos) return value.text;
  auto text = substitute(value.text, with.variables, in_url);
  if (text) return std::move(*text);
  with.problems.add(value.where, path, std::move(text.error()));
  return std::nullopt;
}

void read_texts(reading& with, const node& value, const std::string& path, std::map<std::string, std::string>& target) {
  if (!value.is_map()) {
    with.problems.add(value.where, path, "is " + std::string(value.what()) + "; a map of texts is expected");
    return;
  }
  for (const auto& child : value.children) {
    if (child.value.is_null()) {
      target[child.key] = "";
    } else if (auto text = text_of(with, child.value, inside(path, child.key))) {
      target[child.key] = std::move(*text);
    }
  }
}

void complain_about(reading& with, const node& value, const std::string& path, const std::string& text, bool is_secret,
                    const refusal& why) {
  std::string what;
  const bool from_variable = value.text.find("${") != std::string::npos;
  if (from_variable && !is_secret && names_secret(value.text)) {
    what = "the value of " + shown(value.text) + " ";
  } else if (!is_secret) {
    what = shown(text) + (from_variable ? " (from " + shown(value.text) + ") " : " ");
  }
  with.problems.add(value.where, path, what + why.why + "; allowed: " + why.allowed);
}

void name_connections(problem_list& problems, node& root) {
  auto* list = root.find("connections");
  if (list == nullptr || !list->is_list()) return;
  node map;
  map.type = node::kind::map;
  map.where = list->where;
  std::unordered_set<std::string> names;
  for (std::size_t i = 0; i < list->children.size(); ++i) {
    auto& item = list->children[i].value;
    const std::string path = "connections[" + std::to_string(i) + "]";
    const auto* name = item.is_map() ? item.find("name") : nullptr;
    if (name == nullptr || !name->is_scalar()) {
      problems.add(item.where, path, "a connection in a list needs a 'name'");
    } else if (!names.insert(name->text).second) {
      problems.add(name->where, path + ".name", shown(name->text) + " is the name of an earlier connection, too");
    } else {
      std::string key = name->text;
      const auto where = item.where;
      map.children.push_back({std::move(key), where, std::move(item)});
    }
  }
  *list = std::move(map);
}

namespace {

/// How deep a map stands, as far as it matters for the spelling of its keys.
enum class place { root, connections, connection, texts };

place below(place here, std::string_view key) {
  if (here == place::root) return key == "connections" ? place::connections : place::texts;
  return here == place::connections ? place::connection : place::texts;
}

/// `url` and `dsn` are one field: one of them replaces the other.
std::string_view canonical(place here, std::string_view key) {
  if (here == place::connection) {
    if (const auto* known = find_field(connection_fields(), key)) return known->name;
  } else if (here == place::root) {
    if (const auto* known = find_field(settings_fields(), key)) return known->name;
  }
  return key;
}

void lay_map_over(node& base, node over, place here) {
  // By index: views of the keys do not survive when the vector grows and moves short strings.
  std::unordered_map<std::string, std::size_t> known;
  for (std::size_t i = 0; i < base.children.size(); ++i) known.emplace(canonical(here, base.children[i].key), i);
  bool some_gone = false;
  for (auto& child : over.children) {
    const auto [found, fresh] = known.emplace(canonical(here, child.key), base.children.size());
    if (fresh) {
      base.children.push_back(std::move(child));
      continue;
    }
    auto& mine = base.children[found->second];
    if (child.value.is_map() && mine.value.is_map()) {
      mine.value.where = child.value.where;
      lay_map_over(mine.value, std::move(child.value), below(here, child.key));
    } else {
      some_gone = some_gone || child.value.is_null();
      mine = std::move(child);
    }
  }
  if (some_gone) std::erase_if(base.children, [](const entry& e) { return e.value.is_null(); });
}

}  // namespace

void lay_over(node& base, node over) {
  if (over.is_null()) return;
  if (!base.is_map()) {
    base = std::move(over);
    return;
  }
  lay_map_over(base, std::move(over), place::root);
}

}  // namespace polypool::config
