// SPDX-License-Identifier: Apache-2.0
// Takes clients on a thread of its own and serves a router to them.
#pragma once

#include "server/router.hpp"

#include <polypool/clock.hpp>
#include <polypool/config.hpp>
#include <polypool/log.hpp>
#include <polypool/server.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

namespace polypool::server {

/// Runs an admitted handler; where errors become answers.
using answering = std::function<task<response>(const handler&, const request&, std::stop_token)>;

class listener {
 public:
  /// Listens and serves when this returns. Throws invalid_configuration.
  /// @param routes outlives the listener
  listener(const config::server_settings& settings, const server_limits& limits, const router& routes, answering run,
           log::logger log);
  ~listener();
  listener(const listener&) = delete;

  std::uint16_t port() const noexcept;
  const std::string& address() const noexcept;
  /// Takes the limits of requests from there, from the next one on.
  void adjust(const config::server_settings& settings) noexcept;
  void stop(duration drain);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace polypool::server
