// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// What happens to connections, as it happens: to subscribers, and kept for whoever asks later.
#pragma once

#include <polypool/config.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace polypool {

/// What happened.
enum class event_kind : std::uint8_t {
  health_change,        ///< healthy, degraded, unhealthy, unknown: from one to another
  connection_error,     ///< the server cannot be reached, or broke off
  connection_recovery,  ///< it answers again
  failover,             ///< calls of a group go to another server now
  circuit_open,
  circuit_half_open,
  circuit_closed,
  pool_exhausted,  ///< a caller got no session
  leak,            ///< a session is on loan for too long
  active_changed,  ///< unnamed calls go to another connection now
  registered,
  removed,
  configuration,  ///< a new configuration was applied, or refused
};
/// "health-change", "circuit-open" …
std::string_view to_string(event_kind kind) noexcept;

/// One thing that happened.
struct connection_event {
  std::uint64_t id = 0;  ///< rises by one with each event of a manager; 0: not published yet
  event_kind kind = event_kind::health_change;
  std::chrono::system_clock::time_point at{};
  std::string connection;  ///< the name of the connection or group
  config::database_type type = config::database_type::postgres;
  std::string from;    ///< what was before: "healthy", "closed", a member's name …; may be empty
  std::string to;      ///< what is now
  std::string detail;  ///< a sentence for people; never a secret
};

/// Hands events to subscribers and keeps the last ones. Thread-safe.
class event_bus {
  struct state;

 public:
  /// Events kept for recent().
  static constexpr std::size_t kept = 1000;
  using listener = std::function<void(const connection_event&)>;

  /// Ends when it goes out of scope: no call of its listener begins after that, and none runs on in another thread.
  class subscription {
   public:
    subscription() noexcept = default;
    subscription(subscription&& other) noexcept;
    subscription& operator=(subscription&& other) noexcept;
    ~subscription();

   private:
    friend class event_bus;
    subscription(std::weak_ptr<state> bus, std::uint64_t id) noexcept : bus_(std::move(bus)), id_(id) {}
    std::weak_ptr<state> bus_;
    std::uint64_t id_ = 0;
  };

  event_bus();
  event_bus(const event_bus&) = delete;
  ~event_bus();

  /// Numbers an event, gives it the time where it has none, keeps it, and calls the listeners in this thread, without a
  /// lock that publishing needs. What a listener throws is dropped.
  void publish(connection_event what) noexcept;
  /// Calls `told` with each event from now on, one at a time. It should be quick, and may not unsubscribe itself.
  [[nodiscard]] subscription subscribe(listener told);
  /// The last events after the one of this id, the oldest first. @param most of them, the newest
  std::vector<connection_event> recent(std::size_t most = kept, std::uint64_t after = 0) const;

 private:
  std::shared_ptr<state> state_;
};

}  // namespace polypool
