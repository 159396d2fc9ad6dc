// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup base
/// A string that does not print itself.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>

namespace polypool {

/// A password, key or token. Prints as `***`, is wiped when it goes, and has to be asked by name for its content.
/// Not synchronized: share it const.
class secret {
 public:
  secret() = default;
  secret(std::string value) noexcept : value_(std::move(value)) {}  // NOLINT: passwords come as strings
  secret(const char* value) : value_(value) {}                      // NOLINT
  secret(const secret&) = default;
  secret(secret&& other) noexcept;
  secret& operator=(const secret& other);
  secret& operator=(secret&& other) noexcept;
  ~secret() { wipe(); }

  /// The content. Hand it to the one call that needs it; never to a log or an error.
  const std::string& reveal() const noexcept { return value_; }
  bool empty() const noexcept { return value_.empty(); }
  bool operator==(const secret& other) const noexcept = default;

 private:
  void wipe() noexcept;
  std::string value_;
};

/// Prints `***`, or nothing when the secret is empty.
std::ostream& operator<<(std::ostream& out, const secret& value);

/// `text` with every occurrence of the secret replaced by `***`; for messages that come from a library or a server.
std::string redact(std::string_view text, const secret& hidden);

/// A connection URL with its password replaced by `***`; also hides `password=` in key/value strings.
std::string redact_url(std::string_view url);

}  // namespace polypool
