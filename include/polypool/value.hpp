// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup driver
/// Values on their way to a database, and the names of the types that come back.
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace polypool {

/// A number kept as exact decimal text (`NUMERIC`, `DECIMAL`).
struct numeric {
  std::string text;
  auto operator<=>(const numeric&) const = default;
};

/// A JSON document as text.
struct json_text {
  std::string text;
  auto operator<=>(const json_text&) const = default;
};

/// A UUID; prints as `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
struct uuid {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const uuid&) const = default;
  /// Reads the usual forms (with or without hyphens and braces). @return nothing when it is not a UUID
  static std::optional<uuid> parse(std::string_view text);
  std::string to_string() const;
};

using bytes = std::vector<std::byte>;                                   ///< binary data
using date = std::chrono::sys_days;                                     ///< a day without time
using time_of_day = std::chrono::duration<std::int64_t, std::micro>;    ///< since midnight
using timestamp = std::chrono::local_time<std::chrono::microseconds>;   ///< a wall clock's reading, no zone
using timestamp_tz = std::chrono::sys_time<std::chrono::microseconds>;  ///< a point in time (UTC)

/// Text that belongs to somebody else who outlives the call; bound without a copy.
struct text_view {
  std::string_view text;
};
/// Bytes that belong to somebody else who outlives the call; bound without a copy.
struct bytes_view {
  std::span<const std::byte> data;
};

/// One parameter of a statement. Implicit from the C++ types that have a natural counterpart.
class value {
 public:
  using variant = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, text_view,
                               numeric, bytes, bytes_view, date, time_of_day, timestamp, timestamp_tz, uuid, json_text>;

  value() noexcept = default;  ///< NULL
  value(std::nullptr_t) noexcept {}
  value(std::nullopt_t) noexcept {}
  value(std::same_as<bool> auto flag) noexcept : data_(flag) {}
  template <std::integral T>
    requires(!std::same_as<T, bool> && !std::same_as<T, char>)
  value(T number) noexcept {
    if constexpr (std::is_signed_v<T>) {
      data_.emplace<std::int64_t>(number);
    } else {
      data_.emplace<std::uint64_t>(number);
    }
  }
  template <std::floating_point T>
  value(T number) noexcept : data_(static_cast<double>(number)) {}
  value(std::string text) noexcept : data_(std::move(text)) {}
  value(const char* text) : data_(std::string(text)) {}
  value(std::string_view text) : data_(std::string(text)) {}
  value(text_view text) noexcept : data_(text) {}
  value(numeric number) noexcept : data_(std::move(number)) {}
  value(bytes data) noexcept : data_(std::move(data)) {}
  value(bytes_view data) noexcept : data_(data) {}
  value(date day) noexcept : data_(day) {}
  value(time_of_day time) noexcept : data_(time) {}
  value(timestamp time) noexcept : data_(time) {}
  value(timestamp_tz time) noexcept : data_(time) {}
  value(std::chrono::system_clock::time_point time) noexcept
      : data_(std::chrono::floor<std::chrono::microseconds>(time)) {}
  value(uuid id) noexcept : data_(id) {}
  value(json_text document) noexcept : data_(std::move(document)) {}
  template <class T>
    requires std::constructible_from<value, T>
  value(std::optional<T> maybe) {
    if (maybe) *this = value(std::move(*maybe));
  }

  bool is_null() const noexcept { return data_.index() == 0; }
  const variant& data() const noexcept { return data_; }

 private:
  variant data_;
};

/// The type of a value in a result, the same for every database.
enum class data_type : std::uint8_t {
  null,
  boolean,
  integer,           ///< fits std::int64_t
  unsigned_integer,  ///< fits std::uint64_t, may not fit std::int64_t
  real,              ///< a binary floating point number
  numeric,           ///< an exact decimal number
  text,
  bytes,
  date,
  time,
  timestamp,
  timestamp_tz,
  interval,
  uuid,
  json,
  array,  ///< in the database's own text form
  other,  ///< in the database's own text form
};

/// The lower-case name of a type, such as "timestamp_tz".
std::string_view to_string(data_type type) noexcept;

/// The text form of each time type, ISO 8601 as PostgreSQL and SQLite write it: `2024-02-29`, `13:45:00.25`,
/// `2024-02-29 13:45:00.25`, and with `+00` behind it for a point in time.
/// Throws invalid_value outside the years 0000 to 9999, and for a time of day outside 00:00:00 to 24:00:00.
std::string to_text(date value);
std::string to_text(time_of_day value);
std::string to_text(timestamp value);
std::string to_text(timestamp_tz value);

/// The parsers of these forms (also with `T` between, and any offset `+hh[:mm[:ss]]` or `Z`). Nothing when it is none,
/// or when it has digits below the microsecond that would be lost.
std::optional<date> parse_date(std::string_view text);
std::optional<time_of_day> parse_time_of_day(std::string_view text);
std::optional<timestamp> parse_timestamp(std::string_view text);
std::optional<timestamp_tz> parse_timestamp_tz(std::string_view text);

}  // namespace polypool
