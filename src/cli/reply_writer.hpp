// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/row_writers.hpp"

#include <polypool/redis_reply.hpp>

#include <iosfwd>

namespace polypool::cli {

// `table`: as redis-cli shows it on a terminal. `json`: one value. `csv`: a line for each element, or for each key with
// its value.
void write_reply(const redis_value& reply, row_format format, std::ostream& out);

}  // namespace polypool::cli
