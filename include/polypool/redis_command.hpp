// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup driver
/// Commands on their way to a Redis server, one or many.
#pragma once

#include <array>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace polypool {

/// A command with its arguments, binary-safe: text, bytes, numbers. Encoded as it is put together, in memory of its own
/// where it is short, so that making one costs no allocation.
class redis_command {
 public:
  /// @param name the command's first word, such as "GET" @param arguments what follows
  template <class... Arguments>
  explicit redis_command(std::string_view name, const Arguments&... arguments) {
    add(name);
    (add(arguments), ...);
  }
  /// Leaves the other one empty.
  redis_command(redis_command&& other) noexcept { take(other); }
  redis_command(const redis_command& other) {
    append(other.body());
    count_ = other.count_;
  }
  redis_command& operator=(redis_command&& other) noexcept {
    if (this != &other) take(other);
    return *this;
  }
  redis_command& operator=(const redis_command& other) { return *this = redis_command(other); }

  /// Adds one word, as it is: any bytes.
  redis_command& add(std::string_view argument);
  /// Adds text that ends at its zero byte.
  redis_command& add(const char* argument) { return add(std::string_view(argument)); }
  /// Adds text, zero bytes included.
  redis_command& add(const std::string& argument) { return add(std::string_view(argument)); }
  /// Adds bytes.
  redis_command& add(std::span<const std::byte> argument) {
    return add(std::string_view(reinterpret_cast<const char*>(argument.data()), argument.size()));
  }
  /// Adds a whole number in decimal digits.
  template <std::integral T>
  redis_command& add(T number) {
    static_assert(!std::same_as<T, bool> && !std::same_as<T, char>, "Redis has no such argument; write what is meant");
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    return add(std::string_view(digits.data(), end.ptr));
  }
  /// In the shortest form that reads back the same; `inf` and `-inf` as Redis writes them.
  template <std::floating_point T>
  redis_command& add(T number) {
    return add_real(static_cast<double>(number));
  }
  /// Adds each element of a range.
  template <std::ranges::input_range R>
    requires(!std::convertible_to<const R&, std::string_view> &&
             !std::convertible_to<const R&, std::span<const std::byte>>)
  redis_command& add(const R& arguments) {
    for (const auto& each : arguments) add(each);
    return *this;
  }
  /// Adds both parts, one after the other.
  template <class A, class B>
  redis_command& add(const std::pair<A, B>& both) {
    return add(both.first).add(both.second);
  }

  /// Adds the words of another command from this one on.
  redis_command& add_words(const redis_command& other, std::size_t from);

  /// How many words it has, the name included.
  std::size_t size() const noexcept { return count_; }
  /// A word, from 0; empty beyond the last. Takes O(index).
  std::string_view operator[](std::size_t index) const noexcept;
  /// The first word.
  std::string_view name() const noexcept {
    const std::string_view all = body();
    return all.size() > 4 && all[2] == '\r' ? all.substr(4, static_cast<std::size_t>(all[1] - '0')) : (*this)[0];
  }

  /// Appends it as RESP.
  void append_to(std::string& out) const;
  /// How many bytes that are, or a few more.
  std::size_t wire_size() const noexcept { return size_ + 16; }

 private:
  static constexpr std::size_t inside = 104;
  std::string_view body() const noexcept { return {heap_ ? heap_.get() : inline_.data(), size_}; }
  char* room_for(std::size_t more);
  void append(std::string_view bytes);
  void take(redis_command& other) noexcept;
  redis_command& add_real(double number);

  std::unique_ptr<char[]> heap_;  // when it does not fit inside
  std::size_t size_ = 0;
  std::size_t capacity_ = inside;
  std::uint32_t count_ = 0;
  std::array<char, inside> inline_;  // the words, without the number of words before them
};

/// What a command does to the session it runs on.
enum class redis_effect : std::uint8_t {
  // in the order of their strength
  none,         ///< may share a session with others
  state,        ///< leaves something behind: SELECT, MULTI, WATCH, CLIENT SETNAME …
  blocks,       ///< may hold the session up: BLPOP, XREAD BLOCK, WAIT …
  subscribes,   ///< has no reply of its own: SUBSCRIBE and its kin
  unmatchable,  ///< replies could not be told apart any more: MONITOR, CLIENT REPLY, SYNC, HELLO, RESET, QUIT …
};

/// Judges a command by its name, and some by their arguments.
redis_effect effect_of(const redis_command& what) noexcept;

/// What commands left behind in a session that ran them, as far as their words tell.
struct redis_traces {
  bool transaction = false;  ///< MULTI without its EXEC or DISCARD
  bool watches = false;      ///< WATCH without UNWATCH or the end of a transaction
  bool database = false;     ///< SELECT
  bool other = false;        ///< CLIENT SETNAME, AUTH, READONLY …
  /// Whether there is anything to clean up.
  bool any() const noexcept { return transaction || watches || database || other; }
  /// What comes after.
  void note(const redis_command& what) noexcept;
  /// What both leave together.
  redis_traces& operator|=(const redis_traces& more) noexcept {
    transaction |= more.transaction;
    watches |= more.watches;
    database |= more.database;
    other |= more.other;
    return *this;
  }
};

/// Several commands that go to the server in one piece, with nobody else's between them.
class redis_batch {
 public:
  /// Adds one command behind the others.
  redis_batch& add(const redis_command& what);
  /// All of another one.
  redis_batch& append(const redis_batch& more);
  /// How many commands it has.
  std::size_t size() const noexcept { return ends_.size(); }
  /// Whether it has none.
  bool empty() const noexcept { return ends_.empty(); }
  /// The strongest effect of a command in it.
  redis_effect effect() const noexcept { return effect_; }
  /// What they leave behind together.
  const redis_traces& traces() const noexcept { return traces_; }
  /// All of them as RESP.
  std::string_view wire() const noexcept { return wire_; }
  /// One of them as RESP. @pre index < size()
  std::string_view operator[](std::size_t index) const noexcept {
    const std::size_t begin = index == 0 ? 0 : ends_[index - 1];
    return std::string_view(wire_).substr(begin, ends_[index] - begin);
  }

 private:
  std::string wire_;
  std::vector<std::size_t> ends_;
  redis_traces traces_;
  redis_effect effect_ = redis_effect::none;
};

}  // namespace polypool
