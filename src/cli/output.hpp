// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace polypool::cli {

// Throws command_error when standard output took not all that was written so far. Without words when its reader has
// enough, as `| head` has: that is no mistake of anybody's.
void require_output();

}  // namespace polypool::cli
