// SPDX-License-Identifier: Apache-2.0
#include "drivers/postgres/parameters.hpp"

#include <polypool/error.hpp>

#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>
#include <variant>

namespace polypool::postgres {
namespace {

constexpr std::size_t most_parameters = 65535;  // a 16-bit count in the protocol

[[noreturn]] void refuse(std::size_t index, std::string_view why, std::string_view hint) {
  error problem(errc::invalid_value, "parameter $" + std::to_string(index + 1) + " " + std::string(why));
  problem.with_hint(hint);
  throw problem;
}

}  // namespace

// Adds one parameter of each kind.
struct parameter_list::binder {
  parameter_list& list;
  std::size_t index;

  void add(const char* text, std::size_t length, int format) const {
    if (length > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
      refuse(index, "is larger than 2 GiB, which PostgreSQL cannot take", "store it in parts");
    }
    list.pointers_.push_back(text);
    list.lengths_.push_back(static_cast<int>(length));
    list.formats_.push_back(format);
  }
  void add_text(const std::string& text) const {
    if (text.contains('\0')) {
      refuse(index, "has a NUL character in its text, which PostgreSQL cannot store", "send it as bytes (bytea)");
    }
    add(text.c_str(), text.size(), 0);
  }
  template <class Number>
  void add_number(Number number) const {
    auto& buffer = list.numbers_[index];
    const auto [end, problem] = std::to_chars(buffer.data(), buffer.data() + buffer.size() - 1, number);
    *end = 0;
    add(buffer.data(), static_cast<std::size_t>(end - buffer.data()), 0);
  }

  void operator()(std::monostate) const { add(nullptr, 0, 0); }
  void operator()(bool flag) const { add(flag ? "t" : "f", 1, 0); }
  void operator()(std::int64_t number) const { add_number(number); }
  void operator()(std::uint64_t number) const { add_number(number); }
  void operator()(double number) const {
    if (std::isnan(number)) return add("NaN", 3, 0);
    if (std::isinf(number)) return add(number < 0 ? "-Infinity" : "Infinity", number < 0 ? 9 : 8, 0);
    add_number(number);
  }
  void operator()(const std::string& text) const { add_text(text); }
  void operator()(const numeric& number) const { add_text(number.text); }
  void operator()(const json_text& document) const { add_text(document.text); }
  // libpq wants a NUL behind text, which a view does not have.
  void operator()(text_view view) const { add_text(list.texts_.emplace_back(view.text)); }
  void operator()(const bytes& data) const { (*this)(bytes_view{data}); }
  void operator()(bytes_view view) const {
    const auto* start = reinterpret_cast<const char*>(view.data.data());
    add(start ? start : "", view.data.size(), 1);
  }
  void operator()(const uuid& id) const { add_text(list.texts_.emplace_back(id.to_string())); }
  void operator()(const auto& time) const { add_text(list.texts_.emplace_back(to_text(time))); }
};

void parameter_list::bind(std::span<const value> values) {
  clear();
  if (values.size() > most_parameters) {
    throw error(errc::parameter_count, "the statement got " + std::to_string(values.size()) +
                                           " parameters and PostgreSQL takes at most 65535");
  }
  numbers_.resize(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) std::visit(binder{*this, i}, values[i].data());
}

void parameter_list::clear() noexcept {
  pointers_.clear();
  lengths_.clear();
  formats_.clear();
  texts_.clear();
  if (numbers_.capacity() > 1024) numbers_ = {};
}

}  // namespace polypool::postgres
