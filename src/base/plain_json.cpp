// SPDX-License-Identifier: Apache-2.0
#include "base/plain_json.hpp"

#include <boost/json.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

namespace polypool {
namespace {

namespace json = boost::json;

void write(std::string& out, const json::value& value);

void write(std::string& out, const json::object& fields) {
  char before = '{';
  for (const auto& [key, value] : fields) {
    out += before;
    out += json::serialize(json::string_view(key));
    out += ':';
    write(out, value);
    before = ',';
  }
  out += fields.empty() ? "{}" : "}";
}

void write(std::string& out, const json::array& items) {
  char before = '[';
  for (const auto& value : items) {
    out += before;
    write(out, value);
    before = ',';
  }
  out += items.empty() ? "[]" : "]";
}

void write(std::string& out, const json::value& value) {
  if (const auto* fields = value.if_object()) {
    write(out, *fields);
  } else if (const auto* items = value.if_array()) {
    write(out, *items);
  } else if (const auto* number = value.if_double()) {
    out += std::isfinite(*number) ? shortest(*number) : "null";
  } else {
    out += json::serialize(value);
  }
}

template <class Json>
std::string written(const Json& what) {
  std::string out;
  write(out, what);
  return out;
}

}  // namespace

std::string plain_json(const json::value& value) { return written(value); }
std::string plain_json(const json::object& fields) { return written(fields); }
std::string plain_json(const json::array& items) { return written(items); }

std::string shortest(double number) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  return {digits.data(), end};
}

}  // namespace polypool
