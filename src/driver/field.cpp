// SPDX-License-Identifier: Apache-2.0
// What a field can become: lenient where nothing is lost, strict where something would be.
#include "base/hex.hpp"
#include "base/utf8.hpp"
#include "base/words.hpp"

#include <polypool/result.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace polypool {
namespace {

// The whole text as a number, or nothing.
template <class Number>
std::optional<Number> parse_whole(std::string_view text) {
  Number out{};
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, out);
  if (problem != std::errc() || stop != end || text.empty()) return std::nullopt;
  return out;
}

// `42.000` is an integer too: cuts a fraction of zeros off.
std::string_view without_zero_fraction(std::string_view text) {
  const auto point = text.find('.');
  if (point == std::string_view::npos || text.find_first_not_of('0', point + 1) != std::string_view::npos) return text;
  return text.substr(0, point);
}

template <class Integer>
std::optional<Integer> exact_integer(double number) {
  constexpr double end = std::is_signed_v<Integer> ? 0x1p63 : 0x1p64;
  const double begin = std::is_signed_v<Integer> ? -0x1p63 : 0.0;
  if (!(number >= begin && number < end) || number != std::trunc(number)) return std::nullopt;
  return static_cast<Integer>(number);
}

template <class Real, class Integer>
std::optional<Real> exact_real(Integer number) {
  const auto out = static_cast<Real>(number);
  return exact_integer<Integer>(static_cast<double>(out)) == number ? std::optional(out) : std::nullopt;
}

std::string real_text(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
  std::array<char, 40> buffer;
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr};
}

bool is_decimal(std::string_view text) {
  if (text == "NaN" || text == "Infinity" || text == "-Infinity") return true;
  const auto digits = [&] {
    const auto count = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(count);
    return count;
  };
  const auto skip = [&](std::string_view any) {
    if (text.empty() || !any.contains(text.front())) return false;
    text.remove_prefix(1);
    return true;
  };
  skip("+-");
  std::size_t count = digits();
  if (skip(".")) count += digits();
  if (count == 0) return false;
  if (skip("eE")) {
    skip("+-");
    if (digits() == 0) return false;
  }
  return text.empty();
}

// Bytes written as `\x` and digits.
template <class Container>
bool decode_hex(std::string_view text, Container& out) {
  if (!text.starts_with("\\x") || text.size() % 2 != 0) return false;
  out.reserve(text.size() / 2 - 1);
  for (std::size_t i = 2; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return false;
    out.push_back(static_cast<typename Container::value_type>(high << 4 | low));
  }
  return true;
}

// A date that a database knows and this type does not: `infinity`, `0044-03-15 BC`, `12024-01-01`.
bool beyond_range(std::string_view text) {
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  return text == "infinity" || text == "-infinity" || text.ends_with(" BC") || text.starts_with('-') ||
         (digits > 4 && text.substr(digits).starts_with('-'));
}

bool is_textual(data_type type) {
  return type == data_type::text || type == data_type::json || type == data_type::other || type == data_type::bytes;
}

constexpr std::string_view wanted_years = ", which holds the years 0000 to 9999 (std::string takes it)";

}  // namespace

void field::fail(std::string_view wanted) const {
  if (is_null()) {
    error problem(errc::null_value, "NULL cannot be read as " + std::string(wanted));
    problem.with_hint("ask for std::optional, or use get_or");
    throw problem;
  }
  std::string cause = "a value of type " + std::string(to_string(type_));
  if (form_ == form::raw_bytes || form_ == form::hex_bytes) {
    cause += " (" +
             std::to_string(form_ == form::raw_bytes ? text_.size() : std::max<std::size_t>(text_.size(), 2) / 2 - 1) +
             " bytes)";
  } else {
    cause += " ('" + excerpt(form_ == form::text ? text_ : std::string_view(to_display())) + "')";
  }
  throw error(errc::type_mismatch, cause + " cannot be read as " + std::string(wanted));
}

