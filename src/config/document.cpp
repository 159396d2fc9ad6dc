// SPDX-License-Identifier: Apache-2.0
#include "config/document.hpp"

#include "base/utf8.hpp"

#include <algorithm>

namespace polypool::config {
namespace {

// Up to here a look at each key is faster than a set of them.
constexpr std::size_t few_keys = 24;

position place_of(std::string_view text, std::size_t index, std::uint32_t file) {
  const auto before = text.substr(0, index);
  const auto line = 1 + std::ranges::count(before, '\n');
  const auto start = before.rfind('\n');
  const auto column = index - (start == std::string_view::npos ? 0 : start + 1) + 1;
  return {file, static_cast<std::int32_t>(line), static_cast<std::int32_t>(column)};
}

/// True when the text can be given to a parser.
bool is_text(std::string_view text, problem_list& problems, std::uint32_t file) {
  if (text.size() > most_bytes) {
    problems.add({file, 0, 0}, {}, "is larger than " + std::to_string(most_bytes / 1024 / 1024) + " MiB");
    return false;
  }
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    problems.add({file, 0, 0}, {}, "is empty; a configuration has at least 'connections'");
    return false;
  }
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    problems.add(place_of(text, nul, file), {}, "is not a text: it has a NUL byte (a binary file, or UTF-16?)");
    return false;
  }
  if (const auto broken = find_invalid_utf8(text); broken != std::string_view::npos) {
    problems.add(place_of(text, broken, file), {}, "is not UTF-8");
    return false;
  }
  return true;
}

}  // namespace

const node* node::find(std::string_view key) const noexcept {
  const auto found = std::ranges::find(children, key, &entry::key);
  return found == children.end() ? nullptr : &found->value;
}

node* node::find(std::string_view key) noexcept {
  const auto found = std::ranges::find(children, key, &entry::key);
  return found == children.end() ? nullptr : &found->value;
}

std::string_view node::what() const noexcept {
  switch (type) {
    case kind::null:
      return "nothing";
    case kind::scalar:
      return "a single value";
    case kind::list:
      return "a list";
    case kind::map:
      return "a map";
  }
  return "unknown";
}

node& tree_builder::add(node value) {
  if (++nodes_ > most_nodes) {
    throw unreadable_document(value.where, "has more than " + std::to_string(most_nodes) + " values");
  }
  if (open_.empty()) {
    root_ = std::move(value);
    has_root_ = true;
    return root_;
  }
  auto& parent = open_.back();
  // A block begins in the line after its key, but people look for the key.
  if (parent.has_key && !value.is_scalar()) value.where = parent.key_where;
  parent.value.children.push_back({std::move(parent.key), parent.key_where, std::move(value)});
  parent.key.clear();
  parent.has_key = false;
  return parent.value.children.back().value;
}

void tree_builder::open(node::kind kind, position where) {
  if (open_.size() == most_depth) {
    throw unreadable_document(where, "is nested deeper than " + std::to_string(most_depth) + " levels");
  }
  level next;
  next.value.type = kind;
  next.value.where = where;
  open_.push_back(std::move(next));
}

node& tree_builder::close() {
  auto done = std::move(open_.back().value);
  open_.pop_back();
  return add(std::move(done));
}

void tree_builder::key(std::string_view text, position where) {
  auto& map = open_.back();
  if (seen_before(map, text)) {
    const auto first = std::ranges::find(map.value.children, text, &entry::key);
    std::string what = "key '" + shown_key(text) + "' is given twice";
    if (first != map.value.children.end() && first->where.line > 0 && first->where.line != where.line) {
      what += "; first in line " + std::to_string(first->where.line);
    }
    problems_.add(where, path(), std::move(what));
  }
  map.key = text;
  map.key_where = where;
  map.has_key = true;
}

bool tree_builder::seen_before(level& map, std::string_view text) {
  const auto& children = map.value.children;
  if (children.size() < few_keys) return std::ranges::find(children, text, &entry::key) != children.end();
  if (map.seen.empty()) {
    for (const auto& child : children) map.seen.insert(child.key);
  }
  return !map.seen.emplace(text).second;
}

std::string tree_builder::path() const {
  std::string out;
  for (const auto& level : open_) {
    if (!level.has_key) continue;
    if (!out.empty()) out += '.';
    out += shown_key(level.key);
  }
  return out;
}

notation notation_of(std::string_view file) noexcept {
  return file.ends_with(".json") || file.ends_with(".JSON") ? notation::json : notation::yaml;
}

node read_document(std::string_view text, std::string_view name, notation how, problem_list& problems) {
  const auto file = problems.add_file(name);
  if (!is_text(text, problems, file)) return {};
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return how == notation::json ? read_json(text, problems, file) : read_yaml(text, problems, file);
}

}  // namespace polypool::config
