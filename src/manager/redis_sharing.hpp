// SPDX-License-Identifier: Apache-2.0
// Sessions of a Redis connection that many callers use at once.
#pragma once

#include "manager/connection_state.hpp"

#include <polypool/key_value.hpp>
#include <polypool/waits.hpp>

#include <array>
#include <mutex>
#include <optional>

namespace polypool::detail {

/// Lets callers share few sessions. One is borrowed from the pool when a caller finds none that is busy already, and
/// goes back when its last caller is done: so the pool's limits, idle times and statistics hold without a word about
/// sharing. A session takes no newcomers, and so comes back soon, once the pool wants it back, once it was out for
/// long, and once a caller has given up on it (then its reset reads what is left).
///
/// Threads share only when there is no session left for each: to be woken by another thread costs more than a round
/// trip. Tasks share from the start. But only callers of one event loop share, and threads among each other: who reads
/// for all may be held up by its loop, for long even, when the loop's own thread calls something that blocks.
class redis_sharing {
 public:
  /// A caller's place on a session.
  class place {
   public:
    place(place&& other) noexcept;
    place& operator=(place&&) = delete;
    ~place();
    key_value_session& session() const noexcept { return *session_; }
    /// The call is over and nothing of it is left on the session.
    void done() noexcept { given_up_ = false; }

   private:
    friend class redis_sharing;
    place(redis_sharing& owner, std::size_t index, key_value_session* session) noexcept
        : owner_(&owner), index_(index), session_(session) {}
    explicit place(lease own) : session_(&own.key_value()), own_(std::move(own)) {}
    redis_sharing* owner_ = nullptr;  // null: nobody shares this one
    std::size_t index_ = 0;
    key_value_session* session_;
    lease own_;
    bool given_up_ = true;
  };

  /// @param state owns this
  explicit redis_sharing(connection_state& state) noexcept : state_(state) {}
  redis_sharing(const redis_sharing&) = delete;

  /// A place on a session that is at hand. Never waits.
  /// @param env whose event loop the caller belongs to, or that it blocks @param now by the connection's clock: an
  /// expired session takes no newcomers; a few milliseconds more or less do not matter
  std::optional<place> try_join(const environment& env, time_point now);
  /// Waits for one. Throws what pool::acquire does.
  task<place> join();
  /// How many callers have a place, as last seen. Takes no lock.
  std::uint32_t callers() const noexcept { return callers_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t most_shared = 16;
  class waiter;
  class acquisition;
  struct shared_session {
    lease session;  // empty: this place in the list is free
    key_value_session* commands = nullptr;
    const void* loop = nullptr;
    time_point since{};
    std::uint32_t users = 0;
    bool leaving = false;  // takes no newcomers
  };

  // Those marked (lock) expect the mutex.
  std::optional<std::size_t> best_for(const void* loop, time_point now) noexcept;  // (lock)
  std::size_t add(lease fresh, const void* loop, time_point now);                  // (lock)
  bool crowded(const shared_session& one, const environment& env) const noexcept;  // (lock)
  place seat(std::size_t index) noexcept;                                          // (lock)
  task<place> fetch(acquisition& duty);
  acquisition* acquisition_for(const void* loop) noexcept;  // (lock)
  void leave(std::size_t index, bool given_up) noexcept;
  static void wake_all(waiter* first) noexcept;

  connection_state& state_;
  std::mutex mutex_;
  std::array<shared_session, most_shared> sessions_;
  std::size_t count_ = 0;                // of them in use
  acquisition* acquisitions_ = nullptr;  // somebody borrows a session for all of a loop who wait; linked
  std::atomic<std::uint32_t> callers_{0};
};

}  // namespace polypool::detail
