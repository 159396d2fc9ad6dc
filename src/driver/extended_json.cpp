// SPDX-License-Identifier: Apache-2.0
#include "driver/extended_json.hpp"

#include "base/base64.hpp"
#include "base/utf8.hpp"

#include <polypool/error.hpp>
#include <polypool/value.hpp>

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <system_error>

namespace polypool::extended_json {
namespace {

namespace json = boost::json;
using kind = special::kind_type;

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }
std::string_view view(const json::value& text) { return view(text.get_string()); }

[[noreturn]] void refuse(std::string_view name, std::string_view wanted) {
  throw error(errc::invalid_argument,
              "\"" + std::string(name) + "\" stands for a value, and this one is none; wanted: " + std::string(wanted));
}

template <class Number>
std::optional<Number> number_from(std::string_view text) {
  Number out{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (problem != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return out;
}

template <std::size_t Size>
bool read_hex(std::string_view text, std::array<std::uint8_t, Size>& out) {
  if (text.size() != Size * 2) return false;
  for (std::size_t i = 0; i < Size; ++i) {
    unsigned byte = 0;
    const auto* begin = text.data() + 2 * i;
    const auto [end, problem] = std::from_chars(begin, begin + 2, byte, 16);
    if (problem != std::errc() || end != begin + 2) return false;
    out[i] = static_cast<std::uint8_t>(byte);
  }
  return true;
}

template <class Number>
std::int64_t read_integer(std::string_view name, const json::value& value, std::string_view wanted) {
  if (!value.is_string()) refuse(name, wanted);
  const auto number = number_from<Number>(view(value));
  if (!number) refuse(name, wanted);
  return *number;
}

void read_object_id(special& out, std::string_view name, const json::value& value) {
  out.kind = kind::object_id;
  if (!value.is_string() || !read_hex(view(value), out.id)) refuse(name, "24 hexadecimal digits");
}

void read_date(special& out, std::string_view name, const json::value& value) {
  constexpr std::string_view wanted = R"("2024-02-29T12:00:00Z" or {"$numberLong": "milliseconds since 1970"})";
  out.kind = kind::date;
  if (value.is_string()) {
    const auto when = parse_timestamp_tz(view(value));
    if (!when) refuse(name, wanted);
    out.integer = std::chrono::floor<std::chrono::milliseconds>(*when).time_since_epoch().count();
  } else if (value.is_int64()) {
    out.integer = value.get_int64();
  } else if (value.is_object() && value.get_object().size() == 1) {
    const auto& inner = *value.get_object().begin();
    if (inner.key() != "$numberLong") refuse(name, wanted);
    out.integer = read_integer<std::int64_t>(name, inner.value(), wanted);
  } else {
    refuse(name, wanted);
  }
}

void read_int32(special& out, std::string_view name, const json::value& value) {
  out.kind = kind::int32;
  out.integer = read_integer<std::int32_t>(name, value, "a whole number of 32 bits as a string");
}
void read_int64(special& out, std::string_view name, const json::value& value) {
  out.kind = kind::int64;
  out.integer = read_integer<std::int64_t>(name, value, "a whole number of 64 bits as a string");
}

void read_real(special& out, std::string_view name, const json::value& value) {
  out.kind = kind::real;
  if (!value.is_string()) refuse(name, "a number as a string");
  const auto text = view(value);
  if (text == "Infinity" || text == "-Infinity") {
    out.real = text.front() == '-' ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  } else if (text == "NaN") {
    out.real = std::numeric_limits<double>::quiet_NaN();
  } else {
    const auto number = number_from<double>(text.starts_with('+') ? text.substr(1) : text);
    if (!number || !std::isfinite(*number)) refuse(name, "a number as a string");
    out.real = *number;
  }
}

void read_text_kind(special& out, kind what, std::string_view name, const json::value& value) {
  out.kind = what;
  if (!value.is_string()) refuse(name, "a string");
  out.text = view(value);
}
void read_decimal(special& out, std::string_view name, const json::value& value) {
  read_text_kind(out, kind::decimal, name, value);
}
void read_symbol(special& out, std::string_view name, const json::value& value) {
  read_text_kind(out, kind::symbol, name, value);
}

std::uint8_t read_subtype(std::string_view name, const json::value& value) {
  unsigned number = 0;
  if (!value.is_string() || value.get_string().empty() || value.get_string().size() > 2)
    refuse(name, "a subtype in hex");
  const auto text = view(value);
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (problem != std::errc() || end != text.data() + text.size()) refuse(name, "a subtype of two hexadecimal digits");
  return static_cast<std::uint8_t>(number);
}

void read_base64(special& out, std::string_view name, const json::value& value) {
  auto data = value.is_string() ? from_base64(view(value)) : std::nullopt;
  if (!data) refuse(name, "base64");
  out.data = std::move(*data);
}

void read_binary(special& out, std::string_view name, const json::value& value) {
  constexpr std::string_view wanted = R"({"base64": "…", "subType": "00"})";
  out.kind = kind::binary;
  if (!value.is_object() || value.get_object().size() != 2) refuse(name, wanted);
  const auto& inner = value.get_object();
  const auto* data = inner.if_contains("base64");
  const auto* subtype = inner.if_contains("subType");
  if (!data || !subtype) refuse(name, wanted);
  read_base64(out, name, *data);
  out.subtype = read_subtype(name, *subtype);
}

void read_uuid(special& out, std::string_view name, const json::value& value) {
  out.kind = kind::binary;
  out.subtype = 4;
  const auto id = value.is_string() ? uuid::parse(view(value)) : std::nullopt;
  if (!id) refuse(name, "a UUID");
  out.data.assign(id->bytes.begin(), id->bytes.end());
}

void read_regex(special& out, std::string_view name, const json::value& value) {
  constexpr std::string_view wanted = R"({"pattern": "…", "options": "…"} without NUL characters)";
  out.kind = kind::regex;
  if (!value.is_object() || value.get_object().size() != 2) refuse(name, wanted);
  const auto* pattern = value.get_object().if_contains("pattern");
  const auto* options = value.get_object().if_contains("options");
  if (!pattern || !options || !pattern->is_string() || !options->is_string()) refuse(name, wanted);
  out.text = view(*pattern);
  out.options = view(*options);
  if (out.text.contains('\0') || out.options.contains('\0')) refuse(name, wanted);
}

std::uint32_t read_unsigned(std::string_view name, const json::value* value) {
  constexpr std::string_view wanted = R"({"t": seconds, "i": increment}, numbers of 32 bits)";
  std::uint64_t number = std::numeric_limits<std::uint64_t>::max();
  if (value && value->is_int64() && value->get_int64() >= 0) number = static_cast<std::uint64_t>(value->get_int64());
  if (value && value->is_uint64()) number = value->get_uint64();
  if (number > std::numeric_limits<std::uint32_t>::max()) refuse(name, wanted);
  return static_cast<std::uint32_t>(number);
}

void read_timestamp(special& out, std::string_view name, const json::value& value) {
  out.kind = kind::timestamp;
  if (!value.is_object() || value.get_object().size() != 2) refuse(name, R"({"t": seconds, "i": increment})");
  out.seconds = read_unsigned(name, value.get_object().if_contains("t"));
  out.increment = read_unsigned(name, value.get_object().if_contains("i"));
}

void read_code(special& out, std::string_view name, const json::value& value) {
  read_text_kind(out, kind::code, name, value);
}

void read_undefined(special& out, std::string_view name, const json::value& value) {
  out.kind = kind::undefined;
  if (!value.is_bool() || !value.get_bool()) refuse(name, "true");
}

bool is_one(const json::value& value) {
  if (value.is_int64()) return value.get_int64() == 1;
  return value.is_uint64() && value.get_uint64() == 1;
}
void read_min_key(special& out, std::string_view name, const json::value& value) {
  out.kind = kind::min_key;
  if (!is_one(value)) refuse(name, "1");
}
void read_max_key(special& out, std::string_view name, const json::value& value) {
  out.kind = kind::max_key;
  if (!is_one(value)) refuse(name, "1");
}

void read_pointer(special& out, std::string_view name, const json::value& value) {
  constexpr std::string_view wanted = R"({"$ref": "database.collection", "$id": {"$oid": "…"}})";
  out.kind = kind::pointer;
  if (!value.is_object() || value.get_object().size() != 2) refuse(name, wanted);
  const auto* target = value.get_object().if_contains("$ref");
  const auto* id = value.get_object().if_contains("$id");
  if (!target || !target->is_string() || !id || !id->is_object()) refuse(name, wanted);
  const auto inner = read(id->get_object());
  if (inner.kind != kind::object_id) refuse(name, wanted);
  out.id = inner.id;
  out.text = view(*target);
}

struct wrapper {
  std::string_view name;
  void (*read)(special&, std::string_view name, const json::value&);
};
constexpr wrapper wrappers[] = {
    {"$oid", read_object_id},       {"$date", read_date},         {"$numberInt", read_int32},
    {"$numberLong", read_int64},    {"$numberDouble", read_real}, {"$numberDecimal", read_decimal},
    {"$binary", read_binary},       {"$uuid", read_uuid},         {"$regularExpression", read_regex},
    {"$timestamp", read_timestamp}, {"$code", read_code},         {"$symbol", read_symbol},
    {"$undefined", read_undefined}, {"$minKey", read_min_key},    {"$maxKey", read_max_key},
    {"$dbPointer", read_pointer},
};

const wrapper* find_wrapper(std::string_view name) {
  for (const auto& each : wrappers) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

// {"$code": …, "$scope": …}, and version 1's {"$binary": "base64", "$type": "00"}.
bool read_pair(special& out, const json::object& object) {
  const auto* code = object.if_contains("$code");
  if (const auto* scope = object.if_contains("$scope"); code && scope) {
    read_code(out, "$code", *code);
    if (!scope->is_object()) refuse("$scope", "a document");
    out.kind = kind::scoped_code;
    out.scope = &scope->get_object();
    return true;
  }
  const auto* data = object.if_contains("$binary");
  if (const auto* subtype = object.if_contains("$type"); data && subtype) {
    out.kind = kind::binary;
    read_base64(out, "$binary", *data);
    out.subtype = read_subtype("$type", *subtype);
    return true;
  }
  return false;
}

}  // namespace

special read(const json::object& object) {
  special out;
  if (object.empty()) return out;
  const auto first = std::string_view(object.begin()->key().data(), object.begin()->key().size());
  if (!first.starts_with('$')) return out;
  if (object.size() == 2 && read_pair(out, object)) return out;
  const auto* found = find_wrapper(first);
  if (!found) return out;  // an operator such as $set
  if (object.size() != 1) refuse(first, "no other members beside it");
  found->read(out, first, object.begin()->value());
  return out;
}

special read(const json::value& value) {
  special out;
  switch (value.kind()) {
    case json::kind::object:
      return read(value.get_object());
    case json::kind::int64:
      out.kind = kind::int64;
      out.integer = value.get_int64();
      break;
    case json::kind::uint64:
      if (value.get_uint64() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        out.kind = kind::int64;
        out.integer = static_cast<std::int64_t>(value.get_uint64());
      }
      break;
    case json::kind::double_:
      out.kind = kind::real;
      out.real = value.get_double();
      break;
    default:
      break;
  }
  return out;
}

std::string date_text(std::int64_t milliseconds) {
  using std::chrono::sys_days, std::chrono::year, std::chrono::January;
  constexpr auto end = std::chrono::milliseconds(sys_days(year{10000} / January / 1).time_since_epoch()).count();
  if (milliseconds < 0 || milliseconds >= end) return {};
  auto text = to_text(timestamp(std::chrono::milliseconds(milliseconds)));
  text[10] = 'T';
  constexpr std::size_t whole_seconds = 19;
  if (text.size() > whole_seconds) text.resize(whole_seconds + 4, '0');  // always three digits behind the point
  return text + 'Z';
}

std::string id_text(const std::uint8_t (&id)[12]) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const auto byte : id) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

std::string real_text(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
  std::array<char, 40> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
  std::string out(buffer.data(), end);
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

}  // namespace polypool::extended_json
