// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json.hpp>

#include <map>
#include <string>
#include <vector>

namespace polypool::cli {

// What a connection is in one of a daemon's groups.
struct group_place {
  std::string group;      // that it is, or belongs to
  std::string role;       // for people: "primary of orders", or of the group itself "writes to pg-b"
  std::string primary;    // where the group's writes go; empty: nowhere
  bool itself = false;    // it is the group
  bool failover = false;  // of that type: one member gets the writes
};

// Of every connection that has to do with groups, by its name. @param groups as /api/admin/connections/groups gives
// them
std::map<std::string, std::vector<group_place>> places_of(const boost::json::array& groups);

}  // namespace polypool::cli
