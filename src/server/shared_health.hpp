// SPDX-License-Identifier: Apache-2.0
// One health check of everything for all who ask at about the same time.
#pragma once

#include <polypool/clock.hpp>
#include <polypool/manager.hpp>
#include <polypool/task.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>

namespace polypool::server {

/// Whoever asks while a check runs waits for that one, and its result is good for a second: a crowd of probes costs
/// the databases no more than one. Thread-safe. Outlives its checks.
class shared_health {
 public:
  using checker = std::function<task<health_report>()>;
  explicit shared_health(checker check, duration good_for = std::chrono::seconds(1),
                         clock& time = clock::system()) noexcept;
  shared_health(const shared_health&) = delete;
  /// Throws what the check throws; a failed check is not kept.
  task<std::shared_ptr<const health_report>> check();
  /// Whoever asks from now on gets a new check: connections have changed.
  void forget() noexcept;

 private:
  struct flight;
  std::shared_ptr<flight> join(bool& leads);
  task<void> lead(std::shared_ptr<flight> mine);

  const checker check_;
  const duration good_for_;
  clock& time_;
  std::mutex mutex_;
  std::shared_ptr<flight> current_;
};

}  // namespace polypool::server
