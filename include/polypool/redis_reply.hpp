// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup driver
/// What a Redis server answers: RESP2 and RESP3 values, and how they become C++ types.
#pragma once

#include <polypool/error.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polypool {

/// The types of RESP3. Those that RESP2 does not have come in their older form from such a server: a map as an array.
enum class redis_type : std::uint8_t {
  null,
  integer,
  real,
  boolean,
  big_number,       ///< decimal digits, as text
  simple_string,    ///< a word such as "OK"
  bulk_string,      ///< any bytes
  verbatim_string,  ///< text with a format of three letters, such as "txt" or "mkd"
  error,
  array,
  map,  ///< its elements are key, value, key, value …
  set,
  push,  ///< something the server says by itself: a message, an invalidation
};

/// The lower-case name of a type, such as "bulk_string".
std::string_view to_string(redis_type type) noexcept;

class redis_reply;
class resp_parser;

namespace detail {

/// One value of a reply. The nodes of an aggregate's elements follow it, each with its own.
struct redis_node {
  std::uint64_t bits = 0;    // an integer, a real's bits, or where a text begins
  std::uint32_t length = 0;  // bytes of a text, elements of an aggregate
  std::uint32_t span = 1;    // nodes of the whole, this one included
  redis_type type = redis_type::null;
};

template <class T>
struct redis_cast;

[[noreturn]] void throw_redis_type(redis_type is, std::string_view wanted);
[[noreturn]] void throw_redis_null(std::string_view wanted);
[[noreturn]] void throw_redis_text(std::string_view text, std::string_view wanted);
[[noreturn]] void throw_redis_count(std::size_t is, std::size_t wanted);

}  // namespace detail

/// A value inside of a reply: a view that is as cheap to copy as a pointer, and valid as long as its reply stays where
/// it is and unchanged.
class redis_value {
 public:
  /// For those who take replies apart. @param node a value, its elements behind it @param bytes what texts point into
  redis_value(const detail::redis_node* node, const char* bytes) noexcept : node_(node), bytes_(bytes) {}

  /// Which of RESP3's types it has.
  redis_type type() const noexcept { return node_->type; }
  /// Whether the server said that there is nothing.
  bool is_null() const noexcept { return type() == redis_type::null; }
  /// Whether it is a complaint of the server; text() has it.
  bool is_error() const noexcept { return type() == redis_type::error; }
  /// A string of any sort, a big number or an error.
  bool is_text() const noexcept { return type() >= redis_type::big_number && type() <= redis_type::error; }
  /// An array, map, set or push: what has elements.
  bool is_aggregate() const noexcept { return type() >= redis_type::array; }

  /// The bytes of a text; empty for anything else.
  std::string_view text() const noexcept {
    return is_text() ? std::string_view(bytes_ + node_->bits, node_->length) : std::string_view();
  }
  /// The three letters before a verbatim string; empty for anything else.
  std::string_view format() const noexcept {
    return type() == redis_type::verbatim_string ? std::string_view(bytes_ + node_->bits - 4, 3) : std::string_view();
  }
  /// An integer or a boolean's 0 or 1; 0 for anything else. as<std::int64_t>() reads texts as well.
  std::int64_t integer() const noexcept {
    return type() == redis_type::integer || type() == redis_type::boolean ? std::bit_cast<std::int64_t>(node_->bits)
                                                                          : 0;
  }
  /// A real; 0 for anything else. as<double>() reads integers and texts as well.
  double real() const noexcept { return type() == redis_type::real ? std::bit_cast<double>(node_->bits) : 0; }

  /// How many elements an aggregate has; a map has two for each pair. 0 for anything else.
  std::size_t size() const noexcept { return is_aggregate() ? node_->length : 0; }
  /// Whether it has no elements.
  bool empty() const noexcept { return size() == 0; }
  /// An element, from 0. O(1) where no element is an aggregate, else O(index).
  /// @pre index < size()
  redis_value operator[](std::size_t index) const noexcept {
    if (node_->span == node_->length + 1) return {node_ + 1 + index, bytes_};
    const detail::redis_node* at = node_ + 1;
    for (; index > 0; --index) at += at->span;
    return {at, bytes_};
  }
  /// The value that stands behind this key: in a map, or in an array of keys and values. Null when there is none.
  redis_value find(std::string_view key) const noexcept;

  /// Over the elements of an aggregate.
  class iterator {
   public:
    using value_type = redis_value;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    iterator() noexcept = default;
    iterator(const detail::redis_node* node, const char* bytes) noexcept : node_(node), bytes_(bytes) {}
    redis_value operator*() const noexcept { return {node_, bytes_}; }
    iterator& operator++() noexcept {
      node_ += node_->span;
      return *this;
    }
    iterator operator++(int) noexcept {
      auto before = *this;
      ++*this;
      return before;
    }
    bool operator==(const iterator& other) const noexcept { return node_ == other.node_; }

