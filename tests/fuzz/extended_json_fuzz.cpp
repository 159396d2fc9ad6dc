// SPDX-License-Identifier: Apache-2.0
// Any JSON as extended JSON: what a value can be read as, it can be made of again, and nothing else is thrown than what
// the readers promise.
#include <polypool/bson_values.hpp>
#include <polypool/error.hpp>

#include <boost/json/parse.hpp>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace {

namespace json = boost::json;
namespace bson = polypool::bson;

void require(bool holds) {
  if (!holds) std::abort();
}

// What a reader makes of a value; nothing when it says that it is another one.
template <class Reader>
auto read(Reader reader, const json::value& from) -> std::optional<decltype(reader(from))> {
  try {
    return reader(from);
  } catch (const polypool::error& problem) {
    require(problem.portable_code() == polypool::errc::type_mismatch);
    return std::nullopt;
  }
}

void check_numbers(const json::value& value) {
  const auto whole = read(bson::as_int64, value);
  const auto real = read(bson::as_double, value);
  if (whole) {
    require(bson::as_int64(bson::int64(*whole)) == *whole);
    require(real && *real == static_cast<double>(*whole));
  }
  if (const auto decimal = read(bson::as_decimal, value)) {
    require(bson::as_decimal(bson::decimal(*decimal)) == *decimal);
  }
}

void check(const json::value& value) {
  check_numbers(value);
  if (const auto id = read(bson::as_object_id, value)) {
    require(id->size() == 24 && bson::as_object_id(bson::object_id(*id)) == *id);
  }
  if (const auto when = read(bson::as_date, value)) require(bson::as_date(bson::date(*when)) == *when);
  const auto data = read(bson::as_binary, value);
  if (data) require(bson::as_binary(bson::binary(*data, 128)) == *data);
  if (const auto id = read(bson::as_uuid, value)) {
    require(data && data->size() == 16 && bson::as_uuid(bson::uuid(*id)) == *id);
  }
  if (value.is_array()) {
    for (const auto& each : value.get_array()) check(each);
  } else if (value.is_object()) {
    for (const auto& each : value.get_object()) check(each.value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  boost::system::error_code problem;
  const auto value = json::parse(std::string_view(reinterpret_cast<const char*>(data), size), problem);
  if (!problem) check(value);
  return 0;
}
