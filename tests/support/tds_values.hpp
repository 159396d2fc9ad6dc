// SPDX-License-Identifier: Apache-2.0
// The types of SQL Server on the wire, for the test server: what it keeps, and how it is sent and read.
#pragma once

#include "support/tds_wire.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace polypool::test {

struct tds_bytes {
  std::string data;
  bool operator==(const tds_bytes&) const = default;
};
/// A value as the test server's SQLite keeps it. Exact numbers and times are text.
using tds_value = std::variant<std::monostate, std::int64_t, double, std::string, tds_bytes>;

/// A type of SQL Server, such as decimal(10, 2) or nvarchar(max).
struct tds_type {
  enum class kind : std::uint8_t {
    integer,  // size: 1, 2, 4, 8
    bit,
    real,     // size: 4, 8
    decimal,  // precision and scale
    money,
    text,    // nvarchar; size in characters, 0: max
    narrow,  // varchar; size in characters, 0: max
    binary,  // varbinary; size in bytes, 0: max
    guid,
    date,
    time,            // scale
    datetime2,       // scale
    datetimeoffset,  // scale
    datetime,
    xml,
  };
  kind what = kind::text;
  std::size_t size = 0;
  int precision = 18;
  int scale = 0;

  /// From a declaration such as `decimal(10,2)`; nvarchar(max) when it says nothing.
  static tds_type parse(std::string_view declaration);
  /// The type that suits a value of no declared type.
  static tds_type of(const tds_value& value);
};

/// Writes a type as COLMETADATA and RPC parameters have it.
void write_type(tds_writer& out, const tds_type& type);
/// Writes a value of that type; null as the type writes it.
void write_value(tds_writer& out, const tds_type& type, const tds_value& value);
/// Reads a parameter: its type and its value. Throws tds_broken.
tds_value read_parameter(tds_reader& in);

}  // namespace polypool::test
