// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup drivers
/// All drivers of this build.
#pragma once

#include <polypool/driver.hpp>

namespace polypool {

/// One of each driver that this build of Polypool has (target `polypool::polypool`).
driver_list default_drivers();

}  // namespace polypool
