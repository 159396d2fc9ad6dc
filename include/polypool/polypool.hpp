// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// Everything but Asio (polypool/asio.hpp) and the test aids (polypool/testing.hpp).
#pragma once

#include <polypool/config.hpp>
#include <polypool/driver.hpp>
#include <polypool/drivers.hpp>
#include <polypool/error.hpp>
#include <polypool/facade.hpp>
#include <polypool/manager.hpp>
#include <polypool/pool.hpp>
#include <polypool/result.hpp>
#include <polypool/signals.hpp>
#include <polypool/sql.hpp>
#include <polypool/task.hpp>
#include <polypool/value.hpp>
