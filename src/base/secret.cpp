// SPDX-License-Identifier: Apache-2.0
#include <polypool/secret.hpp>

#include <ostream>
#include <string.h>

namespace polypool {

secret::secret(secret&& other) noexcept : value_(std::move(other.value_)) { other.wipe(); }

secret& secret::operator=(const secret& other) {
  if (this != &other) {
    wipe();
    value_ = other.value_;
  }
  return *this;
}

secret& secret::operator=(secret&& other) noexcept {
  if (this != &other) {
    wipe();
    value_ = std::move(other.value_);
    other.wipe();
  }
  return *this;
}

void secret::wipe() noexcept {
  if (value_.empty()) return;
  ::explicit_bzero(value_.data(), value_.size());
  value_.clear();
}

std::ostream& operator<<(std::ostream& out, const secret& value) { return value.empty() ? out : out << "***"; }

std::string redact(std::string_view text, const secret& hidden) {
  std::string out(text);
  const std::string& needle = hidden.reveal();
  if (needle.empty()) return out;
  for (auto at = out.find(needle); at != std::string::npos; at = out.find(needle, at + 3)) {
    out.replace(at, needle.size(), "***");
  }
  return out;
}

}  // namespace polypool
