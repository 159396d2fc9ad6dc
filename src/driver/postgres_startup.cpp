// SPDX-License-Identifier: Apache-2.0
#include "driver/postgres_words.hpp"

#include <polypool/driver.hpp>

#include <string>

namespace polypool::postgres {
namespace {

// In libpq's `options` blanks separate, and a backslash takes the meaning from what follows.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v') out += '\\';
    out += c;
  }
  return out;
}

std::string quoted_identifier(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

}  // namespace

// Settings that the session starts with, so that RESET ALL keeps them. A pooler (statement_cache 0) knows none.
std::string startup_options(const endpoint& where) {
  std::string out;
  if (where.statement_cache > 0) {
    out = "-c DateStyle=ISO -c IntervalStyle=postgres -c extra_float_digits=1 -c bytea_output=hex";
  }
  if (!where.schema.empty()) {
    if (!out.empty()) out += ' ';
    out += "-c search_path=" + escaped(quoted_identifier(where.schema));
  }
  return out;
}

}  // namespace polypool::postgres
