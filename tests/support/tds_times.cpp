// SPDX-License-Identifier: Apache-2.0
#include "support/tds_times.hpp"

#include "support/tds_wire.hpp"

#include <array>
#include <chrono>
#include <cstdio>

namespace polypool::test {
namespace {

using namespace std::chrono;

constexpr sys_days first_day = year{1} / January / 1;

class parts {
 public:
  explicit parts(std::string_view text) : rest_(text) {}
  bool starts_with_date() const { return rest_.size() >= 10 && rest_[4] == '-'; }
  bool at_end() const { return rest_.empty(); }
  unsigned number(std::size_t width) {
    unsigned out = 0;
    for (std::size_t i = 0; i < width; ++i) {
      if (rest_.empty() || rest_.front() < '0' || rest_.front() > '9')
        throw tds_broken("no time: " + std::string(rest_));
      out = out * 10 + static_cast<unsigned>(rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    return out;
  }
  bool skip(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool next_is_digit() const { return !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; }

 private:
  std::string_view rest_;
};

}  // namespace

tds_time parse_time(std::string_view text) {
  parts in(text);
  tds_time out;
  if (in.starts_with_date()) {
    const auto y = static_cast<int>(in.number(4));
    in.skip('-');
    const unsigned m = in.number(2);
    in.skip('-');
    const year_month_day date{year{y}, month{m}, day{in.number(2)}};
    if (!date.ok()) throw tds_broken("no date: " + std::string(text));
    out.days = static_cast<std::int32_t>((sys_days(date) - first_day).count());
    if (in.at_end()) return out;
    if (!in.skip(' ')) in.skip('T');
  }
  out.ticks = in.number(2) * 3600 * ticks_a_second;
  in.skip(':');
  out.ticks += in.number(2) * 60 * ticks_a_second;
  if (in.skip(':')) out.ticks += in.number(2) * ticks_a_second;
  if (in.skip('.')) {
    for (std::uint64_t unit = ticks_a_second / 10; in.next_is_digit(); unit /= 10) out.ticks += in.number(1) * unit;
  }
  while (in.skip(' ')) continue;
  const bool west = in.skip('-');
  if (west || in.skip('+')) {
    const auto hours = static_cast<int>(in.number(2));
    in.skip(':');
    out.offset = (hours * 60 + static_cast<int>(in.number(2))) * (west ? -1 : 1);
  }
  return out;
}

std::string date_text(std::int32_t number) {
  const year_month_day date{first_day + days{number}};
  std::array<char, 16> out{};
  std::snprintf(out.data(), out.size(), "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return out.data();
}

std::string time_text(std::uint64_t ticks, int scale) {
  const auto seconds = ticks / ticks_a_second;
  std::array<char, 32> out{};
  std::snprintf(out.data(), out.size(), "%02u:%02u:%02u.%07u", static_cast<unsigned>(seconds / 3600),
                static_cast<unsigned>(seconds / 60 % 60), static_cast<unsigned>(seconds % 60),
                static_cast<unsigned>(ticks % ticks_a_second));
  std::string text = out.data();
  text.resize(scale == 0 ? 8 : 9 + static_cast<std::size_t>(scale));
  return text;
}

std::string offset_text(int minutes) {
  std::array<char, 16> out{};
  const unsigned size = static_cast<unsigned>(minutes < 0 ? -minutes : minutes);
  std::snprintf(out.data(), out.size(), "%c%02u:%02u", minutes < 0 ? '-' : '+', size / 60, size % 60);
  return out.data();
}

}  // namespace polypool::test
