// SPDX-License-Identifier: Apache-2.0
#include "base/base64.hpp"
#include "driver/extended_json.hpp"

#include <polypool/bson_values.hpp>
#include <polypool/error.hpp>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace polypool::bson {
namespace {

namespace json = boost::json;
using extended_json::special;
using kind = special::kind_type;

json::value wrapped(std::string_view name, json::value inner) {
  json::object out;
  out.emplace(name, std::move(inner));
  return out;
}

json::value wrapped_text(std::string_view name, std::string_view text) { return wrapped(name, json::string(text)); }

[[noreturn]] void wrong(const json::value& value, std::string_view wanted) {
  auto text = json::serialize(value);
  constexpr std::size_t most = 60;
  if (text.size() > most) text = text.substr(0, most) + "…";
  throw error(errc::type_mismatch, text + " is not " + std::string(wanted));
}

special read_as(const json::value& value, std::string_view wanted) {
  auto out = [&]() -> special {
    try {
      return extended_json::read(value);
    } catch (const error&) {
      wrong(value, wanted);
    }
  }();
  return out;
}

}  // namespace

json::value object_id(std::string_view digits) {
  auto out = wrapped_text("$oid", digits);
  extended_json::read(out.get_object());  // throws when it is none
  return out;
}
json::value date(time when) {
  return wrapped("$date", wrapped_text("$numberLong", std::to_string(when.time_since_epoch().count())));
}
json::value int32(std::int32_t number) { return wrapped_text("$numberInt", std::to_string(number)); }
json::value int64(std::int64_t number) { return wrapped_text("$numberLong", std::to_string(number)); }
json::value decimal(std::string_view number) { return wrapped_text("$numberDecimal", number); }

json::value binary(std::span<const std::byte> data, std::uint8_t subtype) {
  constexpr std::string_view digits = "0123456789abcdef";
  const std::span raw(reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
  json::object inner;
  inner.emplace("base64", to_base64(raw));
  inner.emplace("subType", std::string{digits[subtype >> 4], digits[subtype & 15]});
  return wrapped("$binary", std::move(inner));
}
json::value uuid(const polypool::uuid& id) { return binary(std::as_bytes(std::span(id.bytes)), 4); }

json::value regex(std::string_view pattern, std::string_view options) {
  json::object inner;
  inner.emplace("pattern", pattern);
  inner.emplace("options", options);
  return wrapped("$regularExpression", std::move(inner));
}
json::value timestamp(std::uint32_t seconds, std::uint32_t increment) {
  json::object inner;
  inner.emplace("t", seconds);
  inner.emplace("i", increment);
  return wrapped("$timestamp", std::move(inner));
}

std::string as_object_id(const json::value& value) {
  const auto found = read_as(value, "an object id");
  if (found.kind != kind::object_id) wrong(value, "an object id");
  std::uint8_t raw[12];
  std::copy(found.id.begin(), found.id.end(), raw);
  return extended_json::id_text(raw);
}

time as_date(const json::value& value) {
  const auto found = read_as(value, "a date");
  if (found.kind != kind::date) wrong(value, "a date");
  return time(std::chrono::milliseconds(found.integer));
}

namespace {

double decimal_as_double(const json::value& value, std::string_view text) {
  double out = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), out);
  if (end.ec == std::errc::result_out_of_range) {  // too large for a double, or too small
    const bool small = text.find("E-") != std::string_view::npos || text.find("e-") != std::string_view::npos;
    const double size = small ? 0.0 : std::numeric_limits<double>::infinity();
    return text.starts_with('-') ? -size : size;
  }
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) wrong(value, "a number");
  return out;
}

}  // namespace

std::int64_t as_int64(const json::value& value) {
  const auto found = read_as(value, "a whole number");
  if (found.kind == kind::int32 || found.kind == kind::int64) return found.integer;
  constexpr double end = 9223372036854775808.0;
  if (found.kind == kind::real && found.real >= -end && found.real < end && std::trunc(found.real) == found.real) {
    return static_cast<std::int64_t>(found.real);
  }
  wrong(value, "a whole number of 64 bits");
}

double as_double(const json::value& value) {
  const auto found = read_as(value, "a number");
  switch (found.kind) {
    case kind::int32:
    case kind::int64:
      return static_cast<double>(found.integer);
    case kind::real:
      return found.real;
    case kind::decimal:
      return decimal_as_double(value, found.text);
    default:
      if (value.is_uint64()) return static_cast<double>(value.get_uint64());
      wrong(value, "a number");
  }
}

std::string as_decimal(const json::value& value) {
  const auto found = read_as(value, "a decimal number");
  if (found.kind == kind::decimal) return std::string(found.text);
  if (found.kind == kind::int32 || found.kind == kind::int64) return std::to_string(found.integer);
  wrong(value, "a decimal number");
}

bytes as_binary(const json::value& value) {
  const auto found = read_as(value, "binary data");
  if (found.kind != kind::binary) wrong(value, "binary data");
  const auto raw = std::as_bytes(std::span(found.data));
  return {raw.begin(), raw.end()};
}

polypool::uuid as_uuid(const json::value& value) {
  const auto found = read_as(value, "a UUID");
  polypool::uuid out;
  const bool fits = found.kind == kind::binary && (found.subtype == 3 || found.subtype == 4);
  if (!fits || found.data.size() != out.bytes.size()) wrong(value, "a UUID");
  std::copy(found.data.begin(), found.data.end(), out.bytes.begin());
  return out;
}

}  // namespace polypool::bson