   private:
    const detail::redis_node* node_ = nullptr;
    const char* bytes_ = nullptr;
  };
  /// The first element.
  iterator begin() const noexcept { return {node_ + 1, bytes_}; }
  /// Behind the last element.
  iterator end() const noexcept { return is_aggregate() ? iterator(node_ + node_->span, bytes_) : begin(); }

  /// As a C++ type: std::string, std::string_view, integers, double, bool, std::optional (null becomes nothing),
  /// std::vector, std::pair, std::tuple, and what is like std::set and std::map (a map, or keys and values in a row).
  /// Numbers are read from texts, too. Include <polypool/redis_cast.hpp> to use it.
  /// Throws type_mismatch, null_value, and what the server said where the value is an error.
  template <class T>
  T as() const {
    return detail::redis_cast<T>::of(*this);
  }

  /// A text for people, such as `["a", 1, null]`; long ones are cut.
  std::string to_display() const;

  /// For those who take replies apart: where this value stands.
  const detail::redis_node& node() const noexcept { return *node_; }
  /// What its texts point into.
  const char* bytes() const noexcept { return bytes_; }

 private:
  const detail::redis_node* node_;
  const char* bytes_;
};

/// Whether two values are the same: type, content, elements in order.
bool operator==(const redis_value& a, const redis_value& b) noexcept;

/// The answer to one command. Owns its bytes: one allocation for all texts, one for all elements, however many.
class redis_reply {
 public:
  redis_reply() noexcept = default;  ///< null
  redis_reply(redis_reply&&) noexcept = default;
  redis_reply(const redis_reply&) = default;
  redis_reply& operator=(redis_reply&&) noexcept = default;
  redis_reply& operator=(const redis_reply&) = default;

  /// Made by hand, for tests and for whoever answers as a server.
  static redis_reply of_text(redis_type type, std::string text);
  /// An integer, by hand.
  static redis_reply of_integer(std::int64_t number) noexcept;
  /// A real, by hand.
  static redis_reply of_real(double number) noexcept;
  /// A boolean, by hand.
  static redis_reply of_boolean(bool flag) noexcept;
  /// An aggregate, by hand.
  /// @param type array, map (keys and values in turn), set or push
  static redis_reply of_elements(redis_type type, const std::vector<redis_reply>& elements);
  /// A value inside of another reply, with all that is in it.
  static redis_reply copy_of(const redis_value& value);

  /// Its value; valid as long as the reply stays where it is.
  redis_value value() const noexcept { return {nodes_.empty() ? &root_ : nodes_.data(), bytes_.data()}; }
  /// The same.
  operator redis_value() const noexcept { return value(); }  // NOLINT: a reply is its value

  /// @name What its value is
  /// Each does what redis_value does under the same name.
  /// @{
  redis_type type() const noexcept { return value().type(); }
  bool is_null() const noexcept { return value().is_null(); }
  bool is_error() const noexcept { return value().is_error(); }
  bool is_text() const noexcept { return value().is_text(); }
  bool is_aggregate() const noexcept { return value().is_aggregate(); }
  std::string_view text() const noexcept { return value().text(); }
  std::string_view format() const noexcept { return value().format(); }
  std::int64_t integer() const noexcept { return value().integer(); }
  double real() const noexcept { return value().real(); }
  std::size_t size() const noexcept { return value().size(); }
  bool empty() const noexcept { return value().empty(); }
  redis_value operator[](std::size_t index) const noexcept { return value()[index]; }
  redis_value find(std::string_view key) const noexcept { return value().find(key); }
  redis_value::iterator begin() const noexcept { return value().begin(); }
  redis_value::iterator end() const noexcept { return value().end(); }
  std::string to_display() const { return value().to_display(); }
  template <class T>
  T as() const& {
    return value().as<T>();
  }
  template <class T>
  T as() && {
    return detail::redis_cast<T>::of(std::move(*this));
  }
  /// @}

  /// What it takes in memory, about.
  std::size_t size_in_bytes() const noexcept {
    return sizeof *this + bytes_.size() + nodes_.size() * sizeof(detail::redis_node);
  }
  /// The text itself, without a copy where the reply is nothing else.
  std::string take_text() &&;
  /// What the server sent along with this reply (RESP3's attributes, a map), or null. Those inside of an aggregate are
  /// not kept.
  const redis_reply* attributes() const noexcept { return attributes_.get(); }

 private:
  friend class resp_parser;
  void append(const redis_value& value);
  detail::redis_node root_;  // when there is nothing else
  std::vector<detail::redis_node> nodes_;
  std::string bytes_;
  std::shared_ptr<const redis_reply> attributes_;
};

/// The error that a server's complaint stands for: `-WRONGTYPE Operation against …` becomes `type_mismatch`, and so on,
/// with disposition and whether the session can still be used.
/// @param text the whole text of an error reply
error redis_error(std::string_view text);

}  // namespace polypool