void field::read(bool& out) const {
  const auto is_one = [&](auto number) {
    if (number != 0 && number != 1) fail("bool");
    return number == 1;
  };
  switch (form_) {
    case form::integer:
    case form::unsigned_integer:
      out = is_one(integer_);
      return;
    case form::text:
      out = text_ == "t" || text_ == "1" || same_word(text_, "true");
      if (!out && text_ != "f" && text_ != "0" && !same_word(text_, "false")) fail("bool");
      return;
    default:
      fail("bool");
  }
}

void field::read(std::int64_t& out) const {
  std::optional<std::int64_t> number;
  if (form_ == form::integer) {
    number = integer_;
  } else if (form_ == form::unsigned_integer) {
    if (integer_ >= 0) number = integer_;
  } else if (form_ == form::real) {
    number = exact_integer<std::int64_t>(real_);
  } else if (form_ == form::text) {
    number = parse_whole<std::int64_t>(type_ == data_type::numeric ? without_zero_fraction(text_) : text_);
  }
  if (!number) fail("a signed 64-bit integer");
  out = *number;
}

void field::read(std::uint64_t& out) const {
  std::optional<std::uint64_t> number;
  if (form_ == form::unsigned_integer || (form_ == form::integer && integer_ >= 0)) {
    number = static_cast<std::uint64_t>(integer_);
  } else if (form_ == form::real) {
    number = exact_integer<std::uint64_t>(real_);
  } else if (form_ == form::text) {
    number = parse_whole<std::uint64_t>(type_ == data_type::numeric ? without_zero_fraction(text_) : text_);
  }
  if (!number) fail("an unsigned 64-bit integer");
  out = *number;
}

void field::read(double& out) const {
  std::optional<double> number;
  if (form_ == form::real) {
    number = real_;
  } else if (form_ == form::integer) {
    number = exact_real<double>(integer_);
  } else if (form_ == form::unsigned_integer) {
    number = exact_real<double>(static_cast<std::uint64_t>(integer_));
  } else if (form_ == form::text && type_ == data_type::integer) {
    if (const auto whole = parse_whole<std::int64_t>(text_)) number = exact_real<double>(*whole);
  } else if (form_ == form::text) {
    number = parse_whole<double>(text_);
  }
  if (!number) fail("double");
  out = *number;
}

void field::read(float& out) const {
  std::optional<float> number;
  if (form_ == form::real) {
    number = static_cast<float>(real_);
    if (std::isinf(*number) && !std::isinf(real_)) number.reset();
  } else if (form_ == form::integer) {
    number = exact_real<float>(integer_);
  } else if (form_ == form::unsigned_integer) {
    number = exact_real<float>(static_cast<std::uint64_t>(integer_));
  } else if (form_ == form::text && type_ == data_type::integer) {
    if (const auto whole = parse_whole<std::int64_t>(text_)) number = exact_real<float>(*whole);
  } else if (form_ == form::text) {
    number = parse_whole<float>(text_);
  }
  if (!number) fail("float");
  out = *number;
}

void field::read(std::string& out) const {
  switch (form_) {
    case form::null:
      fail("std::string");
    case form::integer:
      out = std::to_string(integer_);
      return;
    case form::unsigned_integer:
      out = std::to_string(static_cast<std::uint64_t>(integer_));
      return;
    case form::real:
      out = real_text(real_);
      return;
    case form::text:
    case form::raw_bytes:
      out.assign(text_);
      return;
    case form::hex_bytes:
      if (!decode_hex(text_, out)) fail("std::string");
      return;
  }
}

void field::read(std::string_view& out) const {
  if (form_ == form::null) fail("std::string_view");
  if (form_ != form::text && form_ != form::raw_bytes) {
    fail("std::string_view, as it does not lie in memory as text (std::string takes it)");
  }
  out = text_;
}

