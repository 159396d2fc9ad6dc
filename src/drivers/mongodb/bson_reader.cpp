// SPDX-License-Identifier: Apache-2.0
#include "drivers/mongodb/bson_reader.hpp"

#include "base/base64.hpp"
#include "driver/extended_json.hpp"

#include <cmath>
#include <span>
#include <string>

namespace polypool::mongodb {
namespace {

namespace json = boost::json;

// Servers build about a hundred levels, clients with other limits maybe more.
constexpr int most_levels_read = 250;

[[noreturn]] void broken_document(std::string_view why) {
  error problem(errc::connection_lost, "the server sent a document that is not BSON: " + std::string(why));
  problem.with_poisoned_session();
  throw problem;
}

json::value wrapped(std::string_view name, json::value inner) {
  json::object out;
  out.emplace(name, std::move(inner));
  return out;
}
json::value wrapped_text(std::string_view name, std::string_view text) { return wrapped(name, json::string(text)); }

class reader {
 public:
  explicit reader(json_form form) noexcept : canonical_(form == json_form::canonical) {}

  json::object members(bson_iter_t* at, int level) {
    json::object out;
    while (bson_iter_next(at)) {
      out.emplace(std::string_view(bson_iter_key(at), bson_iter_key_len(at)), value(at, level));
    }
    if (at->err_off != 0) broken_document("a member is cut off");
    return out;
  }

  json::value value(const bson_iter_t* at, int level);

 private:
  json::array elements(bson_iter_t* at, int level) {
    json::array out;
    while (bson_iter_next(at)) out.push_back(value(at, level));
    if (at->err_off != 0) broken_document("an element is cut off");
    return out;
  }

  static bson_iter_t inside(const bson_iter_t* at, int level) {
    if (level > most_levels_read) broken_document("it is nested too deep");
    bson_iter_t inner;
    if (!bson_iter_recurse(at, &inner)) broken_document("a member is cut off");
    return inner;
  }

  json::value number(std::int64_t number, std::string_view name) const {
    if (canonical_) return wrapped_text(name, std::to_string(number));
    return number;
  }
  json::value real(double number) const {
    if (canonical_ || !std::isfinite(number)) return wrapped_text("$numberDouble", extended_json::real_text(number));
    return number;
  }
  json::value date(std::int64_t milliseconds) const {
    const auto text = canonical_ ? std::string() : extended_json::date_text(milliseconds);
    if (!text.empty()) return wrapped_text("$date", text);
    return wrapped("$date", wrapped_text("$numberLong", std::to_string(milliseconds)));
  }
  static json::value object_id(const bson_oid_t* id) { return wrapped_text("$oid", extended_json::id_text(id->bytes)); }
  static json::value binary(const bson_iter_t* at);
  static json::value decimal(const bson_iter_t* at);
  static json::value regex(const bson_iter_t* at);
  static json::value timestamp(const bson_iter_t* at);
  static json::value pointer(const bson_iter_t* at);
  json::value scoped_code(const bson_iter_t* at, int level);
  json::value uncommon(const bson_iter_t* at, int level);

