// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup server
/// The HTTP server: REST to steer a manager, health probes, metrics.
#pragma once

#include <polypool/log.hpp>
#include <polypool/manager.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace polypool {

/// Limits that keep one client from taking the server away from the others.
struct server_limits {
  std::size_t max_header_bytes = 16 * 1024;            ///< request line and headers together; more: 431
  std::size_t max_connections = 256;                   ///< clients at once; more: 503
  std::size_t max_streams = 64;                        ///< of these clients: event streams; more: 503
  duration heartbeat = std::chrono::seconds(15);       ///< of an event stream that has nothing to tell
  std::size_t max_json_depth = 32;                     ///< nesting of a request's body; more: 400
  duration idle_timeout = std::chrono::minutes(1);     ///< between two requests of one client
  duration handler_timeout = std::chrono::minutes(2);  ///< for the work that a request asks for; more: 504
  duration write_timeout = std::chrono::seconds(30);   ///< for a client to take its answer
};

/// Where a daemon's configuration comes from, to read it again while it runs. Thread-safe.
class configuration_source {
 public:
  virtual ~configuration_source() = default;
  /// Reads it anew. May block. Throws configuration_error.
  /// @param environment development, staging …; empty: the one that is in force
  virtual config::settings read(const std::string& environment) = 0;
  /// What was read for this environment is in force from now on.
  virtual void adopt(const std::string& environment) = 0;
  /// Gets ready what a daemon has beside its manager, and changes nothing yet. Throws when that cannot be had.
  /// @return puts it in force; does not wait, and does not throw
  virtual std::function<void()> prepare(const config::settings& next) {
    static_cast<void>(next);
    return {};
  }
};

/// Reads a configuration again and puts it in force as a whole, or throws and changes nothing: what differs for the
/// manager by manager::apply(), and what the source prepares. Throws what these throw.
/// @param environment as of configuration_source::read(), adopted with the rest
/// @param all_or_nothing as of apply_options
/// @return what changed
task<std::vector<config::change>> async_reload(manager& served, std::shared_ptr<configuration_source> source,
                                               std::string environment = {}, bool all_or_nothing = false);

class webhook_sender;

/// Serves a manager over HTTP/1.1 on a thread of its own. A slow database holds up only the requests that ask it.
///
/// It listens on loopback addresses only, because it does not ask who calls; it answers only requests whose Host is a
/// loopback name, and takes changes only as application/json, so that web pages in a browser cannot reach it.
/// The manager has to outlive it. Thread-safe.
class http_server {
 public:
  /// Listens and serves when this returns. Throws invalid_configuration for an address that is not loopback, and when
  /// it cannot listen there.
  /// @param settings host, port (0: any free one), the largest body, the time to receive a request
  /// @param source for `reload` and `switch/environment`; without one there are no such calls
  /// @param webhooks whose numbers are metrics; outlives this
  /// @param starting true for a program that still connects its databases: until announce_started(), `/health` and
  /// `/health/ready` say 503, and calls below `/api/` are refused with 503. `/health/live` and `/metrics` work.
  http_server(manager& manager, const config::server_settings& settings, log::logger log = {},
              const server_limits& limits = {}, std::shared_ptr<configuration_source> source = nullptr,
              const webhook_sender* webhooks = nullptr, bool starting = false);
  /// Stops, with a short drain.
  ~http_server();
  http_server(const http_server&) = delete;
  http_server& operator=(const http_server&) = delete;

  /// The port it listens on.
  std::uint16_t port() const noexcept;
  /// Where it listens, such as `127.0.0.1:8080` or `[::1]:8080`.
  const std::string& address() const noexcept;
  /// Ends what `starting` began: from now on every call is answered.
  void announce_started() noexcept;
  /// Takes the largest body and the time to receive a request from there, beginning with the next request. What it
  /// listens on stays.
  void adjust(const config::server_settings& settings) noexcept;
  /// Makes `/health/ready` say 503 from now on, while everything else works: the start of a shutdown.
  void announce_shutdown() noexcept;
  /// Takes no new clients, closes idle ones, and gives requests at work this long to finish before they are
  /// interrupted. Idempotent; returns when the thread has ended.
  void stop(duration drain = std::chrono::seconds(10));

 private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

}  // namespace polypool
