// SPDX-License-Identifier: Apache-2.0
// The text forms of the time types.
#include <polypool/error.hpp>
#include <polypool/value.hpp>

namespace polypool {
namespace {

using namespace std::chrono;

constexpr sys_days first_day = year{0} / January / 1;
constexpr sys_days last_day = year{9999} / December / 31;

template <class Duration>
constexpr bool in_range(time_point<system_clock, Duration> when) {
  return when >= first_day && when < last_day + days{1};
}

[[noreturn]] void refuse(std::string_view what) {
  throw error(errc::invalid_value, "a " + std::string(what) + " outside the years 0000 to 9999 has no text form");
}

void append_number(std::string& out, unsigned number, int width) {
  std::array<char, 10> buffer{};
  for (int i = width; i-- > 0; number /= 10) buffer[static_cast<std::size_t>(i)] = static_cast<char>('0' + number % 10);
  out.append(buffer.data(), static_cast<std::size_t>(width));
}

void append_date(std::string& out, date day) {
  const year_month_day parts{day};
  append_number(out, static_cast<unsigned>(static_cast<int>(parts.year())), 4);
  out += '-';
  append_number(out, static_cast<unsigned>(parts.month()), 2);
  out += '-';
  append_number(out, static_cast<unsigned>(parts.day()), 2);
}

void append_time(std::string& out, time_of_day time) {
  const auto seconds = static_cast<unsigned>(time.count() / 1'000'000);
  auto micros = static_cast<unsigned>(time.count() % 1'000'000);
  append_number(out, seconds / 3600, 2);
  out += ':';
  append_number(out, seconds / 60 % 60, 2);
  out += ':';
  append_number(out, seconds % 60, 2);
  if (micros == 0) return;
  int width = 6;
  for (; micros % 10 == 0; micros /= 10) --width;
  out += '.';
  append_number(out, micros, width);
}

// Reads forms from the front of a text; every function leaves what it did not take.
class reader {
 public:
  explicit reader(std::string_view text) : rest_(text) {}
  bool at_end() const { return rest_.empty(); }
  bool skip(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool next_is_digit() const { return !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; }
  // Exactly `width` digits, at most `most`.
  bool number(int width, unsigned most, unsigned& out) {
    out = 0;
    for (int i = 0; i < width; ++i) {
      if (!next_is_digit()) return false;
      out = out * 10 + static_cast<unsigned>(rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    return out <= most;
  }
  // Digits behind the point as microseconds. More than six only when nothing is lost: the rest must be zeros.
  bool fraction(unsigned& micros) {
    micros = 0;
    if (!next_is_digit()) return false;
    for (unsigned scale = 100'000; next_is_digit(); scale /= 10) {
      const auto digit = static_cast<unsigned>(rest_.front() - '0');
      if (scale == 0 && digit != 0) return false;
      micros += digit * scale;
      rest_.remove_prefix(1);
    }
    return true;
  }
  std::optional<date> day() {
    unsigned y = 0, m = 0, d = 0;
    if (!number(4, 9999, y) || !skip('-') || !number(2, 12, m) || !skip('-') || !number(2, 31, d)) return std::nullopt;
    const year_month_day parts{year{static_cast<int>(y)}, month{m}, std::chrono::day{d}};
    if (!parts.ok()) return std::nullopt;
    return sys_days{parts};
  }
  std::optional<time_of_day> time() {
    unsigned h = 0, m = 0, s = 0, micros = 0;
    if (!number(2, 24, h) || !skip(':') || !number(2, 59, m)) return std::nullopt;
    if (skip(':')) {
      if (!number(2, 59, s)) return std::nullopt;
      if (skip('.') && !fraction(micros)) return std::nullopt;
    }
    const time_of_day out = hours{h} + minutes{m} + seconds{s} + microseconds{micros};
    if (out > hours{24}) return std::nullopt;
    return out;
  }
  std::optional<timestamp> day_and_time() {
    const auto first = day();
    if (!first || (!skip(' ') && !skip('T') && !skip('t'))) return std::nullopt;
    const auto second = time();
    if (!second) return std::nullopt;
    return timestamp{first->time_since_epoch() + *second};
  }
  std::optional<seconds> offset() {
    if (skip('Z') || skip('z')) return seconds{0};
    const bool west = skip('-');
    if (!west && !skip('+')) return std::nullopt;
    unsigned h = 0, m = 0, s = 0;
    if (!number(2, 23, h)) return std::nullopt;
    if (skip(':') || next_is_digit()) {
      if (!number(2, 59, m)) return std::nullopt;
      if (skip(':') && !number(2, 59, s)) return std::nullopt;
    }
    const seconds span = hours{h} + minutes{m} + seconds{s};
    return west ? -span : span;
  }

 private:
  std::string_view rest_;
};

}  // namespace

std::string to_text(date value) {
  if (value < first_day || value > last_day) refuse("date");
  std::string out;
  append_date(out, value);
  return out;
}

std::string to_text(time_of_day value) {
  if (value < time_of_day{0} || value > hours{24}) {
    throw error(errc::invalid_value, "a time of day is between 00:00:00 and 24:00:00");
  }
  std::string out;
  append_time(out, value);
  return out;
}

std::string to_text(timestamp value) {
  const sys_time<microseconds> same{value.time_since_epoch()};
  if (!in_range(same)) refuse("timestamp");
  const auto day = floor<days>(same);
  std::string out;
  out.reserve(29);
  append_date(out, day);
  out += ' ';
  append_time(out, same - day);
  return out;
}

std::string to_text(timestamp_tz value) { return to_text(timestamp{value.time_since_epoch()}) + "+00"; }

std::optional<date> parse_date(std::string_view text) {
  reader in(text);
  const auto out = in.day();
  return in.at_end() ? out : std::nullopt;
}

std::optional<time_of_day> parse_time_of_day(std::string_view text) {
  reader in(text);
  const auto out = in.time();
  return in.at_end() ? out : std::nullopt;
}

std::optional<timestamp> parse_timestamp(std::string_view text) {
  reader in(text);
  const auto out = in.day_and_time();
  if (!out || !in.at_end() || !in_range(sys_time<microseconds>{out->time_since_epoch()})) return std::nullopt;
  return out;
}

std::optional<timestamp_tz> parse_timestamp_tz(std::string_view text) {
  reader in(text);
  const auto local = in.day_and_time();
  if (!local) return std::nullopt;
  const auto offset = in.offset();
  if (!offset || !in.at_end()) return std::nullopt;
  const timestamp_tz out{local->time_since_epoch() - *offset};
  return in_range(out) ? std::optional(out) : std::nullopt;
}

}  // namespace polypool
