// SPDX-License-Identifier: Apache-2.0
// SQLite's words, for every driver that reaches one.
#pragma once

#include <polypool/error.hpp>

#include <string_view>

namespace polypool::sqlite {

/// What a message means where SQLite gives no code but SQLITE_ERROR.
errc code_of_message(std::string_view message) noexcept;

}  // namespace polypool::sqlite
