// SPDX-License-Identifier: Apache-2.0
#include "server/query.hpp"

#include "base/hex.hpp"
#include "base/utf8.hpp"
#include "base/words.hpp"
#include "server/http_types.hpp"

#include <algorithm>

namespace polypool::server {
namespace {

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const int first = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int second = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (first < 0 || second < 0) throw http_failure(400, "Bad request", "the query has a '%' without two digits");
    out += static_cast<char>(first * 16 + second);
    i += 2;
  }
  if (to_valid_utf8(out) != out) throw http_failure(400, "Bad request", "the query is not UTF-8");
  return out;
}

}  // namespace

query_list parse_query(std::string_view text) {
  query_list out;
  while (!text.empty()) {
    const auto part = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    if (part.empty()) continue;
    const auto equals = part.find('=');
    const auto value = equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1);
    out.emplace_back(decoded(part.substr(0, equals)), decoded(value));
  }
  return out;
}

bool accepts(std::string_view header, std::string_view type, bool exactly) {
  header = trimmed(header);
  if (header.empty()) return !exactly;
  const std::string family(type.substr(0, type.find('/')));
  while (!header.empty()) {
    const auto range = header.substr(0, header.find(','));
    header.remove_prefix(std::min(header.size(), range.size() + 1));
    const auto name = lower_case(trimmed(range.substr(0, range.find(';'))));
    const auto weight = lower_case(trimmed(range.substr(std::min(range.size(), name.size()))));
    if (weight.find("q=0") != std::string::npos && weight.find_first_of("123456789") == std::string::npos) continue;
    if (name == type || (!exactly && (name == "*/*" || name == family + "/*"))) return true;
  }
  return false;
}

}  // namespace polypool::server
