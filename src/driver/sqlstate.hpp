// SPDX-License-Identifier: Apache-2.0
// What SQLSTATEs mean, as PostgreSQL and the SQL standard use them.
#pragma once

#include <polypool/error.hpp>

#include <string_view>

namespace polypool {

/// The portable code of an SQLSTATE; database_error when it says nothing.
errc code_of_sqlstate(std::string_view sqlstate) noexcept;

}  // namespace polypool
