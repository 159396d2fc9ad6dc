// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fixture.hpp"
#include "support/mongodb_script.hpp"

namespace polypool::test {

/// Two scripted servers that are the replica set `rs`; the first is its primary, until another one is elected.
class scripted_set : public ::testing::TestWithParam<way> {
 protected:
  scripted_set() : go_(GetParam()) { elect(&first_); }
  /// @param primary null: none
  void elect(const mongodb_script* primary) {
    const std::vector<std::string> members{first_.address(), second_.address()};
    for (auto* each : {&first_, &second_}) each->join_set("rs", members, each == primary);
  }
  endpoint whole_set() const {
    auto out = first_.where();
    out.options["replica_set"] = "rs";
    return out;
  }
  static endpoint alone(const mongodb_script& server) {
    auto out = server.where();
    out.options["direct_connection"] = "true";
    return out;
  }
  mongodb_script first_, second_;
  runner go_;
};

}  // namespace polypool::test
