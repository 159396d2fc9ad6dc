// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <polypool/driver.hpp>

namespace polypool::mysql {

/// Throws what a connection with these settings would: invalid_configuration that names the option. For those who have
/// no Connector/C at hand.
void check_settings(const endpoint& where);

}  // namespace polypool::mysql