  bool canonical_;
};

// What most documents are made of; the rest is in uncommon().
json::value reader::value(const bson_iter_t* at, int level) {
  std::uint32_t size = 0;
  switch (bson_iter_type(at)) {
    case BSON_TYPE_DOUBLE:
      return real(bson_iter_double(at));
    case BSON_TYPE_UTF8: {
      const char* text = bson_iter_utf8(at, &size);
      return json::string(std::string_view(text, size));
    }
    case BSON_TYPE_DOCUMENT: {
      auto inner = inside(at, level);
      return members(&inner, level + 1);
    }
    case BSON_TYPE_ARRAY: {
      auto inner = inside(at, level);
      return elements(&inner, level + 1);
    }
    case BSON_TYPE_OID:
      return object_id(bson_iter_oid(at));
    case BSON_TYPE_BOOL:
      return bson_iter_bool(at);
    case BSON_TYPE_DATE_TIME:
      return date(bson_iter_date_time(at));
    case BSON_TYPE_NULL:
      return nullptr;
    case BSON_TYPE_INT32:
      return number(bson_iter_int32(at), "$numberInt");
    case BSON_TYPE_INT64:
      return number(bson_iter_int64(at), "$numberLong");
    default:
      return uncommon(at, level);
  }
}

json::value reader::uncommon(const bson_iter_t* at, int level) {
  std::uint32_t size = 0;
  switch (bson_iter_type(at)) {
    case BSON_TYPE_BINARY:
      return binary(at);
    case BSON_TYPE_DECIMAL128:
      return decimal(at);
    case BSON_TYPE_TIMESTAMP:
      return timestamp(at);
    case BSON_TYPE_REGEX:
      return regex(at);
    case BSON_TYPE_CODE: {
      const char* text = bson_iter_code(at, &size);
      return wrapped_text("$code", {text, size});
    }
    case BSON_TYPE_CODEWSCOPE:
      return scoped_code(at, level);
    case BSON_TYPE_SYMBOL: {
      const char* text = bson_iter_symbol(at, &size);
      return wrapped_text("$symbol", {text, size});
    }
    case BSON_TYPE_DBPOINTER:
      return pointer(at);
    case BSON_TYPE_UNDEFINED:
      return wrapped("$undefined", true);
    case BSON_TYPE_MAXKEY:
      return wrapped("$maxKey", 1);
    case BSON_TYPE_MINKEY:
      return wrapped("$minKey", 1);
    default:
      broken_document("a member has no known type");
  }
}

json::value reader::binary(const bson_iter_t* at) {
  constexpr std::string_view digits = "0123456789abcdef";
  bson_subtype_t subtype = BSON_SUBTYPE_BINARY;
  std::uint32_t size = 0;
  const std::uint8_t* data = nullptr;
  bson_iter_binary(at, &subtype, &size, &data);
  if (!data) broken_document("binary data are cut off");
  const auto number = static_cast<unsigned>(subtype) & 0xFF;
  json::object inner;
  inner.emplace("base64", to_base64({data, size}));
  inner.emplace("subType", std::string{digits[number >> 4], digits[number & 15]});
  return wrapped("$binary", std::move(inner));
}

json::value reader::decimal(const bson_iter_t* at) {
  bson_decimal128_t number;
  char text[BSON_DECIMAL128_STRING];
  if (!bson_iter_decimal128(at, &number)) broken_document("a decimal is cut off");
  bson_decimal128_to_string(&number, text);
  return wrapped_text("$numberDecimal", text);
}

json::value reader::regex(const bson_iter_t* at) {
  const char* options = nullptr;
  const char* pattern = bson_iter_regex(at, &options);
  json::object inner;
  inner.emplace("pattern", pattern);
  inner.emplace("options", options);
  return wrapped("$regularExpression", std::move(inner));
}

json::value reader::timestamp(const bson_iter_t* at) {
  std::uint32_t seconds = 0;
  std::uint32_t increment = 0;
  bson_iter_timestamp(at, &seconds, &increment);
  json::object inner;
  inner.emplace("t", seconds);
  inner.emplace("i", increment);
  return wrapped("$timestamp", std::move(inner));
}

json::value reader::pointer(const bson_iter_t* at) {
  std::uint32_t size = 0;
  const char* target = nullptr;
  const bson_oid_t* id = nullptr;
  bson_iter_dbpointer(at, &size, &target, &id);
  if (!target || !id) broken_document("a pointer is cut off");
  json::object inner;
  inner.emplace("$ref", std::string_view(target, size));
  inner.emplace("$id", object_id(id));
  return wrapped("$dbPointer", std::move(inner));
}

json::value reader::scoped_code(const bson_iter_t* at, int level) {
  std::uint32_t size = 0;
  std::uint32_t scope_size = 0;
  const std::uint8_t* scope_data = nullptr;
  const char* text = bson_iter_codewscope(at, &size, &scope_size, &scope_data);
  bson_iter_t inner;
  if (level > most_levels_read) broken_document("it is nested too deep");
  if (!text || !bson_iter_init_from_data(&inner, scope_data, scope_size)) broken_document("a scope is cut off");
  json::object out;
  out.emplace("$code", std::string_view(text, size));
  out.emplace("$scope", members(&inner, level + 1));
  return out;
}

}  // namespace

document read_document(const bson_t* source, json_form form) {
  bson_iter_t at;
  if (!bson_iter_init(&at, source)) broken_document("its length is wrong");
  return reader(form).members(&at, 1);
}

document read_document(const std::uint8_t* data, std::size_t size, json_form form) {
  bson_iter_t at;
  if (!bson_iter_init_from_data(&at, data, size)) broken_document("its length is wrong");
  return reader(form).members(&at, 1);
}

json::value read_value(const bson_iter_t* at, json_form form) { return reader(form).value(at, 1); }

}  // namespace polypool::mongodb
