// SPDX-License-Identifier: Apache-2.0
// Which writes a replica has, by the times at which they were over.
#pragma once

#include <polypool/clock.hpp>
#include <polypool/driver.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <string>
#include <vector>

namespace polypool::detail {

/// Where the primary was, and when, and how far that is on each replica. What the primary had when it was asked after a
/// time, contains every write that was over by that time; a replica that has reached it has them, too. Not thread-safe.
class read_positions {
 public:
  explicit read_positions(std::size_t replicas) : has_until_(replicas, time_point::min()) {}

  /// The primary was asked at that time and said this.
  void primary_at(const std::string& position, time_point asked) {
    if (position.empty()) return;
    marks_.push_back({position, asked});
    if (marks_.size() > kept) marks_.pop_front();
  }
  void replica_at(std::size_t replica, const std::string& position) {
    for (auto mark = marks_.rbegin(); mark != marks_.rend(); ++mark) {
      if (mark->asked <= has_until_[replica]) return;
      if (!position_reached(position, mark->position)) continue;
      has_until_[replica] = mark->asked;
      return;
    }
  }
  /// Another server is the primary: what was said of the one before means nothing any more.
  void forget() {
    marks_.clear();
    std::ranges::fill(has_until_, time_point::min());
  }
  /// All writes that were over before this time are there.
  time_point has_until(std::size_t replica) const noexcept { return has_until_[replica]; }

 private:
  static constexpr std::size_t kept = 64;
  struct mark {
    std::string position;
    time_point asked;
  };
  std::deque<mark> marks_;
  std::vector<time_point> has_until_;
};

}  // namespace polypool::detail
