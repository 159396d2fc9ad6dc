// SPDX-License-Identifier: Apache-2.0
// Reading the parameters of an RPC.
#include "support/tds_codes.hpp"
#include "support/tds_times.hpp"
#include "support/tds_values.hpp"

#include <bit>
#include <optional>
#include <utility>

namespace polypool::test {
namespace {

std::optional<std::string> read_plp(tds_reader& in) {
  const auto total = in.number<std::uint64_t>();
  if (total == plp_null) return std::nullopt;
  if (total != plp_unknown && total > 1'000'000'000) throw tds_broken("a value is too large");
  std::string out;
  while (const auto size = in.number<std::uint32_t>()) out += in.bytes(size);
  return out;
}

tds_value read_by_length(tds_reader& in, std::size_t limit, bool wide, bool binary) {
  std::optional<std::string> data;
  if (limit == 0xFFFF) {
    data = read_plp(in);
  } else if (const auto size = in.number<std::uint16_t>(); size != 0xFFFF) {
    data = in.bytes(size);
  }
  if (!data) return std::monostate();
  if (binary) return tds_bytes{std::move(*data)};
  if (!wide) return std::move(*data);
  return tds_reader(*data).text(data->size() / 2);
}

tds_value read_integer(tds_reader& in, std::size_t size) {
  const auto raw = in.unsigned_number(size);
  switch (size) {
    case 1:
      return std::int64_t{static_cast<std::uint8_t>(raw)};
    case 2:
      return std::int64_t{static_cast<std::int16_t>(raw)};
    case 4:
      return std::int64_t{static_cast<std::int32_t>(raw)};
    default:
      return static_cast<std::int64_t>(raw);
  }
}
tds_value read_real(tds_reader& in, std::size_t size) {
  const auto raw = in.unsigned_number(size);
  if (size == 4) return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(raw)));
  return std::bit_cast<double>(raw);
}

tds_value read_datetime(tds_reader& in) {
  const auto days = in.number<std::int32_t>();
  const auto parts = in.number<std::uint32_t>();
  return date_text(days + days_to_1900) + " " + time_text(std::uint64_t{parts} * ticks_a_second / 300, 3);
}

tds_value read_times(tds_reader& in, std::uint8_t type) {
  const int scale = type == daten ? 0 : in.number<std::uint8_t>();
  const std::size_t size = in.number<std::uint8_t>();
  if (size == 0) return std::monostate();
  if (type == daten) return date_text(static_cast<std::int32_t>(in.unsigned_number(3)));
  const auto ticks = in.unsigned_number(time_size(scale)) * time_unit(scale);
  if (type == timen) return time_text(ticks, scale);
  const auto days = static_cast<std::int32_t>(in.unsigned_number(3));
  if (type == datetime2n) return date_text(days) + " " + time_text(ticks, scale);
  const int offset = in.number<std::int16_t>();
  const auto local = static_cast<std::int64_t>(days) * static_cast<std::int64_t>(ticks_a_day) +
                     static_cast<std::int64_t>(ticks) + offset * 60 * static_cast<std::int64_t>(ticks_a_second);
  return date_text(static_cast<std::int32_t>(local / static_cast<std::int64_t>(ticks_a_day))) + " " +
         time_text(static_cast<std::uint64_t>(local) % ticks_a_day, scale) + " " + offset_text(offset);
}

tds_value read_decimal(tds_reader& in) {
  in.bytes(2);  // its length at most, its precision
  const int scale = in.number<std::uint8_t>();
  const std::size_t size = in.number<std::uint8_t>();
  if (size == 0) return std::monostate();
  decimal_parts parts;
  parts.negative = in.number<std::uint8_t>() == 0;
  const auto data = in.bytes(size - 1);
  for (std::size_t i = data.size(); i-- > 0;)
    parts.magnitude = parts.magnitude << 8 | static_cast<std::uint8_t>(data[i]);
  return decimal_text(parts, scale);
}

}  // namespace

tds_value read_parameter(tds_reader& in) {
  const auto type = in.number<std::uint8_t>();
  const auto by_byte = [&](auto read) -> tds_value {
    in.bytes(1);  // its size at most
    const std::size_t size = in.number<std::uint8_t>();
    if (size == 0) return std::monostate();
    return read(size);
  };
  switch (type) {
    case int1:
    case bit_token:
      return read_integer(in, 1);
    case int2:
      return read_integer(in, 2);
    case int4:
      return read_integer(in, 4);
    case int8:
      return read_integer(in, 8);
    case flt4:
      return read_real(in, 4);
    case flt8:
      return read_real(in, 8);
    case intn:
    case bitn:
      return by_byte([&](std::size_t size) { return read_integer(in, size); });
    case fltn:
      return by_byte([&](std::size_t size) { return read_real(in, size); });
    case datetimn:
      return by_byte([&](std::size_t) { return read_datetime(in); });
    case guid_token:
      return by_byte([&](std::size_t size) -> tds_value { return guid_text(in.bytes(size)); });
    case decimaln:
    case numericn:
      return read_decimal(in);
    case daten:
    case timen:
    case datetime2n:
    case datetimeoffsetn:
      return read_times(in, type);
    case nvarchar:
    case nchar:
    case bigvarchar:
    case bigchar: {
      const auto limit = in.number<std::uint16_t>();
      in.bytes(collation.size());
      return read_by_length(in, limit, type == nvarchar || type == nchar, false);
    }
    case bigvarbinary:
    case bigbinary:
      return read_by_length(in, in.number<std::uint16_t>(), false, true);
    case text_token:
    case ntext:
    case image: {
      in.bytes(4);  // its size at most
      if (type != image) in.bytes(collation.size());
      const auto size = in.number<std::uint32_t>();
      if (size == 0xFFFFFFFF) return std::monostate();
      if (type == ntext) return in.text(size / 2);
      std::string data(in.bytes(size));
      if (type == image) return tds_bytes{std::move(data)};
      return data;
    }
    default:
      throw tds_broken("a parameter of a type that is not known: " + std::to_string(type));
  }
}

}  // namespace polypool::test
