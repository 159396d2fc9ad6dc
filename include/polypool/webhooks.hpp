// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup server
/// Sends events to other programs, as HTTP requests.
#pragma once

#include <polypool/clock.hpp>
#include <polypool/config.hpp>
#include <polypool/events.hpp>
#include <polypool/log.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace polypool {

/// What became of one webhook's events.
struct webhook_statistics {
  std::string name;  ///< or the host when it has none
  std::string host;  ///< the rest of a URL may be secret
  std::uint64_t sent = 0;
  std::uint64_t retries = 0;
  std::uint64_t refused = 0;  ///< given up: the receiver said no, or every attempt failed
  std::uint64_t dropped = 0;  ///< never tried: too many waited, or they came faster than they could be looked at
  std::size_t pending = 0;    ///< wait; without the one that is being sent
};

/// Posts each event as JSON to those who want it, one after the other, on a thread of its own.
///
/// The body is `{id, kind, at, connection, type, from, to, detail}`. Headers: `X-Polypool-Event` is its kind,
/// `X-Polypool-Delivery` its id (the same for each attempt), and with a key `X-Polypool-Timestamp` is the time in
/// seconds and `X-Polypool-Signature` is `sha256=` with the HMAC-SHA256 of `timestamp.body` in hexadecimal digits. A
/// 2xx status is a success; 408, 425, 429, 5xx and every failure to reach it are tried again, with a delay that doubles
/// and is half random; any other status is final. Redirects are not followed. Thread-safe.
class webhook_sender {
 public:
  /// Webhooks that were found to be right, and are not in force yet.
  class plan {
   public:
    plan() noexcept = default;

   private:
    friend class webhook_sender;
    struct content;
    std::shared_ptr<const content> content_;
  };
  /// Checks them and reads their certificates. Throws invalid_configuration.
  static plan prepare(std::vector<config::webhook> targets);

  /// @param events outlives this
  webhook_sender(event_bus& events, std::vector<config::webhook> targets, log::logger log = {});
  /// Stops, with no drain.
  ~webhook_sender();
  webhook_sender(const webhook_sender&) = delete;

  /// Puts other webhooks in the place of these and does not wait for it. One that goes on (config::match_webhooks)
  /// keeps its numbers and what waits for it, and sends it by what is configured now. One that is gone sends what waits
  /// as long as each first attempt succeeds; a request at work is not broken off, and what would have to be tried again
  /// is dropped. New ones hear of what happens after this call.
  void replace(plan with);
  /// In the order of the configuration.
  std::vector<webhook_statistics> statistics() const;
  /// Sends what waits for this long at most, and ends. Idempotent.
  void stop(duration drain);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace polypool
