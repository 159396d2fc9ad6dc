// SPDX-License-Identifier: Apache-2.0
#include <polypool/redis_cast.hpp>
#include <polypool/redis_reply.hpp>

#include <array>
#include <charconv>
#include <cmath>

namespace polypool {
namespace {

using node = detail::redis_node;

constexpr std::array<std::string_view, 13> type_names{
    "null",  "integer", "real", "boolean", "big_number", "simple_string", "bulk_string", "verbatim_string",
    "error", "array",   "map",  "set",     "push"};

bool is_text(redis_type type) noexcept { return type >= redis_type::big_number && type <= redis_type::error; }

void show(const redis_value& value, std::string& out);

void show_text(std::string_view text, std::string& out) {
  constexpr std::size_t longest = 64;
  out += '"';
  for (const char c : text.substr(0, longest)) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (code < 0x20 || code == 0x7f) {
      constexpr std::string_view digits = "0123456789abcdef";
      out += {'\\', 'x', digits[code >> 4], digits[code & 15]};
    } else {
      out += c;
    }
  }
  out += text.size() > longest ? "\"…" : "\"";
}

void show_elements(const redis_value& value, std::string& out) {
  constexpr std::size_t most = 32;
  const bool is_map = value.type() == redis_type::map;
  out += value.type() == redis_type::array ? '[' : value.type() == redis_type::push ? '>' : '{';
  std::size_t count = 0;
  for (const redis_value each : value) {
    if (count > 0) out += is_map && count % 2 == 1 ? ": " : ", ";
    if (count++ == most || out.size() > 2000) {
      out += "…";
      break;
    }
    show(each, out);
  }
  out += value.type() == redis_type::array ? ']' : value.type() == redis_type::push ? '<' : '}';
}

void show(const redis_value& value, std::string& out) {
  switch (value.type()) {
    case redis_type::null:
      out += "null";
      return;
    case redis_type::integer:
      out += std::to_string(value.integer());
      return;
    case redis_type::boolean:
      out += value.integer() != 0 ? "true" : "false";
      return;
    case redis_type::real: {
      std::array<char, 32> digits;
      const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value.real());
      out.append(digits.data(), end.ptr);
      return;
    }
    case redis_type::big_number:
    case redis_type::simple_string:
      out += value.text();
      return;
    case redis_type::error:
      out.append("-").append(value.text());
      return;
    case redis_type::bulk_string:
    case redis_type::verbatim_string:
      return show_text(value.text(), out);
    case redis_type::array:
    case redis_type::map:
    case redis_type::set:
    case redis_type::push:
      return show_elements(value, out);
  }
}

// What the server said comes before what it should have been.
void refuse(const redis_value& is, std::string_view wanted) {
  if (is.is_error()) throw redis_error(is.text());
  if (is.is_null()) detail::throw_redis_null(wanted);
  detail::throw_redis_type(is.type(), wanted);
}

template <class Number>
Number parsed(std::string_view text, std::string_view wanted) {
  Number out{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (failed != std::errc() || end != text.data() + text.size()) detail::throw_redis_text(text, wanted);
  return out;
}

}  // namespace

std::string_view to_string(redis_type type) noexcept { return type_names[static_cast<std::size_t>(type)]; }

redis_value redis_value::find(std::string_view key) const noexcept {
  static constexpr detail::redis_node nothing{};
  if (type() == redis_type::map || type() == redis_type::array) {
    for (auto at = begin(); at != end();) {
      const redis_value name = *at++;
      if (at == end()) break;
      if (name.text() == key) return *at;
      ++at;
    }
  }
  return {&nothing, ""};
}

std::string redis_value::to_display() const {
  std::string out;
  show(*this, out);
  return out;
}

// The nodes of two equal trees are equal one by one.
bool operator==(const redis_value& a, const redis_value& b) noexcept {
  const auto* left = &a.node();
  const auto* right = &b.node();
  if (left->span != right->span) return false;
  for (std::uint32_t i = 0; i < a.node().span; ++i, ++left, ++right) {
    if (left->type != right->type || left->length != right->length || left->span != right->span) return false;
    const redis_value one(left, a.bytes());
    const redis_value other(right, b.bytes());
    if (one.is_text() ? one.text() != other.text() || one.format() != other.format() : left->bits != right->bits) {
      return false;
    }
  }
  return true;
}

redis_reply redis_reply::of_text(redis_type type, std::string text) {
  redis_reply out;
  out.root_.type = polypool::is_text(type) ? type : redis_type::bulk_string;
  out.root_.length = static_cast<std::uint32_t>(text.size());
  out.bytes_ = std::move(text);
  if (type == redis_type::verbatim_string) {
    out.bytes_.insert(0, "txt:");
    out.root_.bits = 4;
  }
  return out;
}

