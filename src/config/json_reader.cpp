// SPDX-License-Identifier: Apache-2.0
#include "config/document.hpp"

#include <boost/json/basic_parser_impl.hpp>

namespace polypool::config {
namespace {

namespace json = boost::json;

/// Boost.JSON's events, as a tree. The line is set from outside, because the parser does not tell its place.
class json_handler {
 public:
  static constexpr std::size_t max_object_size = most_bytes;  // the tree counts
  static constexpr std::size_t max_array_size = most_bytes;
  static constexpr std::size_t max_key_size = 64UZ * 1024;
  static constexpr std::size_t max_string_size = most_bytes;

  json_handler(problem_list& problems, std::uint32_t file) : tree_(problems, file) {}
  tree_builder& tree() noexcept { return tree_; }
  int line = 1;

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) { return open(node::kind::map); }
  bool on_array_begin(json::error_code&) { return open(node::kind::list); }
  bool on_object_end(std::size_t, json::error_code&) { return close(); }
  bool on_array_end(std::size_t, json::error_code&) { return close(); }
  bool on_key_part(json::string_view text, std::size_t, json::error_code&) { return gather(text); }
  bool on_string_part(json::string_view text, std::size_t, json::error_code&) { return gather(text); }
  bool on_number_part(json::string_view text, json::error_code&) { return gather(text); }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }
  bool on_key(json::string_view text, std::size_t, json::error_code&) {
    gather(text);
    tree_.key(part_, here());
    part_.clear();
    return true;
  }
  bool on_string(json::string_view text, std::size_t, json::error_code&) { return scalar(text, true); }
  bool on_int64(std::int64_t, json::string_view text, json::error_code&) { return scalar(text, false); }
  bool on_uint64(std::uint64_t, json::string_view text, json::error_code&) { return scalar(text, false); }
  bool on_double(double, json::string_view text, json::error_code&) { return scalar(text, false); }
  bool on_bool(bool value, json::error_code&) { return scalar(value ? "true" : "false", false); }
  bool on_null(json::error_code&) {
    node value;
    value.where = here();
    tree_.add(std::move(value));
    return true;
  }

 private:
  position here() const noexcept { return tree_.at(line, 0); }
  bool gather(json::string_view text) {
    part_.append(text.data(), text.size());
    return true;
  }
  bool scalar(json::string_view text, bool quoted) {
    gather(text);
    node value;
    value.type = node::kind::scalar;
    value.quoted = quoted;
    value.where = here();
    value.text = std::move(part_);
    part_.clear();
    tree_.add(std::move(value));
    return true;
  }
  bool open(node::kind kind) {
    tree_.open(kind, here());
    return true;
  }
  bool close() {
    tree_.close();
    return true;
  }

  tree_builder tree_;
  std::string part_;
};

/// The parser's message, in words that fit a configuration.
std::string explained(const json::error_code& failed) {
  switch (static_cast<json::error>(failed.value())) {
    case json::error::extra_data:
      return "something follows the end of the document";
    case json::error::incomplete:
      return "the document ends too early: a '}', ']' or '\"' is missing";
    case json::error::too_deep:
      return "is nested deeper than " + std::to_string(most_depth) + " levels";
    default:
      return "is not valid JSON: " + failed.message();
  }
}

}  // namespace

node read_json(std::string_view text, problem_list& problems, std::uint32_t file) {
  json::parse_options options;
  options.max_depth = most_depth;
  json::basic_parser<json_handler> parser(options, problems, file);
  auto& handler = parser.handler();
  try {
    while (!text.empty()) {
      const auto end = text.find('\n');
      const auto line = text.substr(0, end == std::string_view::npos ? text.size() : end + 1);
      text.remove_prefix(line.size());
      json::error_code failed;
      const auto used = parser.write_some(!text.empty(), line.data(), line.size(), failed);
      // What stands behind a complete document is not read by the parser.
      if (!failed && line.find_first_not_of(" \t\r\n", used) != std::string_view::npos)
        failed = json::error::extra_data;
      if (failed) {
        auto where = handler.tree().at(handler.line, static_cast<int>(used) + 1);
        problems.add(where, handler.tree().path(), explained(failed));
        return {};
      }
      ++handler.line;
    }
  } catch (const unreadable_document& failed) {
    problems.add(failed.where(), handler.tree().path(), failed.what());
    return {};
  }
  return handler.tree().take();
}

}  // namespace polypool::config
