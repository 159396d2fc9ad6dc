// SPDX-License-Identifier: Apache-2.0
// Which commands have which keys, and where keys live in a cluster.
#pragma once

#include <polypool/redis_command.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace polypool::redis {

inline constexpr std::uint16_t slot_count = 16384;

/// The slot of a key: CRC16 (XMODEM) of it, or of what stands between the first `{` and the next `}` if that is not
/// empty. See the Redis cluster specification.
std::uint16_t slot_of(std::string_view key) noexcept;

/// The words of one encoded command. Views into it. @pre it is one, as redis_batch keeps them
std::vector<std::string_view> words_of(std::string_view wire);

/// How a command is treated in a cluster.
enum class cluster_way : std::uint8_t {
  anywhere,  ///< has no key, any node will do
  by_key,    ///< goes where its first key lives
  split,     ///< its keys may live apart: MGET, MSET, DEL, UNLINK, EXISTS, TOUCH
  all,       ///< goes to every primary: DBSIZE, KEYS, FLUSHDB, FLUSHALL, SCRIPT LOAD …
  scan,      ///< goes to one primary after the other
};
cluster_way way_of(const std::vector<std::string_view>& words) noexcept;

/// The slot of a command's first key; nothing when it has none.
std::optional<std::uint16_t> slot_of_command(const std::vector<std::string_view>& words) noexcept;

}  // namespace polypool::redis
