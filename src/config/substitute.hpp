// SPDX-License-Identifier: Apache-2.0
// `${VAR}` and `${VAR:-default}` in values.
#pragma once

#include <polypool/config.hpp>

#include <expected>
#include <string>
#include <string_view>

namespace polypool::config {

/// Puts variables in. `$${` stands for `${`. The failure says what is wrong and never shows a variable's content.
/// @param in_url escapes what a variable puts into the user and password of a URL, so that a password with `@` or `/`
/// stays a password
std::expected<std::string, std::string> substitute(std::string_view text, const variable_lookup& variables,
                                                   bool in_url = false);

}  // namespace polypool::config
