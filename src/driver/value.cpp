// SPDX-License-Identifier: Apache-2.0
#include "base/hex.hpp"

#include <polypool/value.hpp>

namespace polypool {
namespace {

constexpr std::string_view digits = "0123456789abcdef";
constexpr std::array<std::size_t, 4> hyphens_at{8, 13, 18, 23};

}  // namespace

std::optional<uuid> uuid::parse(std::string_view text) {
  if (text.size() >= 2 && text.front() == '{' && text.back() == '}') text = text.substr(1, text.size() - 2);
  const bool hyphens = text.size() == 36;
  if (!hyphens && text.size() != 32) return std::nullopt;
  uuid out;
  std::size_t at = 0;
  for (auto& byte : out.bytes) {
    if (hyphens && (at == 8 || at == 13 || at == 18 || at == 23) && text[at++] != '-') return std::nullopt;
    const int high = hex_digit(text[at]);
    const int low = hex_digit(text[at + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    byte = static_cast<std::uint8_t>(high << 4 | low);
    at += 2;
  }
  return out;
}

std::string uuid::to_string() const {
  std::string out(36, '-');
  std::size_t at = 0;
  for (const auto byte : bytes) {
    for (const auto hyphen : hyphens_at) at += at == hyphen ? 1 : 0;
    out[at++] = digits[byte >> 4];
    out[at++] = digits[byte & 15];
  }
  return out;
}

std::string_view to_string(data_type type) noexcept {
  switch (type) {
    case data_type::null:
      return "null";
    case data_type::boolean:
      return "boolean";
    case data_type::integer:
      return "integer";
    case data_type::unsigned_integer:
      return "unsigned_integer";
    case data_type::real:
      return "real";
    case data_type::numeric:
      return "numeric";
    case data_type::text:
      return "text";
    case data_type::bytes:
      return "bytes";
    case data_type::date:
      return "date";
    case data_type::time:
      return "time";
    case data_type::timestamp:
      return "timestamp";
    case data_type::timestamp_tz:
      return "timestamp_tz";
    case data_type::interval:
      return "interval";
    case data_type::uuid:
      return "uuid";
    case data_type::json:
      return "json";
    case data_type::array:
      return "array";
    case data_type::other:
      return "other";
  }
  return "unknown";
}

}  // namespace polypool
