// SPDX-License-Identifier: Apache-2.0
// Events for clients: as JSON, and as server-sent events.
#pragma once

#include "server/http_types.hpp"

#include <polypool/events.hpp>

#include <boost/json/fwd.hpp>

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::server {

/// `{id, kind, at, connection, type, from, to, detail}`
boost::json::object event_json(const connection_event& what);

/// Which events somebody wants to hear of; empty lists: all.
struct event_filter {
  std::vector<event_kind> kinds;
  std::vector<std::string> connections;
  bool takes(const connection_event& what) const;
};

/// What a request for events asks for.
struct event_query {
  event_filter filter;
  std::optional<std::uint64_t> since;  ///< the last event that it knows
  std::size_t limit = event_bus::kept;
};
/// `?kind=a,b&connection=x&since=12&limit=50`; Last-Event-ID is another word for `since`. Throws http_failure (400).
event_query decode_event_query(const request& asked);

/// Wakes those who send events. One listener of the bus for all of them, so that leaving waits for nobody's listener.
/// Thread-safe.
class event_feed {
 public:
  explicit event_feed(event_bus& bus) noexcept : bus_(bus) {}
  event_feed(const event_feed&) = delete;
  event_bus& bus() const noexcept { return bus_; }

  /// As long as it lives, `ready` is called after each event; it only posts.
  class place {
   public:
    place(event_feed& feed, std::function<void()> ready);
    place(const place&) = delete;
    ~place();

   private:
    event_feed& feed_;
    std::list<std::function<void()>>::iterator mine_;
  };

 private:
  event_bus& bus_;
  std::mutex mutex_;
  std::list<std::function<void()>> places_;
  std::once_flag subscribed_;
  event_bus::subscription subscription_;  // last: its end waits for a call that uses the others
};

/// A client's stream of events. It has no buffer but the bus itself: it remembers the last event that it sent.
class event_stream final : public body_stream {
 public:
  event_stream(event_feed& feed, event_query wanted);
  std::string next() override;
  bool over() const noexcept override { return over_; }
  std::string_view heartbeat() const noexcept override { return ": \n\n"; }
  void on_ready(std::function<void()> ready) override;

 private:
  event_feed& feed_;
  const event_query wanted_;
  std::uint64_t sent_;
  bool greeted_ = false;
  bool over_ = false;
  std::unique_ptr<event_feed::place> place_;
};

}  // namespace polypool::server
