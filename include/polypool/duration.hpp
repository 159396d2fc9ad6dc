// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup base
/// Durations as people write them: `500ms`, `30s`, `1h30m`.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace polypool {

/// Reads a duration: one or more numbers with a unit (`ns`, `us`, `µs`, `ms`, `s`, `m`, `h`, `d`), such as `1h30m` or
/// `1.5s`. A bare `0` is allowed; any other number without a unit is not, because nobody knows what it means.
/// @return nothing when the text is not a duration, is negative, or does not fit
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

/// Writes a duration in the same form, exactly: `1m30s`, `250ms`, `0s`.
std::string format_duration(std::chrono::nanoseconds value);

/// Writes a duration for people, with at most three digits: `1.25ms`, `3.2s`.
std::string format_duration_short(std::chrono::nanoseconds value);

}  // namespace polypool
