// SPDX-License-Identifier: Apache-2.0
// Creating many connections at once.
#pragma once

#include "server/bodies.hpp"
#include "server/context.hpp"

#include <string>
#include <vector>

namespace polypool::server {

/// What became of several connections.
struct batch_outcome {
  struct failed_one {
    std::string name;
    std::string error;  ///< without passwords
    errc code = errc::internal_error;
  };
  std::vector<std::string> successful;
  std::vector<failed_one> failed;
};

/// Registers and connects each; one that fails does not stop the others, and is not kept.
task<batch_outcome> create_all(context& shared, std::vector<creation> wanted, connection_kind kind);
/// Closes every connection, going on past a failing one. They stay registered.
task<batch_outcome> disconnect_all(context& shared);

}  // namespace polypool::server
