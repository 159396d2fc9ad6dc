// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace polypool::cli {

// The words of a command as redis-cli reads them: blanks part them, "…" knows \n \r \t \a \b \\ \" and \xHH, '…' only
// \'. Throws command_error for a quote that is not closed or has something behind it.
std::vector<std::string> command_words(std::string_view text);

}  // namespace polypool::cli
