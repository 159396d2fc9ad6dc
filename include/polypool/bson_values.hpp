// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup driver
/// Values that BSON has and JSON has not, as extended JSON: made, and read back.
#pragma once

#include <polypool/value.hpp>

#include <boost/json/value.hpp>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace polypool::bson {

/// A point in time as BSON keeps it.
using time = std::chrono::sys_time<std::chrono::milliseconds>;

/// `{"$oid": …}`. Throws invalid_argument unless it is 24 hexadecimal digits.
boost::json::value object_id(std::string_view digits);
/// `{"$date": {"$numberLong": …}}`; any time point is cut to milliseconds.
boost::json::value date(time when);
/// `{"$numberInt": …}`, which keeps 32 bits.
boost::json::value int32(std::int32_t number);
/// `{"$numberLong": …}`, which keeps 64 bits also for a small number.
boost::json::value int64(std::int64_t number);
/// `{"$numberDecimal": …}`: 34 exact digits. What is no number is refused when it is sent.
boost::json::value decimal(std::string_view number);
/// `{"$binary": …}`. @param subtype 0 for any data, 4 for a UUID, 128 and more for your own
boost::json::value binary(std::span<const std::byte> data, std::uint8_t subtype = 0);
/// The same for a UUID.
boost::json::value uuid(const polypool::uuid& id);
/// `{"$regularExpression": …}`. @param options letters such as `i` and `m`
boost::json::value regex(std::string_view pattern, std::string_view options = {});
/// `{"$timestamp": …}`: the server's own kind of clock, for its log.
boost::json::value timestamp(std::uint32_t seconds, std::uint32_t increment);

// The readers take every form that such a value can have. Each throws type_mismatch when it is another value.
/// 24 hexadecimal digits.
std::string as_object_id(const boost::json::value& value);
/// Dates in both forms.
time as_date(const boost::json::value& value);
/// Integers in all forms, and other numbers that are whole and fit.
std::int64_t as_int64(const boost::json::value& value);
/// Numbers in all forms; a decimal loses digits.
double as_double(const boost::json::value& value);
/// A decimal's text; integers too.
std::string as_decimal(const boost::json::value& value);
/// Bytes of any subtype.
bytes as_binary(const boost::json::value& value);
/// A UUID: binary of subtype 4, 16 bytes.
polypool::uuid as_uuid(const boost::json::value& value);

}  // namespace polypool::bson
