// SPDX-License-Identifier: Apache-2.0
// One client. Sees Asio and Beast: for session.cpp and session_stream.cpp only.
#pragma once

#include "server/gate.hpp"
#include "server/serving.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <memory>
#include <string>

namespace polypool::server {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::awaitable;
using asio::ip::tcp;
using boost::system::error_code;

/// Room in its buffer beside the headers, for what a client sent ahead.
inline constexpr std::size_t spare_buffer_bytes = 64 * 1024;

/// Now, as the Date header has it.
std::string http_date();

class session : public std::enable_shared_from_this<session> {
 public:
  session(serving& shared, tcp::socket client)
      : shared_(shared),
        socket_(std::move(client)),
        timer_(socket_.get_executor()),
        buffer_(shared.limits.max_header_bytes + spare_buffer_bytes),
        pulse_(socket_.get_executor()) {
    shared_.sessions.insert(this);
  }
  ~session() {
    shared_.sessions.erase(this);
    if (turned_away_) --shared_.turned_away;
    if (shared_.sessions.empty() && shared_.on_last_gone) shared_.on_last_gone();
  }
  session(const session&) = delete;

  awaitable<void> serve();
  awaitable<void> turn_away();
  void count_as_turned_away() {
    idle_ = false;
    turned_away_ = true;
    ++shared_.turned_away;
  }
  void close_when_idle() {
    if (idle_) cut();
    wake();  // a stream ends
  }
  void cut() {
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  using parser = http::request_parser<http::string_body>;

  void arm(duration limit, bool reading);
  void disarm() {
    ++armed_;
    timer_.cancel();
  }
  awaitable<bool> await_request();
  awaitable<bool> serve_one();
  awaitable<bool> read_body(parser& incoming);
  awaitable<bool> refuse(error_code ec, bool head_only);
  awaitable<bool> reply(const response& what, unsigned version, bool head_only, bool keep);
  awaitable<bool> send_stream(const response& what, unsigned version, bool head_only);
  awaitable<void> send_parts(body_stream& parts);
  awaitable<bool> rest(duration limit);
  void watch_for_the_end();
  void wake() {
    woken_ = true;
    pulse_.cancel();
  }
  awaitable<void> linger();
  request_head head_of(const parser& incoming) const;

  serving& shared_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  boost::beast::flat_buffer buffer_;
  asio::steady_timer pulse_;  // of a stream: until there is more to send
  bool woken_ = false;
  bool left_ = false;   // the client, while it is sent a stream
  unsigned armed_ = 0;  // tells a timer that was cancelled too late from the one that counts
  bool timed_out_ = false;
  bool idle_ = true;
  bool turned_away_ = false;
};

}  // namespace polypool::server
