// SPDX-License-Identifier: Apache-2.0
// libmongoc as a whole.
#pragma once

namespace polypool::mongodb {

/// Prepares libmongoc once for the process, and keeps it from printing to stderr. Never undone: sessions of a
/// process-wide manager may live until the very end.
void prepare_library();

}  // namespace polypool::mongodb
