// SPDX-License-Identifier: Apache-2.0
#include "drivers/mysql/wire.hpp"

#include <charconv>
#include <cmath>
#include <limits>

namespace polypool::mysql {
namespace {

// Writes digits one behind the other.
class time_writer {
 public:
  explicit time_writer(time_buffer buffer) noexcept : begin_(buffer.data()), at_(begin_) {}
  void put(char c) noexcept { *at_++ = c; }
  void put(std::uint32_t number, int digits) noexcept {
    for (int i = digits; i-- > 0; number /= 10) at_[i] = static_cast<char>('0' + number % 10);
    at_ += digits;
  }
  void put_day(std::string_view data) noexcept {
    put(static_cast<std::uint32_t>(read_unsigned(data.substr(0, 2))), 4);
    put('-');
    put(static_cast<unsigned char>(data[2]), 2);
    put('-');
    put(static_cast<unsigned char>(data[3]), 2);
  }
  void put_clock(std::uint32_t hours, std::string_view rest) noexcept {
    put(hours, hours < 100 ? 2 : hours < 1000 ? 3 : 10);
    put(':');
    put(static_cast<unsigned char>(rest[0]), 2);
    put(':');
    put(static_cast<unsigned char>(rest[1]), 2);
    if (rest.size() < 6) return;
    const auto micros = static_cast<std::uint32_t>(read_unsigned(rest.substr(2, 4)));
    if (micros == 0) return;
    put('.');
    put(micros, 6);
    while (at_[-1] == '0') --at_;
  }
  std::string_view text() const noexcept { return {begin_, static_cast<std::size_t>(at_ - begin_)}; }

 private:
  char* begin_;
  char* at_;
};

}  // namespace

std::size_t read_length(unsigned char*& at, const unsigned char* end) noexcept {
  constexpr auto none = std::numeric_limits<std::size_t>::max();
  if (at >= end) return none;
  const unsigned char first = *at++;
  if (first < 251) return first;
  const std::size_t width = first == 252 ? 2 : first == 253 ? 3 : first == 254 ? 8 : 0;
  if (width == 0 || static_cast<std::size_t>(end - at) < width) return none;
  const auto out = read_unsigned({reinterpret_cast<const char*>(at), width});
  at += width;
  return out;
}

std::uint64_t read_unsigned(std::string_view data) noexcept {
  std::uint64_t out = 0;
  for (std::size_t i = data.size(); i-- > 0;) out = out << 8 | static_cast<unsigned char>(data[i]);
  return out;
}

std::int64_t read_signed(std::string_view data) noexcept {
  const auto unused = 64 - 8 * data.size();
  return static_cast<std::int64_t>(read_unsigned(data) << unused) >> unused;
}

double widened(float number) noexcept {
  std::array<char, 32> buffer;
  const auto [end, problem] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  double out = static_cast<double>(number);
  if (problem == std::errc() && std::isfinite(number)) std::from_chars(buffer.data(), end, out);
  return out;
}

std::string_view date_text(std::string_view data, time_buffer buffer) noexcept {
  time_writer out(buffer);
  out.put_day(data.size() >= 4 ? data : std::string_view("\0\0\0\0", 4));
  return out.text();
}

std::string_view moment_text(std::string_view data, bool zoned, time_buffer buffer) noexcept {
  time_writer out(buffer);
  out.put_day(data.size() >= 4 ? data : std::string_view("\0\0\0\0", 4));
  out.put(' ');
  if (data.size() >= 7) {
    out.put_clock(static_cast<unsigned char>(data[4]), data.substr(5));
  } else {
    out.put_clock(0, std::string_view("\0\0", 2));
  }
  if (zoned) {
    for (const char c : {'+', '0', '0'}) out.put(c);
  }
  return out.text();
}

std::string_view time_text(std::string_view data, time_buffer buffer) noexcept {
  time_writer out(buffer);
  if (data.size() < 8) {
    out.put_clock(0, std::string_view("\0\0", 2));
    return out.text();
  }
  if (data[0] != 0) out.put('-');
  const auto days = static_cast<std::uint32_t>(read_unsigned(data.substr(1, 4)));
  out.put_clock(days * 24 + static_cast<unsigned char>(data[5]), data.substr(6));
  return out.text();
}

std::string_view without_zeros(std::string_view time) noexcept {
  if (!time.contains('.')) return time;
  time = time.substr(0, time.find_last_not_of('0') + 1);
  if (time.ends_with('.')) time.remove_suffix(1);
  return time;
}

}  // namespace polypool::mysql
