// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace polypool::test {

/// How many connections this process has open to a TCP port: exact and at once, where a server counts late.
int connections_to(std::uint16_t port);

}  // namespace polypool::test
