// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <polypool/driver.hpp>

namespace polypool::mongodb {

/// Throws what a connection with these settings would: invalid_configuration that names the option. For those who have
/// no libmongoc at hand.
void check_settings(const endpoint& where);

}  // namespace polypool::mongodb
