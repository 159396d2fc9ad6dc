// SPDX-License-Identifier: Apache-2.0
// MongoDB's extended JSON, version 2: objects such as {"$oid": "…"} that stand for one value of BSON.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::extended_json {

/// A value that an object stands for. Which members count depends on its kind.
struct special {
  enum class kind_type : std::uint8_t {
    none,  ///< the object is a plain document
    object_id,
    date,
    int32,
    int64,
    real,
    decimal,
    binary,
    regex,
    timestamp,
    code,
    scoped_code,
    symbol,
    undefined,
    min_key,
    max_key,
    pointer,  ///< to a document of another collection; deprecated
  };
  kind_type kind = kind_type::none;
  std::array<std::uint8_t, 12> id{};           ///< object_id, pointer
  std::int64_t integer = 0;                    ///< int32, int64; milliseconds since 1970 of a date
  double real = 0;                             ///< real
  std::string_view text;                       ///< decimal, regex, code, symbol, pointer: points into the object
  std::string_view options;                    ///< regex
  std::vector<std::uint8_t> data;              ///< binary
  std::uint8_t subtype = 0;                    ///< binary
  std::uint32_t seconds = 0;                   ///< timestamp
  std::uint32_t increment = 0;                 ///< timestamp
  const boost::json::object* scope = nullptr;  ///< scoped_code
};

/// What the object stands for. Throws invalid_argument when it looks like a special value and is not one.
special read(const boost::json::object& object);

/// The same for any value: plain JSON numbers have a kind, too. `none` for everything else that is plain.
special read(const boost::json::value& value);

/// `2024-02-29T12:00:00.5Z` for dates from 1970 to 9999; empty for others, which have no such form.
std::string date_text(std::int64_t milliseconds);

/// The digits of an object id.
std::string id_text(const std::uint8_t (&id)[12]);

/// A number as canonical extended JSON writes it: "1.0", "-0.0", "Infinity", "NaN".
std::string real_text(double number);

}  // namespace polypool::extended_json
