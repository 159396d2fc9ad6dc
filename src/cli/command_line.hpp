// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/commands.hpp"

#include <optional>

namespace polypool::cli {

// Reads the command line. Nothing comes back when help or the version was asked for, and has been printed.
// Throws command_error for words that make no sense.
std::optional<arguments> read_command_line(int argc, const char* const* argv);

}  // namespace polypool::cli