void field::read(bytes& out) const {
  if (form_ == form::hex_bytes) {
    if (!decode_hex(text_, out)) fail("polypool::bytes");
    return;
  }
  if (form_ != form::raw_bytes && !(form_ == form::text && is_textual(type_))) fail("polypool::bytes");
  const auto* data = reinterpret_cast<const std::byte*>(text_.data());
  out.assign(data, data + text_.size());
}

void field::read(numeric& out) const {
  // A decimal of up to 15 digits survives the way through a double, so what SQLite made REAL can be read back exactly.
  if (form_ == form::real) {
    out.text = real_text(real_);
    const auto mantissa = std::string_view(out.text).substr(0, out.text.find('e'));
    const auto digits = std::ranges::count_if(mantissa, [](char c) { return c >= '0' && c <= '9'; });
    const bool whole = real_ == std::trunc(real_) && std::abs(real_) <= 0x1p53;
    if (digits > 15 && !whole) fail("polypool::numeric, as it has more than 15 digits");
    return;
  }
  const bool number = form_ == form::integer || form_ == form::unsigned_integer;
  if (!number && !(form_ == form::text && is_decimal(text_))) fail("polypool::numeric");
  read(out.text);
}

void field::read(date& out) const {
  if (form_ != form::text) fail("polypool::date");
  auto day = parse_date(text_);
  if (!day) {  // midnight of a day is that day
    if (const auto time = parse_timestamp(text_)) {
      const date whole{std::chrono::floor<std::chrono::days>(time->time_since_epoch())};
      if (time->time_since_epoch() == whole.time_since_epoch()) day = whole;
    }
  }
  if (!day) fail("polypool::date" + std::string(beyond_range(text_) ? wanted_years : ""));
  out = *day;
}

void field::read(time_of_day& out) const {
  const auto time = form_ == form::text ? parse_time_of_day(text_) : std::nullopt;
  if (!time) fail("polypool::time_of_day");
  out = *time;
}

void field::read(timestamp& out) const {
  if (form_ != form::text) fail("polypool::timestamp");
  auto time = parse_timestamp(text_);
  if (!time) {
    if (const auto day = parse_date(text_)) time = timestamp{day->time_since_epoch()};
  }
  if (!time && parse_timestamp_tz(text_)) fail("polypool::timestamp, which has no time zone (timestamp_tz has)");
  if (!time) fail("polypool::timestamp" + std::string(beyond_range(text_) ? wanted_years : ""));
  out = *time;
}

void field::read(timestamp_tz& out) const {
  if (form_ != form::text) fail("polypool::timestamp_tz");
  const auto time = parse_timestamp_tz(text_);
  if (!time && parse_timestamp(text_)) {
    fail("polypool::timestamp_tz, as it has no time zone (polypool::timestamp takes it)");
  }
  if (!time) fail("polypool::timestamp_tz" + std::string(beyond_range(text_) ? wanted_years : ""));
  out = *time;
}

void field::read(uuid& out) const {
  if (form_ == form::text) {
    const auto id = uuid::parse(text_);
    if (!id) fail("polypool::uuid");
    out = *id;
    return;
  }
  bytes data;
  if (form_ == form::raw_bytes || form_ == form::hex_bytes) read(data);
  if (data.size() != out.bytes.size()) fail("polypool::uuid");
  std::ranges::transform(data, out.bytes.begin(), [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
}

void field::read(json_text& out) const {
  const bool number =
      form_ == form::integer || form_ == form::unsigned_integer || (form_ == form::real && std::isfinite(real_));
  if (form_ != form::text && !number) fail("polypool::json_text");
  read(out.text);
}

std::string field::to_display() const {
  if (is_null()) return "NULL";
  if (form_ == form::hex_bytes) return std::string(text_);
  if (form_ == form::raw_bytes) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string out = "\\x";
    out.reserve(2 + 2 * text_.size());
    for (const char c : text_) {
      out += digits[static_cast<unsigned char>(c) >> 4];
      out += digits[static_cast<unsigned char>(c) & 15];
    }
    return out;
  }
  std::string out;
  read(out);
  return out;
}

}  // namespace polypool
