// SPDX-License-Identifier: Apache-2.0
// What positions in a replicated log tell beyond "reached or not".
#pragma once

#include <polypool/clock.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace polypool {

/// A MongoDB server's last operation as a position: "term:seconds:increment". Its log has its times in it.
std::string optime_position(std::int64_t term, std::uint64_t seconds, std::uint64_t increment);

/// How far a server is behind another one, as far as their positions tell the time: MongoDB's do, to the second. Never
/// negative.
std::optional<duration> position_lag(std::string_view position, std::string_view of_another) noexcept;

}  // namespace polypool
