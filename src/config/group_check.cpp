// SPDX-License-Identifier: Apache-2.0
#include "config/check.hpp"
#include "config/problems.hpp"
#include "config/vocabulary.hpp"

#include <polypool/duration.hpp>

#include <algorithm>
#include <unordered_set>

namespace polypool::config {
namespace {

void check_shape(const group& one, const complaint& wrong) {
  const bool failover = one.type == group_type::failover;
  if (failover) {
    if (one.primary.empty()) wrong("primary", "is missing; a failover group needs it: the name of a connection");
    if (!one.members.empty()) wrong("members", "are of a balance group; a failover group has replicas and backups");
    if (!one.primary.empty() && one.replicas.empty() && one.backups.empty()) {
      wrong("replicas", "are missing; a failover group has replicas, backups, or both");
    }
    return;
  }
  if (one.members.empty()) wrong("members", "are missing; a balance group needs them: a list of connections");
  if (!one.primary.empty()) wrong("primary", "is of a failover group; a balance group has members");
  if (!one.replicas.empty()) wrong("replicas", "are of a failover group; a balance group has members");
  if (!one.backups.empty()) wrong("backups", "are of a failover group; a balance group has members");
}

void check_numbers(const group& one, const complaint& wrong) {
  const auto at_least = [&](std::string_view name, nanoseconds value, nanoseconds least) {
    if (value < least) {
      wrong(name, format_duration(value) + " is too small; allowed: " + format_duration(least) + " and more");
    }
  };
  at_least("role_check_interval", one.role_check_interval, std::chrono::milliseconds(10));
  at_least("eject_time", one.eject_time, std::chrono::milliseconds(1));
  for (const auto& [name, value] : {std::pair{"fail_back_after", one.fail_back_after},
                                    {"max_lag", one.max_lag},
                                    {"settle_time", one.settle_time},
                                    {"slow_start", one.slow_start}}) {
    at_least(name, value, nanoseconds(0));
  }
  if (one.eject_max < one.eject_time) {
    wrong("eject_max",
          format_duration(one.eject_max) + " is less than eject_time, which is " + format_duration(one.eject_time));
  }
  if (one.unreachable_after == 0) wrong("unreachable_after", "0 is too small; allowed: 1 and more");
  if (one.fail_back == fail_back_policy::manual && one.fail_back_after > nanoseconds(0)) {
    wrong("fail_back_after", "says when, but fail_back says manual; give one or the other");
  }
  for (const auto* list : {&one.replicas, &one.backups, &one.members}) {
    for (const auto& member : *list) {
      if (member.weight >= 1 && member.weight <= 100) continue;
      wrong("weight", "of " + shown(member.name) + " is " + std::to_string(member.weight) + "; allowed: 1 to 100");
    }
  }
}

std::string_view field_of(const group& one, const std::string& name) {
  if (one.primary == name) return "primary";
  const auto has = [&](const std::vector<group_member>& list) {
    return std::ranges::find(list, name, &group_member::name) != list.end();
  };
  if (has(one.replicas)) return "replicas";
  return has(one.backups) ? "backups" : "members";
}

}  // namespace

std::vector<std::string> group::names() const {
  std::vector<std::string> all;
  if (!primary.empty()) all.push_back(primary);
  for (const auto* list : {&replicas, &backups, &members}) {
    for (const auto& each : *list) all.push_back(each.name);
  }
  return all;
}

void check_group(const group& one, const known_type& type_of, const complaint& wrong) {
  if (auto what = wrong_name(one.name); !what.empty()) wrong("name", std::move(what));
  check_shape(one, wrong);
  check_numbers(one, wrong);
  std::unordered_set<std::string> seen;
  std::optional<database_kind> kind;
  std::string first;
  for (const auto& name : one.names()) {
    const auto field = field_of(one, name);
    if (!seen.insert(name).second) {
      wrong(field, shown(name) + " is in the group twice");
      continue;
    }
    const auto found = type_of(name);
    if (!found.type) {
      if (!found.problem.empty()) wrong(field, found.problem);
      continue;
    }
    const auto its = kind_of(*found.type);
    if (!kind) {
      kind = its;
      first = name;
    } else if (*kind != its) {
      wrong(field, shown(name) + " is a " + std::string(to_string(*found.type)) + " connection and " + shown(first) +
                       " is not of its kind; the members of a group speak one language");
    }
  }
}

void check_groups(const settings& whole, const group_complaint& wrong) {
  std::unordered_set<std::string_view> names;
  for (const auto& one : whole.connections) names.insert(one.name);
  for (const auto& one : whole.groups) {
    const auto complain = [&](std::string_view field, std::string what) { wrong(one, field, std::move(what)); };
    if (!names.insert(one.name).second) complain("", "a connection or group has this name already");
    check_group(one, [&](const std::string& name) { return type_in(whole, name); }, complain);
  }
}

member_type type_in(const settings& whole, const std::string& name) {
  const auto found = std::ranges::find(whole.connections, name, &connection::name);
  if (found != whole.connections.end()) return {found->type, {}};
  if (std::ranges::find(whole.groups, name, &group::name) != whole.groups.end()) {
    return {std::nullopt, shown(name) + " is a group; the members of a group are connections"};
  }
  std::vector<std::string_view> known;
  for (const auto& each : whole.connections) known.push_back(each.name);
  return {std::nullopt, shown(name) + " is not the name of a connection" + suggestion(name, known)};
}

std::optional<database_type> type_of_group(const settings& whole, const group& one) {
  const auto names = one.names();
  return names.empty() ? std::nullopt : type_in(whole, names.front()).type;
}

}  // namespace polypool::config
