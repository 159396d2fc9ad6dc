// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// What happens to connections, as it happens: to subscribers, and kept for whoever asks later.
#pragma once

#include <polypool/config.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polypool {

class background;

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
inline constexpr std::size_t event_kind_count = 13;
/// "health-change", "circuit-open" …
std::string_view to_string(event_kind kind) noexcept;
/// The other way round; nothing for an unknown word.
std::optional<event_kind> parse_event_kind(std::string_view word) noexcept;

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
///
/// Publishing may happen in the middle of a query: it copies the event into a place that is there already, and neither
/// allocates nor calls anybody. Listeners are called by a background task; only when it sleeps it has to be woken,
/// which costs one message to its event loop. Without a listener there is no task.
class event_bus {
  struct state;

 public:
  /// Events kept for recent().
  static constexpr std::size_t kept = 1000;
  /// Texts longer than this are cut: names, from and to, details.
  static constexpr std::size_t longest_name = 128, longest_word = 64, longest_detail = 320;
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

  /// Numbers an event, gives it the time where it has none, and keeps it. Listeners hear of it soon.
  void publish(const connection_event& what) noexcept;
  /// The same from views, which need not outlive the call.
  void publish(event_kind kind, std::string_view connection, config::database_type type, std::string_view from,
               std::string_view to, std::string_view detail) noexcept;
  /// Calls `told` with each event from now on, one at a time and in their order. What it throws is dropped. It may take
  /// its time, though others wait for it; who is more than `kept` events behind misses some, and sees it by the ids.
  [[nodiscard]] subscription subscribe(listener told);
  /// The last events after the one of this id, the oldest first. @param most of them, the newest
  std::vector<connection_event> recent(std::size_t most = kept, std::uint64_t after = 0) const;
  /// The first events after the one of this id that are still kept, the oldest first.
  std::vector<connection_event> next(std::uint64_t after, std::size_t most) const;
  /// The id of the last event; 0 when there was none.
  std::uint64_t last_id() const noexcept;

  /// Has listeners called by tasks there; before this, and without it, they are called by whoever publishes.
  void deliver_on(background& work);
  /// Tells listeners what they have not heard yet, and nothing any more after that. Before the background goes.
  void end_delivery() noexcept;

 private:
  std::shared_ptr<state> state_;
};

}  // namespace polypool
