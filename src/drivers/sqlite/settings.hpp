// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <polypool/driver.hpp>

#include <optional>
#include <string>

namespace polypool::sqlite {

/// What an endpoint asks for, checked.
struct settings {
  enum class open_mode : std::uint8_t { read_only, read_write, create };

  std::string path;        ///< of the file, a `file:` URI, or `:memory:`
  bool in_memory = false;  ///< the database lives and dies with the session
  bool is_uri = false;
  open_mode mode = open_mode::create;
  duration busy_timeout = std::chrono::seconds(5);
  std::string journal_mode;         ///< empty: leave as it is
  bool journal_mode_asked = false;  ///< it was configured, so it must succeed
  std::string synchronous;          ///< empty: normal with WAL, full otherwise
  bool foreign_keys = true;
  std::size_t statement_cache = 0;
};

/// Throws invalid_configuration that names the option, and what it allows.
settings read_settings(const endpoint& where);

}  // namespace polypool::sqlite
