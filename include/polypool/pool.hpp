// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup pool
/// The sessions of one connection: leases, waiters, limits.
#pragma once

#include <polypool/background.hpp>
#include <polypool/driver.hpp>
#include <polypool/key_value.hpp>
#include <polypool/log.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>

namespace polypool {

/// Something about a pool that people want to know.
struct pool_incident {
  enum class what : std::uint8_t {
    exhausted,  ///< a caller got no session; told at most once a second
    leak,       ///< a session is on loan for longer than leak_threshold
  };
  what kind = what::exhausted;
  duration span{};             ///< how long the caller waited, or the session is on loan
  std::source_location where;  ///< who asked, or has it
  std::uint32_t in_use = 0, max_open = 0, waiting = 0;
};

/// A pool's limits. Times of 0 switch the thing off.
struct pool_options {
  std::string name;  ///< the connection's name, for messages
  std::uint32_t max_open = 25;
  std::uint32_t max_idle = 5;
  std::uint32_t min_open = 0;
  std::uint32_t max_waiting = 10000;  ///< callers that may wait at once; 0 for any number
  std::uint32_t max_opening = 4;      ///< sessions opened at the same time
  duration max_lifetime = std::chrono::minutes(30);
  duration max_idle_time = std::chrono::minutes(5);
  duration acquire_timeout = std::chrono::seconds(30);
  duration connect_timeout = std::chrono::seconds(10);
  duration keepalive_interval = std::chrono::minutes(2);
  duration probe_after = std::chrono::milliseconds(500);
  duration probe_timeout = std::chrono::seconds(5);  ///< for probes, resets and goodbyes
  duration leak_threshold = std::chrono::minutes(1);
  std::uint32_t connect_attempts = 3;
  duration retry_delay = std::chrono::seconds(1);
  duration retry_max_delay = std::chrono::seconds(10);
  /// Told of incidents, in the thread that found them (maybe a caller's) and without a lock: neither blocks nor throws.
  std::function<void(const pool_incident&)> told;
};

/// Why a session was closed.
enum class close_cause : std::uint8_t { idle_time, idle_count, lifetime, generation, broken, resize, closed };
inline constexpr std::size_t close_cause_count = 7;
std::string_view to_string(close_cause cause) noexcept;

/// A pool's numbers at one moment.
struct pool_statistics {
  std::uint32_t max_open = 0;
  std::uint32_t open = 0;    ///< sessions the server sees, also those being opened, cleaned or closed
  std::uint32_t in_use = 0;  ///< on loan, or being cleaned after it
  std::uint32_t idle = 0;
  std::uint32_t opening = 0;
  std::uint32_t waiting = 0;  ///< callers waiting now
  std::uint64_t leases = 0;
  std::uint64_t wait_count = 0;  ///< leases that had to wait
  duration wait_time{};          ///< all waits together
  std::uint64_t timeouts = 0;
  std::uint64_t refused = 0;  ///< the queue was full
  std::uint64_t opened = 0;
  std::uint64_t connect_failures = 0;
  std::uint64_t leaks = 0;                       ///< leases reported as too long
  std::uint64_t closed[close_cause_count] = {};  ///< by cause
  std::uint64_t closed_for(close_cause cause) const noexcept { return closed[static_cast<std::size_t>(cause)]; }
};

class pool;
class pool_core;
namespace detail {
struct pooled_session;
}

/// A session on loan; gives it back when it goes out of scope. Movable; one thread or task at a time.
class lease {
 public:
  lease() noexcept = default;
  lease(lease&& other) noexcept : item_(std::exchange(other.item_, nullptr)) {}
  lease& operator=(lease&& other) noexcept {
    std::swap(item_, other.item_);
    return *this;
  }
  ~lease() { release(); }

