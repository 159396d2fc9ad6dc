// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup drivers
/// The MySQL and MariaDB driver (MariaDB Connector/C). Native handle: `MYSQL*`.
#pragma once

#include <polypool/driver.hpp>

namespace polypool::mysql {

/// The driver for `type: mysql` (also written `mariadb`).
///
/// Sessions speak utf8mb4, have `autocommit=1` and, unless the option `time_zone` says otherwise, `time_zone='+00:00'`:
/// so a `TIMESTAMP` is a point in time (timestamp_tz), and a `DATETIME` a wall clock's reading (timestamp).
/// `affected_rows` counts the rows that matched, as with every other database, not those that changed.
///
/// A `MYSQL*` taken from a lease is non-blocking (`MYSQL_OPT_NONBLOCK`); both its blocking and its `_start`/`_cont`
/// calls may be used, and have to be at their end when the lease is given back.
std::shared_ptr<driver> make_driver();

}  // namespace polypool::mysql
