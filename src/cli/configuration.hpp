// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <polypool/config.hpp>

#include <filesystem>
#include <string>

namespace polypool::cli {

struct found_configuration {
  config::settings settings;
  std::string origin;          // for people: a path, or the names of variables
  std::filesystem::path file;  // empty when it came from variables
};

// Where `--config`, $POLYPOOL_CONFIG, the current folder or the environment have it, in this order.
// Throws config::configuration_error, or command_error when there is none.
// `environment`: development, staging …; empty: as $POLYPOOL_ENV says.
found_configuration find_configuration(const std::string& file, const std::string& environment = {});

// The same for a command that asks something once: nothing in the background, one attempt to connect.
config::settings for_one_command(config::settings settings);

}  // namespace polypool::cli
