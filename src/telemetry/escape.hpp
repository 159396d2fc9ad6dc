// SPDX-License-Identifier: Apache-2.0
// Text that may hold anything, made safe to show.
#pragma once

#include <string>
#include <string_view>

namespace polypool::telemetry {

/// Appends the text with control characters, line separators and bidirectional overrides escaped as JSON does it: it
/// stays on its line and cannot steer a terminal.
/// @param quoted also escapes `"` and `\`: what comes out is the inside of a JSON string
void append_escaped(std::string& out, std::string_view text, bool quoted);

}  // namespace polypool::telemetry
