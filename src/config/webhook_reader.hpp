// SPDX-License-Identifier: Apache-2.0
// The section `webhooks`.
#pragma once

#include "config/reader.hpp"

#include <vector>

namespace polypool::config {

/// Reads the list; complains about what is wrong with each.
void read_webhooks(reading& with, const node& root, std::vector<webhook>& into);

/// What is wrong with a webhook that was put together.
void check_webhook(const webhook& one, const complaint& wrong);

}  // namespace polypool::config
