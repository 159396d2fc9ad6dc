// SPDX-License-Identifier: Apache-2.0
#include "drivers/mysql/parameters.hpp"

#include "base/utf8.hpp"

#include <polypool/error.hpp>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <type_traits>
#include <variant>

namespace polypool::mysql {
namespace {

[[noreturn]] void refuse(std::size_t index, std::string_view why, std::string_view hint) {
  error problem(errc::invalid_value, "parameter $" + std::to_string(index + 1) + " " + std::string(why));
  problem.with_hint(hint);
  throw problem;
}

// The server takes what it can of a decimal and drops the rest, so nothing but a decimal may get there.
void check_decimal(std::size_t index, std::string_view text) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  std::string_view rest = text;
  if (rest.starts_with('-') || rest.starts_with('+')) rest.remove_prefix(1);
  const auto point = std::min(rest.find('.'), rest.size());
  auto whole = rest.substr(0, point);
  const auto fraction = rest.substr(std::min(point + 1, rest.size()));
  const bool shaped = std::ranges::all_of(whole, digit) && std::ranges::all_of(fraction, digit);
  if (!shaped || whole.size() + fraction.size() == 0) {
    refuse(index, "is no decimal number: '" + excerpt(text) + "'",
           "write digits with at most one point, without exponent");
  }
  whole.remove_prefix(std::min(whole.find_first_not_of('0'), whole.size()));
  if (whole.size() + fraction.size() > 65 || fraction.size() > 38) {
    refuse(index, "has more than 65 digits, or more than 38 behind the point", "MySQL keeps no longer decimals");
  }
}

void split_day(MYSQL_TIME& out, date day) {
  const std::chrono::year_month_day parts(day);
  const int year = static_cast<int>(parts.year());
  if (year < 0 || year > 9999) to_text(day);  // throws, and says why
  out.year = static_cast<unsigned int>(year);
  out.month = static_cast<unsigned int>(parts.month());
  out.day = static_cast<unsigned int>(parts.day());
}

void split_time(MYSQL_TIME& out, std::chrono::microseconds since_midnight) {
  const std::chrono::hh_mm_ss parts(since_midnight);
  out.hour = static_cast<unsigned int>(parts.hours().count());
  out.minute = static_cast<unsigned int>(parts.minutes().count());
  out.second = static_cast<unsigned int>(parts.seconds().count());
  out.second_part = static_cast<unsigned long>(parts.subseconds().count());
}

}  // namespace

// Binds one parameter of each kind.
struct parameter_list::binder {
  parameter_list& list;
  MYSQL_BIND& to;
  std::size_t index;
  bool utc;

  void put(enum_field_types type, const void* data, std::size_t length) const {
    to.buffer_type = type;
    to.buffer = const_cast<void*>(data);
    to.buffer_length = length;
    list.bytes_ += length;
  }
  void put_text(enum_field_types type, std::string_view text) const {
    put(type, text.empty() ? "" : text.data(), text.size());  // the library takes a null pointer for NULL
  }
  void checked_text(std::string_view text) const {
    if (!is_valid_utf8(text)) refuse(index, "is text that is not valid UTF-8", "send it as polypool::bytes");
    put_text(MYSQL_TYPE_STRING, text);
  }
  void put_time(enum_field_types type, const MYSQL_TIME& time) const {
    put(type, &list.times_.emplace_back(time), sizeof(MYSQL_TIME));
  }

  void operator()(std::monostate) const { to.buffer_type = MYSQL_TYPE_NULL; }
  void operator()(const bool& flag) const { put(MYSQL_TYPE_TINY, &flag, 1); }
  void operator()(const std::int64_t& number) const { put(MYSQL_TYPE_LONGLONG, &number, 8); }
  void operator()(const std::uint64_t& number) const {
    put(MYSQL_TYPE_LONGLONG, &number, 8);
    to.is_unsigned = 1;
  }
  void operator()(const double& number) const {
    if (!std::isfinite(number)) {
      refuse(index, std::isnan(number) ? "is NaN" : "is infinite", "MySQL keeps finite numbers and NULL only");
    }
    put(MYSQL_TYPE_DOUBLE, &number, 8);
  }
  void operator()(const std::string& text) const { checked_text(text); }
  void operator()(const text_view& view) const { checked_text(view.text); }
  void operator()(const json_text& document) const { checked_text(document.text); }
  void operator()(const numeric& number) const {
    check_decimal(index, number.text);
    put_text(MYSQL_TYPE_NEWDECIMAL, number.text);
  }
  void operator()(const polypool::bytes& data) const { (*this)(bytes_view{data}); }
  void operator()(const bytes_view& view) const {
    put_text(MYSQL_TYPE_LONG_BLOB, {reinterpret_cast<const char*>(view.data.data()), view.data.size()});
  }
  void operator()(const uuid& id) const { put_text(MYSQL_TYPE_STRING, list.texts_.emplace_back(id.to_string())); }
  void operator()(const date& day) const {
    MYSQL_TIME time{};
    time.time_type = MYSQL_TIMESTAMP_DATE;
    split_day(time, day);
    put_time(MYSQL_TYPE_DATE, time);
  }
  void operator()(const time_of_day& since_midnight) const {
    if (since_midnight < time_of_day::zero() || since_midnight > std::chrono::days(1))
      to_text(since_midnight);  // throws
    MYSQL_TIME time{};
    time.time_type = MYSQL_TIMESTAMP_TIME;
    split_time(time, since_midnight);
    put_time(MYSQL_TYPE_TIME, time);
  }
  void operator()(const timestamp& when) const { put_moment(when.time_since_epoch()); }
  void operator()(const timestamp_tz& when) const {
    if (!utc) {
      refuse(index, "is a point in time, and the session's time zone is not UTC",
             "leave the option time_zone alone, or send a polypool::timestamp of the session's zone");
    }
    put_moment(when.time_since_epoch());
  }
  void put_moment(std::chrono::microseconds since_epoch) const {
    const auto days = std::chrono::floor<std::chrono::days>(since_epoch);
    MYSQL_TIME time{};
    time.time_type = MYSQL_TIMESTAMP_DATETIME;
    split_day(time, date(days));
    split_time(time, since_epoch - days);
    put_time(MYSQL_TYPE_DATETIME, time);
  }
};

void parameter_list::bind(std::span<const value> values, std::span<const std::uint16_t> order, bool utc) {
  clear();
  binds_.assign(order.size(), MYSQL_BIND{});
  for (std::size_t i = 0; i < order.size(); ++i) {
    bytes_ += 16;  // its type and the length of its length
    std::visit(binder{*this, binds_[i], order[i], utc}, values[order[i]].data());
  }
}

void parameter_list::clear() noexcept {
  binds_.clear();
  if (!times_.empty()) times_.clear();
  if (!texts_.empty()) texts_.clear();
  bytes_ = 0;
}

}  // namespace polypool::mysql
