// SPDX-License-Identifier: Apache-2.0
#include "cli/configuration.hpp"

#include "cli/exit_codes.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string_view>
#include <unistd.h>

namespace polypool::cli {
namespace {

// @param named_by what named the file, to say where to look when it is not there
found_configuration from_file(const std::filesystem::path& file, const std::string& environment,
                              const std::string& named_by) {
  std::error_code ignored;
  if (std::filesystem::status(file, ignored).type() == std::filesystem::file_type::not_found) {
    throw command_error(usage, "there is no configuration file '" + file.string() + "'" + named_by,
                        "give the path of a YAML or JSON file");
  }
  config::load_options how;
  how.environment = environment;
  return {.settings = config::load(file, how), .origin = file.string(), .file = file};
}

// The PREFIX of every variable that is enough, or nearly so, to make a connection.
std::set<std::string> prefixes_in_environment() {
  std::set<std::string> out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('='));
    for (const std::string_view suffix : {"_DB_URL", "_DB_HOST", "_DB_FILEPATH"}) {
      if (name.size() > suffix.size() && name.ends_with(suffix)) {
        out.emplace(name.substr(0, name.size() - suffix.size()));
      }
    }
  }
  return out;
}

// Connections of variables; all that is wrong with them is told at once.
found_configuration from_environment() {
  found_configuration out;
  std::vector<config::problem> problems;
  const auto collect = [&](auto&& read) {
    try {
      read();
    } catch (const config::configuration_error& wrong) {
      problems.insert(problems.end(), wrong.problems().begin(), wrong.problems().end());
    }
  };
  collect([&] {
    if (auto found = config::connections_from_databases_variable()) {
      out.settings.connections = std::move(*found);
      out.origin = "DATABASES";
    }
  });
  for (const std::string& prefix : prefixes_in_environment()) {
    collect([&] {
      auto found = config::build_config_from_env(prefix);
      const auto same = [&](const config::connection& other) { return other.name == found.name; };
      if (std::ranges::any_of(out.settings.connections, same)) return;  // DATABASES wins
      out.settings.connections.push_back(std::move(found));
      out.origin += (out.origin.empty() ? "" : ", ") + prefix + "_DB_*";
    });
  }
  if (!problems.empty()) throw config::configuration_error(std::move(problems));
  return out;
}

}  // namespace

found_configuration find_configuration(const std::string& file, const std::string& environment) {
  if (!file.empty()) return from_file(file, environment, "");
  if (const char* variable = std::getenv("POLYPOOL_CONFIG"); variable != nullptr && *variable != '\0') {
    return from_file(variable, environment, ", which POLYPOOL_CONFIG names");
  }
  std::error_code ignored;
  for (const char* name : {"polypool.yaml", "polypool.yml", "polypool.json"}) {
    if (std::filesystem::exists(name, ignored)) return from_file(name, environment, "");
  }
  if (auto found = from_environment(); !found.settings.connections.empty()) return found;
  throw command_error(usage, "no configuration found",
                      "give a file with --config FILE or $POLYPOOL_CONFIG, write ./polypool.yaml, or set a variable "
                      "such as MAIN_DB_URL=postgres://user:password@host/database");
}

config::settings for_one_command(config::settings settings) {
  const auto calm = [](auto& tuning) {
    tuning.min_open_conns = 0U;
    tuning.retry_attempts = 1U;
    tuning.health_check_interval = std::chrono::nanoseconds(0);
    tuning.enable_auto_reconnect = false;
    tuning.lazy_connect = true;
  };
  calm(settings.defaults);
  for (auto& each : settings.connections) calm(each.overrides);
  return settings;
}

}  // namespace polypool::cli
