// SPDX-License-Identifier: Apache-2.0
#include "cli/parameters.hpp"

#include "cli/row_writers.hpp"

#include <charconv>
#include <string_view>

namespace polypool::cli {
namespace {

template <class Number>
std::optional<Number> read_number(std::string_view text) {
  Number out{};
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (status != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

value read_word(const std::string& word) {
  // 007 and 1e3 stay text: telephone numbers, article codes and hashes look like that.
  const bool plain = word.find_first_not_of("-0123456789.") == word.npos;
  if (!plain) return {word};
  if (const auto number = read_number<std::int64_t>(word); number && std::to_string(*number) == word) return {*number};
  if (word.find('.') != word.npos && exact_json_number(word)) {
    if (const auto number = read_number<double>(word)) return {*number};
  }
  return {word};
}

}  // namespace

std::vector<value> read_parameters(const std::vector<std::string>& words, bool typed,
                                   const std::optional<std::string>& null_word) {
  std::vector<value> out;
  out.reserve(words.size());
  for (const std::string& word : words) {
    if (null_word && word == *null_word) {
      out.emplace_back(nullptr);
    } else if (typed) {
      out.push_back(read_word(word));
    } else {
      out.emplace_back(word);
    }
  }
  return out;
}

}  // namespace polypool::cli
