// SPDX-License-Identifier: Apache-2.0
#include <polypool/redis_command.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace polypool {
namespace {

constexpr std::size_t most_digits = 20;

char* write_line_end(char* to) noexcept {
  *to++ = '\r';
  *to++ = '\n';
  return to;
}

// `$5\r\n`: at most one sign, 20 digits, two line ends. @return behind it
char* write_header(char* to, char sign, std::size_t number) noexcept {
  *to++ = sign;
  if (number < 10) {
    *to++ = static_cast<char>('0' + number);
  } else {
    to = std::to_chars(to, to + most_digits, number).ptr;
  }
  return write_line_end(to);
}

}  // namespace

// @return where they go
char* redis_command::room_for(std::size_t more) {
  if (size_ + more > capacity_) [[unlikely]] {
    const std::size_t wanted = std::max(size_ + more, capacity_ * 2);
    auto larger = std::make_unique_for_overwrite<char[]>(wanted);
    std::memcpy(larger.get(), body().data(), size_);
    heap_ = std::move(larger);
    capacity_ = wanted;
  }
  return (heap_ ? heap_.get() : inline_.data()) + size_;
}

void redis_command::append(std::string_view bytes) {
  char* const to = room_for(bytes.size());
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  size_ += bytes.size();
}

void redis_command::take(redis_command& other) noexcept {
  heap_ = std::move(other.heap_);
  size_ = std::exchange(other.size_, 0);
  capacity_ = std::exchange(other.capacity_, inside);
  count_ = std::exchange(other.count_, 0);
  if (!heap_) std::memcpy(inline_.data(), other.inline_.data(), size_);
}

redis_command& redis_command::add(std::string_view argument) {
  const std::size_t digits = argument.size() < 10 ? 1 : argument.size() < 100 ? 2 : most_digits;
  constexpr std::size_t frame = 5;  // its sign and both line ends
  char* const begin = room_for(digits + argument.size() + frame);
  char* to = write_header(begin, '$', argument.size());
  if (!argument.empty()) std::memcpy(to, argument.data(), argument.size());
  to = write_line_end(to + argument.size());
  size_ += static_cast<std::size_t>(to - begin);
  ++count_;
  return *this;
}

redis_command& redis_command::add_real(double number) {
  if (std::isinf(number)) return add(number > 0 ? "inf" : "-inf");
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  return add(std::string_view(digits.data(), end.ptr));
}

redis_command& redis_command::add_words(const redis_command& other, std::size_t from) {
  if (from >= other.size()) return *this;
  std::string_view rest = other.body();
  if (from > 0) {
    const std::string_view before = other[from - 1];
    rest.remove_prefix(static_cast<std::size_t>(before.data() + before.size() + 2 - rest.data()));
  }
  append(rest);
  count_ += static_cast<std::uint32_t>(other.size() - from);
  return *this;
}

std::string_view redis_command::operator[](std::size_t index) const noexcept {
  std::string_view rest = body();
  while (!rest.empty()) {
    std::size_t length = 0;
    const auto begin = std::from_chars(rest.data() + 1, rest.data() + rest.size(), length).ptr + 2;
    rest.remove_prefix(static_cast<std::size_t>(begin - rest.data()));
    if (index-- == 0) return rest.substr(0, length);
    rest.remove_prefix(length + 2);
  }
  return {};
}

void redis_command::append_to(std::string& out) const {
  std::array<char, 1 + most_digits + 2> words;
  out.append(words.data(), write_header(words.data(), '*', count_)).append(body());
}

redis_batch& redis_batch::add(const redis_command& what) {
  what.append_to(wire_);
  ends_.push_back(wire_.size());
  effect_ = std::max(effect_, effect_of(what));
  traces_.note(what);
  return *this;
}

redis_batch& redis_batch::append(const redis_batch& more) {
  const std::size_t before = wire_.size();
  wire_.append(more.wire_);
  for (const std::size_t end : more.ends_) ends_.push_back(before + end);
  effect_ = std::max(effect_, more.effect_);
  traces_ |= more.traces_;
  return *this;
}

}  // namespace polypool
