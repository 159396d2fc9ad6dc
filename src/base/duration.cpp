// SPDX-License-Identifier: Apache-2.0
#include <polypool/duration.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <limits>

namespace polypool {
namespace {

struct unit {
  std::string_view name;
  std::int64_t nanoseconds;
};

constexpr std::array units{
    unit{"ns", 1},
    unit{"us", 1'000},
    unit{"ms", 1'000'000},
    unit{"s", 1'000'000'000},
    unit{"m", 60'000'000'000},
    unit{"h", 3'600'000'000'000},
    unit{"d", 86'400'000'000'000},
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes the unit off the front of `text`; 0 when there is none.
std::int64_t take_unit(std::string_view& text) {
  // Both signs that keyboards and editors produce for "micro": U+00B5 and U+03BC.
  for (const std::string_view micro : {"\xC2\xB5s", "\xCE\xBCs"}) {
    if (text.starts_with(micro)) {
      text.remove_prefix(micro.size());
      return 1'000;
    }
  }
  // A unit ends where the next number starts, so that "m" is not taken off "ms".
  const auto end = text.find_first_of("0123456789");
  const auto name = text.substr(0, end);
  for (const auto& known : units) {
    if (name == known.name) {
      text.remove_prefix(name.size());
      return known.nanoseconds;
    }
  }
  return 0;
}

std::string_view take_digits(std::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && is_digit(text[count])) ++count;
  const auto digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

bool add_product(std::int64_t& total, std::int64_t factor, std::int64_t unit) {
  std::int64_t product = 0;
  return !__builtin_mul_overflow(factor, unit, &product) && !__builtin_add_overflow(total, product, &total);
}

/// Adds one number with its unit; false when it is none or does not fit.
bool add_part(std::int64_t& total, std::string_view& text) {
  const auto whole = take_digits(text);
  std::string_view fraction;
  if (whole.empty()) return false;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = take_digits(text);
    if (fraction.empty()) return false;
  }
  std::int64_t scale = take_unit(text);
  if (scale == 0) return false;
  std::int64_t number = 0;
  for (const char c : whole) {
    if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, c - '0', &number)) return false;
  }
  if (!add_product(total, number, scale)) return false;
  for (const char c : fraction) {
    if (c != '0' && scale % 10 != 0) return false;  // finer than a nanosecond
    scale /= 10;
    if (!add_product(total, c - '0', scale)) return false;
  }
  return true;
}

}  // namespace

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return std::nullopt;
  std::int64_t total = 0;
  while (!text.empty()) {
    if (!add_part(total, text)) return std::nullopt;
  }
  return std::chrono::nanoseconds(total);
}

std::string format_duration(std::chrono::nanoseconds value) {
  if (value.count() == 0) return "0s";
  std::string out;
  auto rest = static_cast<std::uint64_t>(value.count());
  if (value.count() < 0) {
    out += '-';
    rest = 0 - rest;
  }
  // Hours are the largest: "36h" is plainer than "1d12h".
  for (std::size_t i = units.size() - 1; i-- > 0;) {
    const auto scale = static_cast<std::uint64_t>(units[i].nanoseconds);
    if (rest < scale) continue;
    out += std::to_string(rest / scale);
    out += units[i].name;
    rest %= scale;
  }
  return out;
}

std::string format_duration_short(std::chrono::nanoseconds value) {
  if (value.count() == 0) return "0s";
  const bool negative = value.count() < 0;
  const double magnitude = negative ? -static_cast<double>(value.count()) : static_cast<double>(value.count());
  std::array<char, 48> digits{};
  std::string_view name;
  for (std::size_t i = 0; i < units.size(); ++i) {
    const auto scale = static_cast<double>(units[i].nanoseconds);
    const bool last = i + 1 == units.size();
    const double scaled = magnitude / scale;
    const int decimals = scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0;
    std::snprintf(digits.data(), digits.size(), "%.*f", decimals, scaled);
    name = units[i].name;
    // Compared after rounding, so that 999.9 ms reads "1s" and not "1000ms".
    if (last || std::stod(digits.data()) < static_cast<double>(units[i + 1].nanoseconds) / scale) break;
  }
  std::string out(digits.data());
  if (out.find('.') != std::string::npos) {
    out.erase(out.find_last_not_of('0') + 1);
    if (out.ends_with('.')) out.pop_back();
  }
  return (negative ? "-" : "") + out + std::string(name);
}

}  // namespace polypool
