// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup async
/// What a task inherits from whoever awaits it: how to wait, until when, and whether to stop.
#pragma once

#include <polypool/clock.hpp>

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <stop_token>

namespace polypool {

/// How a wait ended.
enum class wait_result : std::uint8_t { ready, timed_out, stopped };

/// Which readiness of a socket is waited for.
enum class socket_interest : std::uint8_t { read = 1, write = 2, read_or_write = 3 };

/// Kept beside a socket by its session, so that an event loop registers the descriptor once and not at every wait.
/// Let go of (`reset`) before the descriptor is closed.
class socket_slot {
 public:
  std::shared_ptr<void> registration;
  void reset() noexcept { registration.reset(); }
};

/// One wait for a socket; lives in the waiting coroutine's frame.
struct socket_wait {
  int descriptor = -1;
  socket_interest interest = socket_interest::read;
  socket_slot* slot = nullptr;
  std::coroutine_handle<> waiter;
  std::shared_ptr<void> registration;  ///< the event loop's own note on this wait
  std::uint64_t epoch = 0;             ///< tells this wait from later ones on the same descriptor
  std::atomic<int> pending{0};         ///< operations of the event loop still under way
};

/// A blocking call handed to a worker thread; lives in the waiting coroutine's frame.
class offloaded_call {
 public:
  virtual void call() noexcept = 0;
  std::coroutine_handle<> waiter;

 protected:
  ~offloaded_call() = default;
};

/// How suspended tasks of one root wait and are resumed. Blocking tasks have none.
///
/// One task tree has at most one suspended leaf, and a scheduler never resumes it while another part of the tree still
/// runs on some thread. So code in a task needs no lock against itself, and `await_suspend` may touch its frame after
/// it has told the world whom to wake.
class scheduler {
 public:
  virtual ~scheduler() = default;
  /// Resumes the waiter on the executor; never inside this call. Thread-safe.
  virtual void resume(std::coroutine_handle<> waiter) noexcept = 0;
  /// Starts waiting for a socket. The waiter is resumed exactly once, also after cancel_socket.
  virtual void wait_socket(socket_wait& wait) = 0;
  /// Ends a socket wait early. Does nothing when it is over. Thread-safe.
  virtual void cancel_socket(socket_wait& wait) noexcept = 0;
  /// Arms a timer of the executor. Thread-safe.
  virtual void arm(timer& item, time_point when) = 0;
  /// Disarms it; when this returns, it neither expires nor will. Thread-safe.
  virtual void disarm(timer& item) noexcept = 0;
  /// Makes the call on a worker thread, then resumes its waiter.
  virtual void offload(offloaded_call& call) = 0;
  /// Which event loop it resumes on, for those who would rather not make one loop wait for another; null: unknown.
  virtual const void* loop() const noexcept { return nullptr; }
};

/// What a task knows of the world outside. Handed down from parent to child by `co_await`.
struct environment {
  scheduler* waits = nullptr;  ///< null: block the calling thread
  clock* time = &clock::system();
  time_point deadline = no_deadline;
  std::stop_token stop;

  bool blocking() const noexcept { return waits == nullptr; }
  bool expired() const noexcept { return deadline != no_deadline && time->now() >= deadline; }
  /// Arms a timer on the clock that is moved by hand, or else on the executor; not for blocking tasks on a real clock.
  void arm(timer& item, time_point when) const;
  void disarm(timer& item) const noexcept;
};

}  // namespace polypool
