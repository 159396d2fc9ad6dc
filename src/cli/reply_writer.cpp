// SPDX-License-Identifier: Apache-2.0
#include "cli/reply_writer.hpp"

#include "base/plain_json.hpp"
#include "base/utf8.hpp"
#include "cli/terminal.hpp"

#include <boost/json/value.hpp>

#include <cmath>
#include <ostream>
#include <string>

namespace polypool::cli {
namespace {

namespace json = boost::json;

// "…" with what a terminal must not see written out, so that any bytes can be read and typed again.
std::string quoted(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out = "\"";
  const bool readable = is_valid_utf8(text);
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    if (letter == '"' || letter == '\\') {
      out += '\\';
      out += letter;
    } else if (letter == '\n') {
      out += "\\n";
    } else if (letter == '\r') {
      out += "\\r";
    } else if (letter == '\t') {
      out += "\\t";
    } else if (code < 0x20 || code == 0x7f || (code >= 0x80 && !readable)) {
      out += "\\x";
      out += digits[code >> 4];
      out += digits[code & 15];
    } else {
      out += letter;
    }
  }
  return out + '"';
}

std::string scalar(const redis_value& reply) {
  switch (reply.type()) {
    case redis_type::null:
      return "(nil)";
    case redis_type::integer:
      return "(integer) " + std::to_string(reply.integer());
    case redis_type::real:
      return "(double) " + shortest(reply.real());
    case redis_type::boolean:
      return reply.integer() != 0 ? "(true)" : "(false)";
    case redis_type::big_number:
      return "(big number) " + std::string(reply.text());
    case redis_type::error:
      return "(error) " + std::string(reply.text());
    case redis_type::simple_string:
      return std::string(reply.text());
    default:
      return quoted(reply.text());
  }
}

void write_tree(const redis_value& reply, std::size_t indent, std::ostream& out) {
  if (!reply.is_aggregate()) {
    out << printable(scalar(reply)) << '\n';
    return;
  }
  if (reply.empty()) {
    out << "(empty " << to_string(reply.type()) << ")\n";
    return;
  }
  const bool map = reply.type() == redis_type::map;
  const std::size_t count = map ? reply.size() / 2 : reply.size();
  const std::size_t width = std::to_string(count).size();
  std::size_t number = 0;
  for (auto each = reply.begin(); each != reply.end(); ++each) {
    if (++number > 1) out << std::string(indent, ' ');
    const std::string label = std::to_string(number);
    out << std::string(width - label.size(), ' ') << label << (map ? "# " : ") ");
    std::size_t below = indent + width + 2;
    if (map) {
      const std::string key = scalar(*each);
      out << printable(key) << " => ";
      below += key.size() + 4;
      ++each;
    }
    write_tree(*each, below, out);
  }
}

// Text for people, such as INFO's.
void write_lines(std::string_view text, std::ostream& out) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    out << printable(line) << '\n';
  }
}

json::value to_json_value(const redis_value& reply) {
  switch (reply.type()) {
    case redis_type::null:
      return nullptr;
    case redis_type::integer:
      return reply.integer();
    case redis_type::boolean:
      return reply.integer() != 0;
    case redis_type::real:
      if (!std::isfinite(reply.real())) return json::string(shortest(reply.real()));
      return reply.real();
    case redis_type::error: {
      json::object problem;
      problem["error"] = to_valid_utf8(reply.text());
      return problem;
    }
    case redis_type::map: {
      json::object pairs;
      for (auto each = reply.begin(); each != reply.end(); ++each) {
        const redis_value key = *each;
        pairs[key.is_text() ? to_valid_utf8(key.text()) : plain_json(to_json_value(key))] = to_json_value(*++each);
      }
      return pairs;
    }
    case redis_type::array:
    case redis_type::set:
    case redis_type::push: {
      json::array elements;
      for (const redis_value each : reply) elements.push_back(to_json_value(each));
      return elements;
    }
    default:
      return json::string(to_valid_utf8(reply.text()));
  }
}

void write_csv_cell(const redis_value& reply, std::ostream& out) {
  if (reply.is_null()) return;
  std::string text;
  if (reply.is_text()) {
    text = reply.text();
  } else if (reply.is_aggregate()) {
    text = plain_json(to_json_value(reply));
  } else {
    text = reply.type() == redis_type::real ? shortest(reply.real()) : std::to_string(reply.integer());
  }
  out << csv_cell(text);
}

void write_csv(const redis_value& reply, std::ostream& out) {
  if (!reply.is_aggregate()) {
    write_csv_cell(reply, out);
    out << '\n';
    return;
  }
  for (auto each = reply.begin(); each != reply.end(); ++each) {
    write_csv_cell(*each, out);
    if (reply.type() == redis_type::map) {
      out << ',';
      write_csv_cell(*++each, out);
    }
    out << '\n';
  }
}

}  // namespace

void write_reply(const redis_value& reply, row_format format, std::ostream& out) {
  switch (format) {
    case row_format::json:
      out << plain_json(to_json_value(reply)) << '\n';
      return;
    case row_format::csv:
      return write_csv(reply, out);
    case row_format::table:
      return reply.type() == redis_type::verbatim_string ? write_lines(reply.text(), out) : write_tree(reply, 0, out);
  }
}

}  // namespace polypool::cli
