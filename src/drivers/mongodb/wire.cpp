// SPDX-License-Identifier: Apache-2.0
#include "drivers/mongodb/wire.hpp"

#include <bit>
#include <cstdint>
#include <cstring>

namespace polypool::mongodb {
namespace {

static_assert(std::endian::native == std::endian::little, "the wire is little-endian, and so is what is read here");

constexpr std::size_t header_size = 16;
constexpr std::uint32_t op_reply = 1;
constexpr std::uint32_t op_compressed = 2012;
constexpr std::uint32_t op_msg = 2013;
constexpr std::uint32_t has_checksum = 1;

std::uint32_t number_at(std::string_view data, std::size_t at) noexcept {
  std::uint32_t out = 0;
  std::memcpy(&out, data.data() + at, sizeof out);
  return out;
}

// A document that begins here; its length, or 0.
std::size_t document_size(std::string_view data) noexcept {
  if (data.size() < 5) return 0;
  const std::size_t size = number_at(data, 0);
  return size >= 5 && size <= data.size() && data[size - 1] == '\0' ? size : 0;
}

// What follows the header.
bool is_sound_msg(std::string_view body) noexcept {
  if (body.size() < 5) return false;
  const auto flags = number_at(body, 0);
  auto sections = body.substr(4);
  if ((flags & has_checksum) != 0) {
    if (sections.size() < 4) return false;
    sections.remove_suffix(4);
  }
  if (sections.empty() || sections.front() != '\0') return false;
  sections.remove_prefix(1);
  return !sections.empty() && document_size(sections) == sections.size();
}

bool is_sound_reply(std::string_view body) noexcept {
  constexpr std::size_t fields = 20;
  if (body.size() <= fields || number_at(body, fields - 4) != 1) return false;
  const auto documents = body.substr(fields);
  return document_size(documents) == documents.size();
}

}  // namespace

std::optional<std::size_t> message_size(std::string_view beginning) noexcept {
  if (beginning.size() < 4) return 0;
  const std::size_t size = number_at(beginning, 0);
  if (size < header_size || size > most_message_bytes) return std::nullopt;
  return size;
}

bool is_sound_rest(std::string_view length, std::string_view rest, bool compressed) noexcept {
  if (length.size() != 4 || rest.size() < header_size - 4) return false;
  if (message_size(length) != rest.size() + 4) return false;
  const auto body = rest.substr(header_size - 4);
  switch (number_at(rest, 8)) {
    case op_msg:
      return is_sound_msg(body);
    case op_reply:
      return is_sound_reply(body);
    case op_compressed:
      return compressed && body.size() > 9;
    default:
      return false;
  }
}

bool is_sound_answer(std::string_view message, bool compressed) noexcept {
  return message.size() >= header_size && is_sound_rest(message.substr(0, 4), message.substr(4), compressed);
}

}  // namespace polypool::mongodb
