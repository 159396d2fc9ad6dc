// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup base
/// Texts that know where in the program they were given, so that messages can name the caller.
///
/// A function with a parameter pack cannot take a std::source_location as its last parameter; its text brings it along.
#pragma once

#include <concepts>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

namespace polypool {

/// Owns its text. Implicit from anything a std::string is made from.
class located_string {
 public:
  template <std::convertible_to<std::string> Text>
  located_string(Text&& text, std::source_location where = std::source_location::current())  // NOLINT: implicit
      : text_(std::forward<Text>(text)), where_(where) {}
  located_string(std::string_view text, std::source_location where = std::source_location::current())  // NOLINT
      : text_(text), where_(where) {}
  const std::string& text() const noexcept { return text_; }
  const std::source_location& where() const noexcept { return where_; }

 private:
  std::string text_;
  std::source_location where_;
};

/// Sees a text that belongs to somebody else who outlives the call.
class located_text {
 public:
  template <std::convertible_to<std::string_view> Text>
  located_text(const Text& text, std::source_location where = std::source_location::current()) noexcept  // NOLINT
      : text_(text), where_(where) {}
  located_text(const located_string& text) noexcept : text_(text.text()), where_(text.where()) {}  // NOLINT
  std::string_view text() const noexcept { return text_; }
  const std::source_location& where() const noexcept { return where_; }

 private:
  std::string_view text_;
  std::source_location where_;
};

}  // namespace polypool
