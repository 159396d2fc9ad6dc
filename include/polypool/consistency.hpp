// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// Reading one's own writes from the replicas of a group.
#pragma once

#include <polypool/clock.hpp>

#include <cstdint>
#include <memory>
#include <mutex>

namespace polypool {

/// Ties reads to writes: calls with the same token (`call::reading_after`) read from a replica only when it has
/// everything that calls with this token have written before, else from the primary. Copies are the same token.
/// One is enough for what belongs together, such as the requests of one user. Thread-safe.
///
/// No server is asked for it: a write is over at some time, the group looks now and then how far primary and replicas
/// are, and a replica that has reached what the primary had after that time has the write.
class consistency {
 public:
  consistency() : state_(std::make_shared<state>()) {}
  /// Something was written that calls do not show, such as through a lease().
  void wrote() const noexcept { state_->ended(false); }

  /// For the library: what is kept of the writes.
  class state {
   public:
    void began() noexcept {
      const std::scoped_lock lock(mutex_);
      ++under_way_;
    }
    /// @param began whether began() was said before
    void ended(bool began) noexcept {
      const std::scoped_lock lock(mutex_);
      if (began) --under_way_;
      unseen_ = true;
    }
    /// When the last write was over at the latest; the far future while one is under way.
    time_point last_write(time_point now) noexcept {
      const std::scoped_lock lock(mutex_);
      if (under_way_ > 0) return time_point::max();
      if (unseen_) last_ = now;
      unseen_ = false;
      return last_;
    }

   private:
    std::mutex mutex_;  // guards what follows
    std::uint64_t under_way_ = 0;
    bool unseen_ = false;  // a write ended since somebody asked
    time_point last_ = time_point::min();
  };
  const std::shared_ptr<state>& kept() const noexcept { return state_; }

 private:
  std::shared_ptr<state> state_;
};

}  // namespace polypool
