// SPDX-License-Identifier: Apache-2.0
#include "driver/resp_writer.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace polypool {
namespace {

void header(std::string& out, char sign, std::int64_t number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out += sign;
  out.append(digits.data(), end.ptr);
  out += "\r\n";
}

void string(std::string& out, char sign, std::string_view text) {
  header(out, sign, static_cast<std::int64_t>(text.size()));
  out.append(text).append("\r\n");
}

void line(std::string& out, char sign, std::string_view text) {
  out += sign;
  out.append(text).append("\r\n");
}

void real(std::string& out, double number, int protocol) {
  std::array<char, 32> digits;
  std::string_view text = "nan";
  if (std::isinf(number)) {
    text = number > 0 ? "inf" : "-inf";
  } else if (!std::isnan(number)) {
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    text = {digits.data(), static_cast<std::size_t>(end.ptr - digits.data())};
  }
  return protocol >= 3 ? line(out, ',', text) : string(out, '$', text);
}

void one(std::string& out, const redis_value& value, bool newer) {
  const auto count = static_cast<std::int64_t>(value.size());
  switch (value.type()) {
    case redis_type::null:
      out += newer ? "_\r\n" : "$-1\r\n";
      return;
    case redis_type::integer:
      return header(out, ':', value.integer());
    case redis_type::boolean:
      if (newer) return line(out, '#', value.integer() != 0 ? "t" : "f");
      return header(out, ':', value.integer());
    case redis_type::real:
      return real(out, value.real(), newer ? 3 : 2);
    case redis_type::big_number:
      return newer ? line(out, '(', value.text()) : string(out, '$', value.text());
    case redis_type::simple_string:
      return line(out, '+', value.text());
    case redis_type::bulk_string:
      return string(out, '$', value.text());
    case redis_type::verbatim_string:
      if (!newer) return string(out, '$', value.text());
      header(out, '=', static_cast<std::int64_t>(value.text().size() + 4));
      out.append(value.format()).append(":").append(value.text()).append("\r\n");
      return;
    case redis_type::error:
      // Only a text without line ends fits into a simple error.
      if (value.text().find_first_of("\r\n") == std::string_view::npos) return line(out, '-', value.text());
      return newer ? string(out, '!', value.text())
                   : line(out, '-', value.text().substr(0, value.text().find_first_of("\r\n")));
    case redis_type::array:
      return header(out, '*', count);
    case redis_type::map:
      return newer ? header(out, '%', count / 2) : header(out, '*', count);
    case redis_type::set:
      return header(out, newer ? '~' : '*', count);
    case redis_type::push:
      return header(out, newer ? '>' : '*', count);
  }
}

}  // namespace

// The values of a tree lie one behind the other, in the order in which they are written.
void write_resp(std::string& out, const redis_value& value, int protocol) {
  const auto* node = &value.node();
  for (std::uint32_t i = 0; i < value.node().span; ++i) one(out, redis_value(node + i, value.bytes()), protocol >= 3);
}

}  // namespace polypool