  explicit operator bool() const noexcept { return item_ != nullptr; }
  polypool::session& session() const noexcept;
  polypool::session* operator->() const noexcept { return &session(); }
  /// The session as one that speaks SQL. Throws not_sql_database.
  sql_session& sql() const;
  /// The session as one that takes commands. Throws not_redis.
  key_value_session& key_value() const;
  /// The driver's own object, such as `PGconn*`. Throws type_mismatch that names both types.
  /// The session is reset when it comes back.
  template <class T>
  T native() const {
    return static_cast<T>(native_pointer(typeid(T)));
  }
  /// True when the pool would rather have it back: somebody waits for a session and no more can be opened, or this one
  /// is to be closed. For those who keep a session busy without end. Takes no lock.
  /// @param now what the connection's clock says, coarsely
  bool wanted_back(time_point now) const noexcept;
  /// It will be out for long, and rightly so: no leak report.
  void expect_long() noexcept;
  /// Gives the session back now.
  void release() noexcept;
  /// Closes the session instead of giving it back.
  void discard() noexcept;

 private:
  friend class pool;
  friend class pool_core;
  explicit lease(detail::pooled_session* item) noexcept : item_(item) {}
  void* native_pointer(const std::type_info& wanted) const;
  detail::pooled_session* item_ = nullptr;
};

/// Opens one session; called in the background by the pool.
using session_opener = std::function<task<std::unique_ptr<session>>()>;

/// The sessions of one connection.
///
/// Last in, first out for sessions (warm ones), first in, first out for waiters, and a returned session goes straight
/// to the first waiter, so a newcomer never overtakes one. Sessions are opened in the background, and not at all when a
/// returned one served the waiter first. Thread-safe; serves blocking threads and tasks at once.
class pool {
 public:
  /// @param open makes a session @param work runs openers, cleaners and keepalive; outlives the pool
  pool(pool_options options, session_opener open, std::shared_ptr<background> work, log::logger log = {});
  pool(const pool&) = delete;
  pool& operator=(const pool&) = delete;
  /// Closes by force what is still open. Leases still out stay valid; their sessions close when they come back.
  ~pool();

  /// Borrows a session, waiting for one within acquire_timeout and the task's deadline.
  /// Throws pool_timeout (with who holds the sessions), pool_queue_full, connect_failed, authentication_failed,
  /// connection_closed, cancelled. When the deadline passes it is pool_timeout as well: nothing was begun.
  /// @param where who asks; shown in leak reports and timeouts
  task<lease> acquire(std::source_location where = std::source_location::current());
  /// Borrows a session if one is idle and fresh; never waits. Gives an empty lease otherwise.
  lease try_acquire(std::source_location where = std::source_location::current()) noexcept;

  /// Sees to it, in the background, that a session is idle and fresh soon: probes one that lies idle, or opens one
  /// more, unless the maximum is reached. For callers who share a session as long as there is none for each of them;
  /// unlike a waiter, it is not served by a session that somebody returns. Never waits.
  void wish_for_another() noexcept;

  /// Opens a session, and goes on to `min_open` in the background. Throws why the first one failed.
  task<void> warm_up();
  /// Retires every session of today: idle ones close now, those on loan when they come back.
  void retire_all() noexcept;
  /// Changes the limits; sessions over the new maximum close as they come back.
  void resize(std::uint32_t min_open, std::uint32_t max_open, std::uint32_t max_idle);
  /// Refuses new callers, lets those at work finish until the deadline of the task, then interrupts and closes.
  /// @return true when nothing had to be interrupted. Idempotent.
  task<bool> close();
  /// Lets a closed pool work again.
  void reopen();
  bool closed() const noexcept;

  pool_statistics statistics() const;
  /// Sessions on loan, as last seen. Takes no lock.
  std::uint32_t on_loan() const noexcept;
  /// The last failed attempt to connect, if none succeeded since.
  std::optional<error> last_connect_failure() const;
  const std::string& name() const noexcept;

 private:
  std::shared_ptr<background> work_;
  std::shared_ptr<pool_core> core_;
};

}  // namespace polypool
