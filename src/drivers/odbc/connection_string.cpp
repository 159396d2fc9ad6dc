// SPDX-License-Identifier: Apache-2.0
// Writing values so that each driver reads them back as they are.
#include "base/utf8.hpp"
#include "drivers/odbc/connection_plan.hpp"

#include <polypool/error.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace polypool::odbc {
namespace {

bool is_key(std::string_view key) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == ' ';
  };
  return !key.empty() && key.front() != ' ' && key.back() != ' ' && std::ranges::all_of(key, fits);
}

std::string in_braces(std::string_view value) {
  std::string out = "{";
  for (const char c : value) out.append(c == '}' ? 2 : 1, c);
  return out + "}";
}

// What may stand without braces.
bool is_simple(std::string_view value) {
  return value.find_first_of(";{}[](),?*=!@\"'") == std::string_view::npos && !value.starts_with(' ') &&
         !value.ends_with(' ');
}

[[noreturn]] void refuse(std::string_view key, std::string_view why) {
  throw error(errc::invalid_configuration, "'" + excerpt(key) + "' of an ODBC connection " + std::string(why));
}

}  // namespace

std::string connection_string::written(std::string_view key, std::string_view value) const {
  const auto same = [key](std::string_view other) {
    return std::ranges::equal(key, other, [](char a, char b) { return (a | 32) == (b | 32); });
  };
  if (same("driver") || same("dsn")) return is_simple(value) ? std::string(value) : in_braces(value);  // unixODBC's own
  switch (family_) {
    case driver_family::psqlodbc:
      // It knows braces for these two only, and there needs them: else it would decode %41 and +.
      if (same("pwd") || same("pqopt")) return in_braces(value);
      break;
    case driver_family::sqlite:
      break;
    case driver_family::freetds:
      // It does not know }} and ends a value at the first "};".
      if (value.find(';') == std::string_view::npos && !value.starts_with('{') && !value.starts_with(' ') &&
          !value.ends_with(' ')) {
        return std::string(value);
      }
      if (value.contains("};")) refuse(key, "cannot have '};' in its value with FreeTDS");
      return "{" + std::string(value) + "}";
    case driver_family::microsoft:
    case driver_family::other:
      return is_simple(value) && !same("pwd") ? std::string(value) : in_braces(value);
  }
  if (value.find(';') != std::string_view::npos) refuse(key, "cannot have a ';' in its value with this driver");
  if (value.starts_with('{') || value.starts_with(' ') || value.ends_with(' ')) {
    refuse(key, "cannot begin with '{', and not begin or end with a blank, with this driver");
  }
  return std::string(value);
}

void connection_string::add(std::string_view key, std::string_view value) {
  if (!is_key(key)) {
    error problem(errc::invalid_configuration, "'" + excerpt(key) + "' is no name of an ODBC option");
    problem.with_hint("names have letters, digits, blanks, '_', '-' and '.'");
    throw problem;
  }
  if (value.contains('\0')) refuse(key, "has a NUL character in its value");
  if (!is_valid_utf8(value)) refuse(key, "has a value that is not valid UTF-8");
  std::string text = written(key, value);
  if (text_.capacity() - text_.size() < key.size() + text.size() + 2) grow(key.size() + text.size());
  text_.append(key).append("=").append(text).append(";");
  ::explicit_bzero(text.data(), text.size());  // it may be the password
}

// So that no copy of what is there stays behind.
void connection_string::grow(std::size_t more) {
  std::string larger;
  larger.reserve(2 * (text_.size() + more) + 1024);
  larger = text_;
  ::explicit_bzero(text_.data(), text_.size());
  text_ = std::move(larger);
}

}  // namespace polypool::odbc
