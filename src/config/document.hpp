// SPDX-License-Identifier: Apache-2.0
// A document as a tree, whatever the notation it was written in.
#pragma once

#include "config/problems.hpp"

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace polypool::config {

struct entry;

/// One value of a document with its place. Keys keep their order; numbers and booleans are kept as they were written.
struct node {
  enum class kind : std::uint8_t { null, scalar, list, map };
  kind type = kind::null;
  /// A scalar that was written as a string: in quotes, as a block, or with the tag !!str.
  bool quoted = false;
  position where;
  std::string text;             ///< of a scalar
  std::vector<entry> children;  ///< of a list (without keys) or a map

  bool is_null() const noexcept { return type == kind::null; }
  bool is_scalar() const noexcept { return type == kind::scalar; }
  bool is_list() const noexcept { return type == kind::list; }
  bool is_map() const noexcept { return type == kind::map; }
  /// The value of a key of a map; null when there is none.
  const node* find(std::string_view key) const noexcept;
  node* find(std::string_view key) noexcept;
  /// What it is, for messages: "a list", "a map" …
  std::string_view what() const noexcept;
};

/// A value with its key and where the key stands.
struct entry {
  std::string key;
  position where;
  node value;
};

constexpr std::size_t most_bytes = 64UZ * 1024 * 1024;
constexpr std::size_t most_depth = 64;
constexpr std::size_t most_nodes = 2'000'000;

/// Puts a tree together from the events of a parser, and watches over its limits.
class tree_builder {
 public:
  tree_builder(problem_list& problems, std::uint32_t file) : problems_(problems), file_(file) {}

  /// A value that is complete, such as a scalar or a copy.
  node& add(node value);
  void open(node::kind kind, position where);
  /// Ends the innermost list or map and gives it for a last change.
  node& close();
  /// The key of the value that comes next. Complains when the map has it already.
  void key(std::string_view text, position where);

  bool in_map() const noexcept { return !open_.empty() && open_.back().value.is_map(); }
  /// In a map, and what comes next is a key.
  bool wants_key() const noexcept { return in_map() && !open_.back().has_key; }
  bool complete() const noexcept { return has_root_ && open_.empty(); }
  std::size_t depth() const noexcept { return open_.size(); }
  position at(int line, int column) const noexcept { return {file_, line, column}; }
  problem_list& problems() noexcept { return problems_; }
  /// "connections.primary" for what is open now.
  std::string path() const;
  node take() { return std::move(root_); }

 private:
  struct level {
    node value;
    std::string key;
    position key_where;
    bool has_key = false;
    std::unordered_set<std::string> seen;  ///< the keys so far, once they are many
  };
  static bool seen_before(level& map, std::string_view text);

  problem_list& problems_;
  std::uint32_t file_;
  std::vector<level> open_;
  node root_;
  bool has_root_ = false;
  std::size_t nodes_ = 0;
};

/// A document cannot be read on from here. Caught by the readers, which make a problem of it.
class unreadable_document : public std::exception {
 public:
  unreadable_document(position where, std::string what) : where_(where), what_(std::move(what)) {}
  const char* what() const noexcept override { return what_.c_str(); }
  position where() const noexcept { return where_; }

 private:
  position where_;
  std::string what_;
};

/// Reads YAML. Problems go to the list; what comes back is null when the text could not be read.
node read_yaml(std::string_view text, problem_list& problems, std::uint32_t file);
/// Reads JSON.
node read_json(std::string_view text, problem_list& problems, std::uint32_t file);
enum class notation : std::uint8_t { yaml, json };
/// The notation of a file: JSON where its extension says so.
notation notation_of(std::string_view file) noexcept;
/// Reads a text, after looking whether it is one: size, UTF-8, no NUL.
/// @param name what it is called in messages
node read_document(std::string_view text, std::string_view name, notation how, problem_list& problems);

}  // namespace polypool::config
