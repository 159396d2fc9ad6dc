// SPDX-License-Identifier: Apache-2.0
#include "base/hex.hpp"
#include "base/words.hpp"

#include <polypool/secret.hpp>

#include <algorithm>
#include <array>
#include <cctype>

namespace polypool {
namespace {

constexpr std::string_view stars = "***";

/// A key as a reader of the URL would see it: decoded, in lower case, without spaces and signs.
std::string plain_key(std::string_view key) {
  std::string out;
  for (std::size_t i = 0; i < key.size(); ++i) {
    char c = key[i];
    if (c == '%' && i + 2 < key.size() && hex_digit(key[i + 1]) >= 0 && hex_digit(key[i + 2]) >= 0) {
      c = static_cast<char>(hex_digit(key[i + 1]) * 16 + hex_digit(key[i + 2]));
      i += 2;
    }
    if (std::isalnum(static_cast<unsigned char>(c))) out += ascii_lower(c);
  }
  return out;
}

bool is_secret_key(std::string_view key) {
  static constexpr std::array<std::string_view, 9> words{
      "password", "passwd", "pwd", "passphrase", "secret", "token", "apikey", "accesskey", "authmechanismproperties"};
  const auto plain = plain_key(key);
  return std::ranges::any_of(words, [&](std::string_view word) { return plain.ends_with(word); });
}

/// Where the first pair ends. In ODBC's form a value in braces may hold the separator, and "}}" stands for one brace.
std::size_t pair_end(std::string_view text, char separator) {
  const auto plain = std::min(text.find(separator), text.size());
  const auto equals = text.substr(0, plain).find('=');
  if (separator != ';' || equals == std::string_view::npos) return plain;
  auto at = text.find_first_not_of(' ', equals + 1);
  if (at == std::string_view::npos || text[at] != '{') return plain;
  for (++at; at < text.size(); ++at) {
    if (text[at] != '}') continue;
    if (text.substr(at + 1, 1) != "}") return std::min(text.find(separator, at), text.size());
    ++at;
  }
  return text.size();
}

/// `a=b&c=d` or `a=b;c=d`, with the values of secret keys hidden.
std::string redact_pairs(std::string_view text, char separator) {
  std::string out;
  while (true) {
    const std::size_t end = pair_end(text, separator);
    const auto pair = text.substr(0, end);
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos && is_secret_key(pair.substr(0, equals))) {
      out += pair.substr(0, equals + 1);
      out += stars;
    } else {
      out += pair;
    }
    if (end == text.size()) return out;
    out += separator;
    text.remove_prefix(end + 1);
  }
}

/// Where a value of libpq's `key = 'value'` form ends.
std::size_t value_end(std::string_view text, std::size_t at) {
  const bool quoted = at < text.size() && text[at] == '\'';
  if (quoted) ++at;
  for (; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (quoted && text[at] == '\'') {
      return at + 1;
    } else if (!quoted && std::isspace(static_cast<unsigned char>(text[at]))) {
      return at;
    }
  }
  return text.size();
}

/// `key=value key='value'`, with the values of secret keys hidden.
std::string redact_words(std::string_view text) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto equals = text.find('=', at);
    if (equals == std::string_view::npos) break;
    std::size_t begin = equals + 1;
    while (begin < text.size() && std::isspace(static_cast<unsigned char>(text[begin]))) ++begin;
    const std::size_t end = value_end(text, begin);
    out += text.substr(at, begin - at);
    if (is_secret_key(text.substr(at, equals - at))) {
      out += stars;
    } else {
      out += text.substr(begin, end - begin);
    }
    at = end;
  }
  out += text.substr(std::min(at, text.size()));
  return out;
}

/// What stands before the last `@`, with everything after the user's name hidden.
std::string redact_user(std::string_view user) {
  const auto colon = user.find(':');
  if (colon == std::string_view::npos) return std::string(user);
  return std::string(user.substr(0, colon + 1)) + std::string(stars);
}

bool is_scheme(std::string_view text) {
  return std::ranges::all_of(text,
                             [](unsigned char c) { return std::isalnum(c) != 0 || c == '+' || c == '-' || c == '.'; });
}

/// `host:port` without a user. Where no number follows the colon, it may be a password whose URL was cut short.
std::string redact_host(std::string_view host) {
  const auto colon = host.rfind(':');
  if (colon == std::string_view::npos || host.ends_with(']')) return std::string(host);
  const auto port = host.substr(colon + 1);
  const bool number = std::ranges::all_of(port, [](char c) { return (c >= '0' && c <= '9') || c == ',' || c == '.'; });
  if (number || host.find(',') != std::string_view::npos) return std::string(host);
  return std::string(host.substr(0, host.find(':') + 1)) + std::string(stars);
}

}  // namespace

std::string redact_url(std::string_view url) {
  // Readers of a URL skip such spaces.
  const auto begin = url.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  url.remove_prefix(begin);
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos || !is_scheme(url.substr(0, scheme))) {
    if (url.find(';') != std::string_view::npos) return redact_pairs(url, ';');
    const auto question = url.find('?');
    if (question == std::string_view::npos) return redact_words(url);
    return redact_words(url.substr(0, question + 1)) + redact_pairs(url.substr(question + 1), '&');
  }
  std::string out(url.substr(0, scheme + 3));
  auto rest = url.substr(scheme + 3);
  // The last sign, wherever it stands: a password may hold '@', '/' and '?' unescaped, and hiding too much is safe.
  const auto at = rest.rfind('@');
  if (at != std::string_view::npos) {
    out += redact_user(rest.substr(0, at));
    out += '@';
    rest.remove_prefix(at + 1);
  }
  const auto question = rest.find('?');
  auto place = rest.substr(0, question);
  const auto slash = place.find('/');
  out += at == std::string_view::npos ? redact_host(place.substr(0, slash)) : std::string(place.substr(0, slash));
  if (slash != std::string_view::npos) out += place.substr(slash);
  if (question == std::string_view::npos) return out;
  return out + '?' + redact_pairs(rest.substr(question + 1), '&');
}

}  // namespace polypool
