// SPDX-License-Identifier: Apache-2.0
#include "cli/output.hpp"

#include "cli/exit_codes.hpp"

#include <cerrno>
#include <cstring>
#include <iostream>

namespace polypool::cli {

void require_output() {
  if (std::cout) return;
  const int why = errno;
  if (why == EPIPE) throw command_error(failed, "");
  throw command_error(failed, "cannot write to standard output: " + std::string(std::strerror(why)));
}

}  // namespace polypool::cli