redis_reply redis_reply::of_integer(std::int64_t number) noexcept {
  redis_reply out;
  out.root_.type = redis_type::integer;
  out.root_.bits = std::bit_cast<std::uint64_t>(number);
  return out;
}

redis_reply redis_reply::of_real(double number) noexcept {
  redis_reply out;
  out.root_.type = redis_type::real;
  out.root_.bits = std::bit_cast<std::uint64_t>(number);
  return out;
}

redis_reply redis_reply::of_boolean(bool flag) noexcept {
  redis_reply out = of_integer(flag ? 1 : 0);
  out.root_.type = redis_type::boolean;
  return out;
}

void redis_reply::append(const redis_value& value) {
  const node* from = &value.node();
  for (std::uint32_t i = 0; i < value.node().span; ++i, ++from) {
    nodes_.push_back(*from);
    if (!polypool::is_text(from->type)) continue;
    const std::size_t prefix = from->type == redis_type::verbatim_string ? 4 : 0;
    nodes_.back().bits = bytes_.size() + prefix;
    bytes_.append(value.bytes() + from->bits - prefix, from->length + prefix);
  }
}

redis_reply redis_reply::of_elements(redis_type type, const std::vector<redis_reply>& elements) {
  redis_reply out;
  node root;
  root.type = type >= redis_type::array ? type : redis_type::array;
  root.length = static_cast<std::uint32_t>(elements.size());
  out.nodes_.push_back(root);
  for (const auto& each : elements) out.append(each.value());
  out.nodes_.front().span = static_cast<std::uint32_t>(out.nodes_.size());
  return out;
}

redis_reply redis_reply::copy_of(const redis_value& value) {
  redis_reply out;
  out.append(value);
  return out;
}

std::string redis_reply::take_text() && {
  const auto mine = text();
  if (mine.size() == bytes_.size()) return std::move(bytes_);
  return std::string(mine);
}

namespace detail {

void throw_redis_type(redis_type is, std::string_view wanted) {
  throw error(errc::type_mismatch,
              "Redis answered with " + std::string(to_string(is)) + ", which is not " + std::string(wanted));
}

void throw_redis_null(std::string_view wanted) {
  throw error(errc::null_value, "Redis answered with null, and " + std::string(wanted) + " was asked for")
      .with_hint("std::optional has room for null");
}

void throw_redis_text(std::string_view text, std::string_view wanted) {
  std::string shown;
  show_text(text, shown);
  throw error(errc::type_mismatch, "Redis answered with " + shown + ", which is not " + std::string(wanted));
}

void throw_redis_count(std::size_t is, std::size_t wanted) {
  throw error(errc::type_mismatch, "Redis answered with " + std::to_string(is) + " elements where " +
                                       std::to_string(wanted) + " were asked for");
}

std::int64_t redis_integer(const redis_value& from) {
  if (from.type() == redis_type::integer || from.type() == redis_type::boolean) return from.integer();
  if (!from.is_text() || from.is_error()) refuse(from, "an integer");
  return parsed<std::int64_t>(from.text(), "an integer");
}

std::uint64_t redis_unsigned(const redis_value& from) {
  if (from.is_text() && !from.is_error()) return parsed<std::uint64_t>(from.text(), "an unsigned integer");
  const auto number = redis_integer(from);
  if (number < 0) throw_redis_text(std::to_string(number), "an unsigned integer");
  return static_cast<std::uint64_t>(number);
}

double redis_real(const redis_value& from) {
  if (from.type() == redis_type::real) return from.real();
  if (from.type() == redis_type::integer) return static_cast<double>(from.integer());
  if (!from.is_text() || from.is_error()) refuse(from, "a number");
  return parsed<double>(from.text(), "a number");
}

bool redis_boolean(const redis_value& from) {
  if (from.type() == redis_type::boolean || from.type() == redis_type::integer) {
    if (from.integer() == 0 || from.integer() == 1) return from.integer() == 1;
    throw_redis_text(std::to_string(from.integer()), "true or false");
  }
  if (!from.is_text() || from.is_error()) refuse(from, "true or false");
  if (from.text() == "1" || from.text() == "0") return from.text() == "1";
  throw_redis_text(from.text(), "true or false");
}

std::string_view redis_text(const redis_value& from) {
  if (!from.is_text() || from.is_error()) refuse(from, "a string");
  return from.text();
}

void require_redis_aggregate(const redis_value& from, std::string_view wanted) {
  if (!from.is_aggregate()) refuse(from, wanted);
}

}  // namespace detail
}  // namespace polypool
