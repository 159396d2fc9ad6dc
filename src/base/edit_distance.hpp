// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

namespace polypool {

/// How many letters must be changed, put in, left out or swapped with their neighbour to make one word of the other
/// (optimal string alignment). The work grows with the product of the lengths.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace polypool
