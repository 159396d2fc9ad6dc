// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.hpp"
#include "cli/configuration.hpp"
#include "cli/exit_codes.hpp"
#include "cli/table.hpp"
#include "config/target.hpp"
#include "with_all_drivers/check_endpoint.hpp"

#include <iostream>
#include <unistd.h>

namespace polypool::cli {
namespace {

// What the drivers would say when they connect.
void check_with_drivers(const config::settings& settings, std::vector<config::problem>& problems) {
  for (const auto& each : settings.connections) {
    try {
      check_endpoint(each);
    } catch (const error& wrong) {
      problems.push_back({.file = {}, .line = 0, .field = "connections." + each.name, .what = wrong.cause()});
    }
  }
}

}  // namespace

int check(const arguments& given) {
  const auto out = terminal::of(STDOUT_FILENO);
  try {
    const auto found = find_configuration(given.text.empty() ? given.config : given.text);
    auto problems = config::validate(found.settings);
    check_with_drivers(found.settings, problems);
    if (!problems.empty()) throw config::configuration_error(problems);
    const auto& all = found.settings.connections;
    std::cout << found.origin << ": " << out.paint("good", style::green) << ", " << all.size()
              << (all.size() == 1 ? " connection" : " connections");
    if (const auto groups = found.settings.groups.size(); groups > 0) {
      std::cout << " and " << groups << (groups == 1 ? " group" : " groups");
    }
    std::cout << '\n';
    if (all.empty()) return success;
    table rows({{"NAME"}, {"TYPE"}, {"TARGET"}});
    for (const auto& each : all) {
      rows.add({{each.name}, {std::string(config::to_string(each.type))}, {config::target_of(each.type, each.where)}});
    }
    rows.print(std::cout, out);
    return success;
  } catch (const config::configuration_error& wrong) {
    for (const auto& each : wrong.problems()) std::cout << each.to_string() << '\n';
    const auto count = wrong.problems().size();
    throw command_error(usage,
                        std::to_string(count) + (count == 1 ? " problem" : " problems") + " in the configuration");
  }
}

}  // namespace polypool::cli
