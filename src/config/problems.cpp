// SPDX-License-Identifier: Apache-2.0
#include "config/problems.hpp"

#include "base/edit_distance.hpp"

#include <algorithm>
#include <cctype>

namespace polypool::config {
namespace {

// More would not be read, and a generated file can have very many.
constexpr std::size_t most_problems = 1000;
constexpr std::size_t most_shown = 60;

std::string all_texts(const std::vector<problem>& problems) {
  if (problems.empty()) return "the configuration is not valid";
  if (problems.size() == 1) return problems.front().to_string();
  std::string out = "the configuration has " + std::to_string(problems.size()) + " problems:";
  for (const auto& one : problems) out += "\n  " + one.to_string();
  return out;
}

std::string normal(std::string_view word) {
  std::string out;
  for (const char c : word) {
    if (c != '_' && c != '-') out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

}  // namespace

std::string problem::to_string() const {
  std::string out;
  if (!file.empty()) {
    out += file;
    if (line > 0) out += ":" + std::to_string(line);
    out += ": ";
  }
  if (!field.empty()) out += field + ": ";
  return out + what;
}

configuration_error::configuration_error(std::vector<problem> problems)
    : error(errc::invalid_configuration, all_texts(problems)), problems_(std::move(problems)) {}

std::uint32_t problem_list::add_file(std::string_view name) {
  files_.emplace_back(name);
  return static_cast<std::uint32_t>(files_.size() - 1);
}

void problem_list::add(position where, std::string field, std::string what) {
  if (problems_.size() == most_problems) {
    ++left_out_;
    return;
  }
  problems_.push_back({.file = where.file < files_.size() ? files_[where.file] : std::string(),
                       .line = where.line,
                       .field = std::move(field),
                       .what = std::move(what)});
}

void problem_list::throw_if_any() {
  if (problems_.empty()) return;
  if (left_out_ > 0) {
    problem rest;
    rest.what = "and " + std::to_string(left_out_) + " more problems";
    problems_.push_back(std::move(rest));
  }
  throw configuration_error(std::move(problems_));
}

std::string shown(std::string_view value) {
  std::string out = "'";
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto c = static_cast<unsigned char>(value[i]);
    // Not in the middle of a character: its other bytes begin with the bits 10.
    if (i >= most_shown && (c & 0xC0U) != 0x80U) return out + "…'";
    out += c < 0x20 || c == 0x7F ? '?' : value[i];
  }
  return out + "'";
}

std::string shown_key(std::string_view key) {
  const auto sign = key.find_first_of(":=");
  if (sign != std::string_view::npos) {
    const auto word = normal(key.substr(0, sign));
    for (const std::string_view secret :
         {"password", "pass", "pwd", "passwd", "dsn", "url", "uri", "secret", "token"}) {
      if (word == secret) return std::string(key.substr(0, sign + 1)) + "…";
    }
  }
  const auto quoted = shown(key);
  return quoted.substr(1, quoted.size() - 2);
}

std::string suggestion(std::string_view misspelt, const std::vector<std::string_view>& candidates) {
  if (misspelt.size() > 64) return {};
  const auto wanted = normal(misspelt);
  std::string_view best;
  std::size_t least = std::max<std::size_t>(1, wanted.size() / 3) + 1;
  for (const auto candidate : candidates) {
    const auto distance = edit_distance(wanted, normal(candidate));
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best.empty() ? std::string() : "; did you mean '" + std::string(best) + "'?";
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string out;
  for (const auto word : words) {
    if (!out.empty()) out += ", ";
    out += word;
  }
  return out;
}

}  // namespace polypool::config
