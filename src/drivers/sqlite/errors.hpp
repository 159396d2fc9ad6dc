// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <polypool/error.hpp>

#include <string_view>

struct sqlite3;

namespace polypool::sqlite {

/// The error for an extended result code.
/// @param message SQLite's own words
error make_error(int code, std::string_view message);

/// The error of the call that just failed on this handle, with the place in the text where SQLite knows it.
error last_error(sqlite3* db, int code);

}  // namespace polypool::sqlite
