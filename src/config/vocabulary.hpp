// SPDX-License-Identifier: Apache-2.0
// The words that configuration knows, and how texts become values.
#pragma once

#include "base/words.hpp"

#include <polypool/config.hpp>

#include <cstdint>
#include <expected>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polypool::config {

/// What is wrong with a text and what is allowed; never shows the text (the caller does, where it is no secret).
struct refusal {
  std::string why;      ///< "is not a port"
  std::string allowed;  ///< "1 to 65535"
};
template <class Value>
using read_result = std::expected<Value, refusal>;

read_result<std::int64_t> read_integer(std::string_view text, std::int64_t least, std::int64_t most);
read_result<std::uint32_t> read_count(std::string_view text, std::uint32_t least,
                                      std::uint32_t most = std::numeric_limits<std::uint32_t>::max());
read_result<std::uint16_t> read_port(std::string_view text, std::uint16_t least = 1);
read_result<nanoseconds> read_duration(std::string_view text, nanoseconds least = nanoseconds(0));
read_result<bool> read_flag(std::string_view text);
read_result<database_type> read_type(std::string_view text);
read_result<tls_mode> read_tls(std::string_view text);
read_result<access_style> read_access_style(std::string_view text);
/// One of the words, spelt as in the list whatever its case.
read_result<std::string> read_word(std::string_view text, const std::vector<std::string_view>& words,
                                   std::string_view kind);

/// MongoDB's spelling of a read preference, also when it was written with underscores.
read_result<std::string> read_preference_word(std::string_view text);
/// `pool, -server` or `polypool:pool,-polypool:server`, as the latter.
read_result<std::string> read_debug(std::string_view text);
const std::vector<std::string_view>& log_levels();
const std::vector<std::string_view>& log_formats();

/// Stores what was read, or hands on why it could not be.
template <class Value, class Place>
read_result<void> keep(read_result<Value> value, Place& place) {
  if (!value) return std::unexpected(std::move(value.error()));
  place = std::move(*value);
  return {};
}

/// Nothing when the name is one that a connection may have; else what is wrong.
std::string wrong_name(std::string_view name);

}  // namespace polypool::config
