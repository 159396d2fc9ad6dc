// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup drivers
/// The PostgreSQL driver (libpq). Native handle: `PGconn*`.
#pragma once

#include <polypool/driver.hpp>

namespace polypool::postgres {

/// The driver for `type: postgres`.
std::shared_ptr<driver> make_driver();

}  // namespace polypool::postgres
