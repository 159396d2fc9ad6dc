// SPDX-License-Identifier: Apache-2.0
#include "cli/group_places.hpp"

#include "cli/daemon_call.hpp"

namespace polypool::cli {

namespace json = boost::json;

namespace {

std::string role_of(const json::object& member, const group_place& place, const std::string& name) {
  if (!place.failover) return (flag_field(member, "ejected") ? "left out of " : "member of ") + place.group;
  if (name == place.primary) return "primary of " + place.group;
  const auto observed = text_field(member, "observed");
  const auto* reachable = member.if_contains("reachable");
  if (reachable != nullptr && reachable->is_bool() && !reachable->as_bool()) return "out of reach of " + place.group;
  if (observed == "primary") return "unused primary of " + place.group;
  const bool silent = observed.empty() || observed == "unknown";
  return (silent ? text_field(member, "declared") : observed) + " of " + place.group;
}

}  // namespace

std::map<std::string, std::vector<group_place>> places_of(const json::array& groups) {
  std::map<std::string, std::vector<group_place>> out;
  for (const auto& each : groups) {
    if (!each.is_object()) continue;
    const auto& group = each.as_object();
    group_place place;
    place.group = text_field(group, "name");
    place.primary = text_field(group, "primary");
    place.failover = text_field(group, "type") == "failover";
    for (const auto& one : array_field(group, "members")) {
      if (!one.is_object()) continue;
      const auto name = text_field(one.as_object(), "name");
      place.role = role_of(one.as_object(), place, name);
      out[name].push_back(place);
    }
    place.itself = true;
    const bool several = flag_field(group, "severalPrimaries");
    place.role = !place.failover          ? "balance"
                 : !place.primary.empty() ? "writes to " + place.primary
                 : several                ? "several primaries"
                                          : "no primary";
    auto& own = out[place.group];
    own.insert(own.begin(), place);
  }
  return out;
}

}  // namespace polypool::cli
