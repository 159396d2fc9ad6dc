// SPDX-License-Identifier: Apache-2.0
// Ends the waits of one session early: at the caller's deadline, on its stop token, or when it is closed by force.
#pragma once

#include <polypool/environment.hpp>
#include <polypool/error.hpp>

#include <atomic>
#include <optional>
#include <poll.h>
#include <span>
#include <stop_token>

namespace polypool::mongodb {

/// libmongoc blocks; but every wait in it is one of ours (see channel.hpp), and each asks here.
class watch {
 public:
  enum class reason : std::uint8_t { none, timed_out, stopped, closed };

  watch();
  watch(const watch&) = delete;
  watch& operator=(const watch&) = delete;
  ~watch();

  /// Ends the running wait and all later ones. Thread-safe.
  void close() noexcept;
  bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }
  /// From now on nothing waits: what can be sent at once is sent, nothing is received.
  void say_goodbye() noexcept { goodbye_ = true; }
  void stay() noexcept { goodbye_ = false; }
  bool leaving() const noexcept { return goodbye_; }
  /// Whether the environment in charge sets a deadline.
  bool has_deadline() const noexcept { return env_ && env_->deadline != no_deadline; }

  /// Whether it is time to give up. Stays so until the next scope.
  bool strikes() noexcept;
  /// Why the running call was ended early.
  reason struck() const noexcept { return why_; }

  /// Waits until one of the descriptors is ready. The last element is for the watch's own use.
  /// @return how many are ready; 0 when `limit` came first; negative when it struck
  int wait(std::span<pollfd> descriptors, time_point limit) noexcept;

  /// Waits for nothing but the limit. @return false when it struck
  bool pause(duration span) noexcept;

  /// Puts an environment in charge while it lives. Throws when the call should not even begin.
  class scope {
   public:
    scope(watch& owner, const environment& env);
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;
    ~scope();

   private:
    struct deadline_timer final : timer {
      watch* owner = nullptr;
      void expired() noexcept override { owner->wake(); }
    };
    struct stop_action {
      watch* owner;
      void operator()() const noexcept { owner->wake(); }
    };
    watch& owner_;
    deadline_timer timer_;
    std::optional<std::stop_callback<stop_action>> stop_;
  };

 private:
  void wake() noexcept;
  void calm() noexcept;

  const environment* env_ = nullptr;
  int wake_descriptor_ = -1;
  reason why_ = reason::none;
  bool goodbye_ = false;
  bool manual_clock_ = false;
  std::atomic<bool> closed_{false};
  std::atomic<bool> signalled_{false};
};

}  // namespace polypool::mongodb
