// SPDX-License-Identifier: Apache-2.0
// Replies to bytes, as a server writes them.
#pragma once

#include <polypool/redis_reply.hpp>

#include <string>

namespace polypool {

/// Appends a value as RESP.
/// @param protocol 3, or 2 for peers that know no other: maps become arrays, booleans integers, reals strings …
void write_resp(std::string& out, const redis_value& value, int protocol);

}  // namespace polypool
