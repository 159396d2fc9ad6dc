// SPDX-License-Identifier: Apache-2.0
// What all sessions of a listener share. Sees Asio: for listener.cpp and session.cpp only.
#pragma once

#include "server/listener.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstddef>
#include <set>
#include <stop_token>

namespace polypool::server {

class session;

/// Everything here belongs to the listener's one thread.
struct serving {
  boost::asio::io_context& io;
  std::size_t max_body_bytes;
  duration request_timeout;
  const server_limits limits;
  const router& routes;
  const answering run;
  const log::logger log;
  std::set<session*> sessions;
  std::size_t turned_away = 0;  // of these sessions: only told that there are too many
  bool draining = false;
  std::size_t streams = 0;  // sessions that are sending one
  std::stop_source stop;
  std::function<void()> on_last_gone;
};

/// Serves one client until it leaves. @param full there are too many clients: it is told so and let go
void start_session(serving& shared, boost::asio::ip::tcp::socket client, bool full);
/// Closes the session if it waits for a request; else it ends after the request at work.
void close_when_idle(session& one);
/// Closes the session's socket now.
void cut(session& one);

}  // namespace polypool::server
