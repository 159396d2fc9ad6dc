// SPDX-License-Identifier: Apache-2.0
#include "server/group_body.hpp"

#include "config/reader.hpp"
#include "server/bodies.hpp"
#include "server/http_types.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace polypool::server {
namespace {

constexpr std::string_view name_is_missing = "Group name is required";

// Whoever calls has no business with the variables of this process.
std::optional<std::string> no_variable(const std::string& /*name*/) { return std::nullopt; }

}  // namespace

config::group decode_group(std::string_view body, std::size_t max_depth) {
  parse_body(body, max_depth);  // strictly, with its limits
  config::entry from;
  from.key = decode_field(body, "name", name_is_missing, max_depth);
  if (auto problem = problem_of_name(from.key); !problem.empty())
    throw http_failure(400, name_is_missing.data(), problem);
  config::problem_list problems;
  from.value = config::read_json(body, problems, problems.add_file("body"));
  std::erase_if(from.value.children, [](const config::entry& each) { return each.key == "name"; });
  const config::variable_lookup variables = no_variable;
  config::reading with{problems, variables};
  config::group_places places;
  auto made = config::read_group(with, from, places);
  try {
    problems.throw_if_any();
  } catch (const config::configuration_error& wrong) {
    throw http_failure(400, "The group is not valid", lines_of(wrong));
  }
  return std::move(*made);
}

}  // namespace polypool::server
