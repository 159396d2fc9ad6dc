// SPDX-License-Identifier: Apache-2.0
#include "config/document.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <optional>
#include <streambuf>
#include <unordered_map>

namespace polypool::config {
namespace {

// What aliases may multiply a document to, in bytes of nodes and texts. Ten thousand connections that share a dozen
// defaults stay far below it; a "billion laughs" does not.
constexpr std::size_t most_copied = 256UZ * 1024 * 1024;

constexpr const char* a_key_is = "a key has to be a single value (is a '[' or '{' not closed?)";

std::size_t weight(const node& value) {
  std::size_t sum = sizeof(entry) + value.text.size();
  for (const auto& child : value.children) sum += child.key.size() + weight(child.value);
  return sum;
}

std::size_t height(const node& value) {
  std::size_t most = 0;
  for (const auto& child : value.children) most = std::max(most, height(child.value));
  return value.children.empty() ? 0 : most + 1;
}

class yaml_handler final : public YAML::EventHandler {
 public:
  yaml_handler(problem_list& problems, std::uint32_t file) : tree_(problems, file) {}
  tree_builder& tree() noexcept { return tree_; }
  /// Where the last scalar in quotes began.
  const std::optional<YAML::Mark>& last_quoted() const noexcept { return last_quoted_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (tree_.wants_key()) throw unreadable_document(at(mark), "a key is missing or is null");
    node value;
    value.where = at(mark);
    remember(anchor, tree_.add(std::move(value)));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end()) throw unreadable_document(at(mark), "an alias refers to a value that contains it");
    if (tree_.wants_key()) {
      take_key(known->second, at(mark));
      return;
    }
    charge(weight(known->second), at(mark));
    if (tree_.depth() + height(known->second) > most_depth) {
      throw unreadable_document(at(mark), "is nested deeper than " + std::to_string(most_depth) + " levels");
    }
    tree_.add(known->second);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    check_tag(tag, mark);
    if (tag != "?") last_quoted_ = mark;
    node value;
    value.type = node::kind::scalar;
    // yaml-cpp gives "?" to plain scalars and "!" to those in quotes.
    value.quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
    value.where = at(mark);
    value.text = text;
    if (tree_.wants_key()) {
      take_key(value, at(mark));
      remember(anchor, value);
      return;
    }
    remember(anchor, tree_.add(std::move(value)));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(node::kind::list, mark, tag, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(node::kind::map, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  position at(const YAML::Mark& mark) const noexcept { return tree_.at(mark.line + 1, mark.column + 1); }

  void open(node::kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (tree_.wants_key()) throw unreadable_document(at(mark), a_key_is);
    check_tag(tag, mark);
    tree_.open(kind, at(mark));
    open_anchors_.push_back(anchor);
  }

  void close() {
    auto& done = tree_.close();
    const auto anchor = open_anchors_.back();
    open_anchors_.pop_back();
    if (done.is_map()) merge_defaults(done);
    remember(anchor, done);
  }

  void take_key(const node& value, position where) {
    if (!value.is_scalar()) throw unreadable_document(where, a_key_is);
    tree_.key(value.text, where);
  }

  void remember(YAML::anchor_t anchor, const node& value) {
    if (anchor == YAML::NullAnchor) return;
    charge(weight(value), value.where);
    anchors_[anchor] = value;
  }

  void charge(std::size_t bytes, position where) {
    copied_ += bytes;
    if (copied_ > most_copied) {
      throw unreadable_document(
          where, "its aliases expand to more than " + std::to_string(most_copied / 1024 / 1024) + " MiB");
    }
  }

  void check_tag(const std::string& tag, const YAML::Mark& mark) {
    static constexpr std::string_view standard = "tag:yaml.org,2002:";
    if (tag.empty() || tag == "?" || tag == "!") return;
    const auto name = std::string_view(tag).substr(std::min(tag.size(), standard.size()));
    static constexpr std::string_view known[] = {"str", "int", "float", "bool", "null", "map", "seq"};
    if (tag.starts_with(standard) && std::ranges::find(known, name) != std::end(known)) return;
    tree_.problems().add(at(mark), tree_.path(),
                         "has a tag that has no meaning here; a value that starts with '!' needs quotes");
  }

  /// `<<: *defaults` or `<<: [*a, *b]`: takes over what the map does not have itself; the first has priority.
  void merge_defaults(node& map) {
    const auto found = std::ranges::find(map.children, "<<", &entry::key);
    if (found == map.children.end()) return;
    auto source = std::move(found->value);
    map.children.erase(found);
    if (!source.is_list()) {
      merge_from(map, std::move(source));
      return;
    }
    for (auto& one : source.children) merge_from(map, std::move(one.value));
  }

  void merge_from(node& map, node source) {
    if (!source.is_map()) {
      tree_.problems().add(source.where, tree_.path(), "'<<' takes a map, or a list of maps");
      return;
    }
    std::unordered_set<std::string> own;
    for (const auto& child : map.children) own.insert(child.key);
    for (auto& child : source.children) {
      if (own.insert(child.key).second) map.children.push_back(std::move(child));
    }
  }

  tree_builder tree_;
  std::unordered_map<YAML::anchor_t, node> anchors_;
  std::vector<YAML::anchor_t> open_anchors_;
  std::size_t copied_ = 0;
  std::optional<YAML::Mark> last_quoted_;
};

/// Reads a text where it lies; a std::istringstream would copy it.
class view_buffer final : public std::streambuf {
 public:
  explicit view_buffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // never written through: there is no put area
    setg(begin, begin, begin + text.size());
  }
};

/// yaml-cpp takes the end of the file for a closing quote when a line break stands before it. Only the last scalar can
/// have swallowed the rest like that.
bool is_closed(std::string_view text, const YAML::Mark& mark) {
  auto at = static_cast<std::size_t>(std::max(mark.pos, 0));
  while (at < text.size() && (text[at] == '&' || text[at] == '!')) {  // an anchor, a tag
    at = text.find_first_not_of(" \t\r\n", std::min(text.find_first_of(" \t\r\n", at), text.size()));
  }
  if (at >= text.size() || (text[at] != '\'' && text[at] != '"')) return true;  // a block
  const char quote = text[at];
  for (++at; at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      if (quote == '"' || text.substr(at + 1, 1) != "'") return true;
      ++at;
    }
  }
  return false;
}

/// Whether a tab stands before the first word of the line, which yaml-cpp complains about in other words.
bool is_indented_with_tab(std::string_view text, const YAML::Mark& mark) {
  const auto at = std::min(static_cast<std::size_t>(std::max(mark.pos, 0)), text.size());
  const auto before = text.substr(0, at).rfind('\n');
  const auto line = text.substr(before == std::string_view::npos ? 0 : before + 1);
  return line.substr(0, line.find_first_not_of(" \t")).find('\t') != std::string_view::npos;
}

/// yaml-cpp's message without what it may quote from the file: `password: *hunter2` must not show.
std::string explained(const YAML::Exception& failed, std::string_view text) {
  std::string_view message = failed.msg;
  message = message.substr(0, message.find(": "));
  std::string out = "is not valid YAML: " + std::string(message);
  if (message.find("anchor") != std::string_view::npos || message.find("alias") != std::string_view::npos) {
    out += "; a value that starts with '*' or '&' needs quotes";
  }
  if (is_indented_with_tab(text, failed.mark)) out += "; YAML is indented with spaces, never with tabs";
  return out;
}

}  // namespace

node read_yaml(std::string_view text, problem_list& problems, std::uint32_t file) {
  view_buffer buffer(text);
  std::istream stream(&buffer);
  yaml_handler handler(problems, file);
  try {
    YAML::Parser parser(stream);
    parser.HandleNextDocument(handler);
    if (const auto& last = handler.last_quoted(); last && !is_closed(text, *last)) {
      problems.add({file, last->line + 1, last->column + 1}, {}, "is not valid YAML: a quote is not closed");
      return {};
    }
    yaml_handler second(problems, file);
    if (handler.tree().complete() && parser.HandleNextDocument(second)) {
      problems.add({file, 0, 0}, {}, "has more than one YAML document ('---'); a configuration is one");
    }
  } catch (const unreadable_document& failed) {
    problems.add(failed.where(), handler.tree().path(), failed.what());
    return {};
  } catch (const YAML::Exception& failed) {
    problems.add({file, failed.mark.line + 1, failed.mark.column + 1}, handler.tree().path(), explained(failed, text));
    return {};
  }
  return handler.tree().take();
}

}  // namespace polypool::config
