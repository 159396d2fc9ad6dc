// SPDX-License-Identifier: Apache-2.0
// The frame of MongoDB's messages. libmongoc trusts what is in it, and ends the process when that is wrong; so every
// message is looked at before it gets there.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace polypool::mongodb {

/// The longest message that is taken: the server's limit, and some room.
inline constexpr std::size_t most_message_bytes = 64 * 1024 * 1024;

/// How long a message is that begins like this; 0 when that is not known yet, nothing when it cannot be a message.
std::optional<std::size_t> message_size(std::string_view beginning) noexcept;

/// Whether a whole message is an answer with one well-framed document.
/// @param compressed messages that are compressed, which cannot be looked into, are taken as well
bool is_sound_answer(std::string_view message, bool compressed) noexcept;

/// The same for a message whose length (4 bytes) lies apart from the rest.
bool is_sound_rest(std::string_view length, std::string_view rest, bool compressed) noexcept;

}  // namespace polypool::mongodb
