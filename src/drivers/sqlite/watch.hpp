// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <polypool/environment.hpp>
#include <polypool/error.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>

struct sqlite3;

namespace polypool::sqlite {

/// Ends statements of one handle early: at the caller's deadline, on its stop token, or when the session is closed by
/// force. Two callbacks of SQLite stay installed and look at the environment of the call that runs.
class watch {
 public:
  explicit watch(duration busy_timeout) noexcept : busy_timeout_(busy_timeout) {}
  watch(const watch&) = delete;
  watch& operator=(const watch&) = delete;

  /// Installs the callbacks; again after something replaced them.
  void install(sqlite3* db) noexcept;
  void set_busy_timeout(duration span) noexcept { busy_timeout_ = span; }
  /// Ends the running call and all later ones. Thread-safe.
  void close() noexcept;
  bool closed() const noexcept { return closed_.load(std::memory_order_relaxed); }
  /// True when the last failure was the watch's doing.
  bool struck() const noexcept { return why_ != reason::none; }
  /// The error for that.
  error cause() const;
  /// Waits a little for a lock, as the busy handler does. @return false when it is time to give up
  bool wait_for_lock(int attempt) noexcept;

  /// Puts an environment in charge while it lives. Throws when the call should not even begin.
  class scope {
   public:
    scope(watch& owner, const environment& env);
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;
    ~scope() { owner_.env_ = nullptr; }

   private:
    watch& owner_;
  };

 private:
  enum class reason : std::uint8_t { none, timed_out, stopped, closed };
  bool strikes() noexcept;

  const environment* env_ = nullptr;
  duration busy_timeout_;
  std::atomic<bool> closed_{false};
  reason why_ = reason::none;
  bool for_lock_ = false;
  std::chrono::steady_clock::time_point lock_wait_began_;
  std::mutex mutex_;
  std::condition_variable_any woken_;
};

}  // namespace polypool::sqlite
