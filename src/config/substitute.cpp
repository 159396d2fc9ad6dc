// SPDX-License-Identifier: Apache-2.0
#include "config/substitute.hpp"

#include "config/problems.hpp"

#include <cctype>
#include <optional>
#include <utility>
#include <vector>

namespace polypool::config {
namespace {

constexpr int deepest_default = 8;
constexpr std::size_t longest_value = 1024UZ * 1024;

bool is_name(std::string_view text) {
  if (text.empty() || std::isdigit(static_cast<unsigned char>(text[0])) != 0) return false;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_') return false;
  }
  return true;
}

/// The index of the brace that closes what was opened before `at`; npos when there is none.
std::size_t closing_brace(std::string_view text, std::size_t at) {
  int open = 1;
  for (; at < text.size(); ++at) {
    if (text.substr(at).starts_with("${")) {
      ++open;
    } else if (text[at] == '}' && --open == 0) {
      return at;
    }
  }
  return std::string_view::npos;
}

struct piece {
  std::size_t begin, end;
};

class substitution {
 public:
  explicit substitution(const variable_lookup& variables) : variables_(variables) {}

  /// Appends `text` with its variables; false when something is wrong.
  bool append(std::string_view text, int depth) {
    while (!text.empty()) {
      const auto at = text.find("${");
      out.append(text.substr(0, at));
      if (at == std::string_view::npos) return true;
      if (at > 0 && text[at - 1] == '$') {
        out.back() = '$';
        out += '{';
        text.remove_prefix(at + 2);
        continue;
      }
      const auto end = closing_brace(text, at + 2);
      if (end == std::string_view::npos) return fail("'${' is not closed; write '$${' for a literal '${'");
      if (!variable(text.substr(at + 2, end - at - 2), depth)) return false;
      text.remove_prefix(end + 1);
    }
    return true;
  }

  std::string out;
  std::string wrong;
  std::vector<piece> pieces;

 private:
  bool fail(std::string what) {
    wrong = std::move(what);
    return false;
  }

  bool variable(std::string_view inside, int depth) {
    const auto split = inside.find(":-");
    const auto name = inside.substr(0, split);
    if (!is_name(name)) {
      return fail("'${…}' does not hold the name of a variable; write '$${' for a literal '${'");
    }
    const auto value = variables_ ? variables_(std::string(name)) : std::nullopt;
    const auto begin = out.size();
    if (value && (!value->empty() || split == std::string_view::npos)) {
      if (out.size() + value->size() > longest_value) return fail("is too long once its variables are put in");
      out += *value;
    } else if (split == std::string_view::npos) {
      return fail("variable " + std::string(name) + " is not set; set it, or write ${" + std::string(name) +
                  ":-default}");
    } else if (depth == deepest_default) {
      return fail("its defaults are nested too deeply");
    } else if (!append(inside.substr(split + 2), depth + 1)) {
      return false;
    }
    if (depth == 0) pieces.push_back({begin, out.size()});
    return true;
  }

  const variable_lookup& variables_;
};

/// Where user and password stand in a URL whose variables are masked, so that their content cannot move them.
std::optional<piece> user_part(const std::string& masked) {
  const auto scheme = masked.find("://");
  if (scheme == std::string::npos) return std::nullopt;
  const auto begin = scheme + 3;
  const auto authority = masked.substr(begin, masked.find_first_of("/?", begin) - begin);
  const auto at = authority.rfind('@');
  if (at == std::string::npos) return std::nullopt;
  return piece{begin, begin + at};
}

std::string escaped(std::string_view text) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    // A variable that holds an escaped password already is left alone.
    const bool escape = c == '%' && i + 2 < text.size() &&
                        std::isxdigit(static_cast<unsigned char>(text[i + 1])) != 0 &&
                        std::isxdigit(static_cast<unsigned char>(text[i + 2])) != 0;
    if (escape || std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_' || c == '~') {
      out += text[i];
    } else {
      out += '%';
      out += digits[c >> 4U];
      out += digits[c & 15U];
    }
  }
  return out;
}

/// Escapes each variable that stands inside the user part.
std::string escape_user(const substitution& done) {
  std::string masked = done.out;
  for (const auto& one : done.pieces) masked.replace(one.begin, one.end - one.begin, one.end - one.begin, 'x');
  const auto user = user_part(masked);
  if (!user) return done.out;
  std::string out;
  std::size_t from = 0;
  for (const auto& one : done.pieces) {
    if (one.begin < user->begin || one.end > user->end) continue;
    out.append(done.out, from, one.begin - from);
    std::string value = done.out.substr(one.begin, one.end - one.begin);
    // `${CREDENTIALS}@host` may hold user and password both.
    const bool whole = one.begin == user->begin && one.end == user->end;
    const auto colon = whole ? value.find(':') : std::string::npos;
    if (colon != std::string::npos) {
      out += escaped(value.substr(0, colon)) + ':';
      value.erase(0, colon + 1);
    }
    out += escaped(value);
    from = one.end;
  }
  return out.append(done.out, from);
}

}  // namespace

std::expected<std::string, std::string> substitute(std::string_view text, const variable_lookup& variables,
                                                   bool in_url) {
  substitution work(variables);
  if (!work.append(text, 0)) return std::unexpected(std::move(work.wrong));
  if (in_url && !work.pieces.empty()) return escape_user(work);
  return std::move(work.out);
}

}  // namespace polypool::config
