// SPDX-License-Identifier: Apache-2.0
// Isolation levels in SQL's words.
#pragma once

#include <polypool/driver.hpp>

#include <string_view>

namespace polypool {

/// "READ COMMITTED" …; empty for the server's default.
constexpr std::string_view isolation_words(isolation level) noexcept {
  switch (level) {
    case isolation::server_default:
      break;
    case isolation::read_uncommitted:
      return "READ UNCOMMITTED";
    case isolation::read_committed:
      return "READ COMMITTED";
    case isolation::repeatable_read:
      return "REPEATABLE READ";
    case isolation::serializable:
      return "SERIALIZABLE";
  }
  return {};
}

}  // namespace polypool
