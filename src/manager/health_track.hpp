// SPDX-License-Identifier: Apache-2.0
// What several checks in a row mean. Pure logic; its owner's lock guards it.
#pragma once

#include <polypool/manager.hpp>

#include <cstdint>
#include <utility>
#include <vector>

namespace polypool::detail {

class health_track {
 public:
  static constexpr std::size_t kept = 100;
  struct limits {
    std::uint32_t unhealthy_after = 3;
    std::uint32_t healthy_after = 2;
  };
  struct step {
    health_status before = health_status::unknown;
    health_status after = health_status::unknown;
    bool began_failing = false;
    bool answered_again = false;
  };

  /// Counts a check. One failure makes a connection that has worked degraded at most; one of which nothing is known is
  /// unhealthy at once. An unhealthy one stays so until enough checks in a row were good.
  step note(health_status found, limits when) {
    step out;
    out.before = status_;
    if (found == health_status::unhealthy) {
      out.began_failing = failures_ == 0;
      ++failures_;
      successes_ = 0;
      if (status_ != health_status::unhealthy) {
        const bool enough = status_ == health_status::unknown || failures_ >= when.unhealthy_after;
        status_ = enough ? health_status::unhealthy : health_status::degraded;
      }
    } else {
      out.answered_again = failures_ > 0;
      failures_ = 0;
      ++successes_;
      if (status_ != health_status::unhealthy || successes_ >= when.healthy_after) status_ = found;
    }
    out.after = status_;
    return out;
  }
  /// What is known for sure, from connecting or closing: no threshold.
  step decide(health_status status) {
    step out;
    out.before = std::exchange(status_, status);
    out.after = status;
    out.began_failing = status == health_status::unhealthy && failures_ == 0;
    out.answered_again = is_serving(status) && failures_ > 0;
    failures_ = status == health_status::unhealthy ? failures_ + 1 : 0;
    successes_ = 0;
    return out;
  }

  health_status status() const noexcept { return status_; }
  std::uint32_t failures() const noexcept { return failures_; }
  std::uint32_t successes() const noexcept { return successes_; }
  /// Whether the next check is worth a hurry: it fails, or is on its way back.
  bool unsettled() const noexcept { return failures_ > 0 || status_ == health_status::unhealthy; }

  void remember(health_record one) {
    if (records_.size() < kept) {
      records_.push_back(std::move(one));
    } else {
      records_[oldest_] = std::move(one);
      oldest_ = (oldest_ + 1) % kept;
    }
  }
  /// The oldest first.
  std::vector<health_record> history() const {
    std::vector<health_record> out;
    out.reserve(records_.size());
    for (std::size_t i = 0; i < records_.size(); ++i) out.push_back(records_[(oldest_ + i) % records_.size()]);
    return out;
  }

  /// Calls that had succeeded when the last check began.
  std::uint64_t successes_before = 0;

 private:
  health_status status_ = health_status::unknown;
  std::uint32_t failures_ = 0;          // in a row
  std::uint32_t successes_ = 0;         // in a row
  std::vector<health_record> records_;  // a ring once it is full
  std::size_t oldest_ = 0;
};

}  // namespace polypool::detail
