// SPDX-License-Identifier: Apache-2.0
#include "support/tds_values.hpp"

#include "support/tds_codes.hpp"
#include "support/tds_times.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace polypool::test {
namespace {

std::string as_text(const tds_value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  if (const auto* data = std::get_if<tds_bytes>(&value)) return data->data;
  std::array<char, 40> buffer{};
  if (const auto* real = std::get_if<double>(&value)) {
    return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), *real).ptr};
  }
  return {};
}

std::int64_t as_integer(const tds_value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  if (const auto* real = std::get_if<double>(&value)) return static_cast<std::int64_t>(*real);
  return std::strtoll(as_text(value).c_str(), nullptr, 10);
}
double as_real(const tds_value& value) {
  if (const auto* real = std::get_if<double>(&value)) return *real;
  return std::strtod(as_text(value).c_str(), nullptr);
}

void write_sized(tds_writer& out, std::string_view data, bool max) {
  if (!max) {
    out.number(data.size(), 2);
    out.bytes(data);
    return;
  }
  out.number(data.size(), 8);
  constexpr std::size_t chunk = 8000;
  for (std::size_t at = 0; at < data.size(); at += chunk) {
    const auto part = data.substr(at, chunk);
    out.number(part.size(), 4);
    out.bytes(part);
  }
  out.number(0, 4);
}

void write_null(tds_writer& out, const tds_type& type) {
  using kind = tds_type::kind;
  const bool sized = type.what == kind::text || type.what == kind::narrow || type.what == kind::binary;
  if (type.what == kind::xml || (sized && type.size == 0)) return out.number(plp_null, 8);
  if (sized) return out.number(0xFFFF, 2);
  out.byte(0);
}

void write_time(tds_writer& out, std::uint64_t ticks, int scale) {
  out.number(ticks / time_unit(scale), time_size(scale));
}

}  // namespace

tds_type tds_type::of(const tds_value& value) {
  if (std::holds_alternative<std::int64_t>(value)) return {kind::integer, 8};
  if (std::holds_alternative<double>(value)) return {kind::real, 8};
  if (std::holds_alternative<tds_bytes>(value)) return {kind::binary, 0};
  return {kind::text, 0};
}

void write_type(tds_writer& out, const tds_type& type) {
  using kind = tds_type::kind;
  const auto one = [&](std::uint8_t token_number, std::size_t size) {
    out.byte(token_number);
    out.byte(static_cast<std::uint8_t>(size));
  };
  switch (type.what) {
    case kind::integer:
      return one(intn, type.size);
    case kind::bit:
      return one(bitn, 1);
    case kind::real:
      return one(fltn, type.size);
    case kind::decimal:
      one(decimaln, 17);
      out.byte(static_cast<std::uint8_t>(type.precision));
      return out.byte(static_cast<std::uint8_t>(type.scale));
    case kind::money:
      return one(moneyn, 8);
    case kind::guid:
      return one(guid_token, 16);
    case kind::date:
      return out.byte(daten);
    case kind::time:
      return one(timen, static_cast<std::size_t>(type.scale));
    case kind::datetime2:
      return one(datetime2n, static_cast<std::size_t>(type.scale));
    case kind::datetimeoffset:
      return one(datetimeoffsetn, static_cast<std::size_t>(type.scale));
    case kind::datetime:
      return one(datetimn, 8);
    case kind::xml:
      return one(xml_token, 0);
    case kind::text:
      out.byte(nvarchar);
      out.number(type.size == 0 ? 0xFFFF : 2 * type.size, 2);
      return out.bytes(collation);
    case kind::narrow:
      out.byte(bigvarchar);
      out.number(type.size == 0 ? 0xFFFF : type.size, 2);
      return out.bytes(collation);
    case kind::binary:
      out.byte(bigvarbinary);
      return out.number(type.size == 0 ? 0xFFFF : type.size, 2);
  }
}

void write_value(tds_writer& out, const tds_type& type, const tds_value& value) {
  using kind = tds_type::kind;
  if (std::holds_alternative<std::monostate>(value)) return write_null(out, type);
  const auto sized = [&](std::uint64_t number, std::size_t size) {
    out.byte(static_cast<std::uint8_t>(size));
    out.number(number, size);
  };
  switch (type.what) {
    case kind::integer:
      return sized(static_cast<std::uint64_t>(as_integer(value)), type.size);
    case kind::bit:
      return sized(as_integer(value) != 0 ? 1 : 0, 1);
    case kind::real:
      if (type.size == 4) return sized(std::bit_cast<std::uint32_t>(static_cast<float>(as_real(value))), 4);
      return sized(std::bit_cast<std::uint64_t>(as_real(value)), 8);
    case kind::decimal: {
      const auto parts = decimal_of(as_text(value), type.scale);
      out.byte(17);
      out.byte(parts.negative ? 0 : 1);
      out.number(static_cast<std::uint64_t>(parts.magnitude), 8);
      return out.number(static_cast<std::uint64_t>(parts.magnitude >> 64), 8);
    }
    case kind::money: {
      const auto parts = decimal_of(as_text(value), 4);
      auto units = static_cast<std::uint64_t>(parts.magnitude);
      if (parts.negative) units = ~units + 1;
      out.byte(8);
      out.number(units >> 32, 4);
      return out.number(units & 0xFFFFFFFF, 4);
    }
    case kind::guid:
      out.byte(16);
      return out.bytes(guid_bytes(as_text(value)));
    case kind::date:
      return sized(static_cast<std::uint64_t>(parse_time(as_text(value)).days), 3);
    case kind::time:
      out.byte(static_cast<std::uint8_t>(time_size(type.scale)));
      return write_time(out, parse_time(as_text(value)).ticks, type.scale);
    case kind::datetime2: {
      const auto time = parse_time(as_text(value));
      out.byte(static_cast<std::uint8_t>(time_size(type.scale) + 3));
      write_time(out, time.ticks, type.scale);
      return out.number(static_cast<std::uint64_t>(time.days), 3);
    }
    case kind::datetimeoffset: {
      const auto time = parse_time(as_text(value));
      const auto utc = static_cast<std::int64_t>(time.days) * static_cast<std::int64_t>(ticks_a_day) +
                       static_cast<std::int64_t>(time.ticks) -
                       time.offset * 60 * static_cast<std::int64_t>(ticks_a_second);
      out.byte(static_cast<std::uint8_t>(time_size(type.scale) + 5));
      write_time(out, static_cast<std::uint64_t>(utc) % ticks_a_day, type.scale);
      out.number(static_cast<std::uint64_t>(utc) / ticks_a_day, 3);
      return out.number(static_cast<std::uint16_t>(time.offset), 2);
    }
    case kind::datetime: {
      const auto time = parse_time(as_text(value));
      out.byte(8);
      out.number(static_cast<std::uint32_t>(time.days - days_to_1900), 4);
      return out.number((time.ticks * 300 + ticks_a_second / 2) / ticks_a_second, 4);
    }
    case kind::xml:
    case kind::text: {
      tds_writer wide;
      wide.text(as_text(value));
      return write_sized(out, wide.take(), type.what == kind::xml || type.size == 0);
    }
    case kind::narrow:
    case kind::binary:
      return write_sized(out, as_text(value), type.size == 0);
  }
}

}  // namespace polypool::test
