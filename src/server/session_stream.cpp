// SPDX-License-Identifier: Apache-2.0
// Answers that go on: what a session sends as long as there is something to tell.
#include "server/envelope.hpp"
#include "server/session.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <utility>

namespace polypool::server {

using asio::redirect_error;
using asio::use_awaitable;

// The body ends with the connection. Nothing is kept for a client that does not read: what it reads too late is gone,
// and who takes nothing for write_timeout is cut.
awaitable<bool> session::send_stream(const response& what, unsigned version, bool head_only) {
  if (!head_only && shared_.streams >= shared_.limits.max_streams) {
    const auto busy = failure(503, "Too many streams", "this server sends as many streams as it can; try again");
    co_return co_await reply(busy, version, false, false);
  }
  http::response<http::empty_body> out;
  out.version(version);
  out.result(static_cast<unsigned>(what.status));
  out.set(http::field::server, "polypool");
  out.set(http::field::date, http_date());
  out.set(http::field::cache_control, "no-store");
  out.set("X-Content-Type-Options", "nosniff");
  out.set(http::field::content_type, what.content_type);
  out.keep_alive(false);
  arm(shared_.limits.write_timeout, false);
  http::response_serializer<http::empty_body> serializer(out);
  error_code ec;
  co_await http::async_write_header(socket_, serializer, redirect_error(use_awaitable, ec));
  disarm();
  if (ec || head_only) co_return false;
  struct counting {
    std::size_t& streams;
    explicit counting(std::size_t& all) : streams(++all) {}
    ~counting() { --streams; }
  };
  const counting one(shared_.streams);
  const auto executor = socket_.get_executor();
  what.stream->on_ready([executor, me = weak_from_this()] {
    asio::post(executor, [me] {
      if (const auto self = me.lock()) self->wake();
    });
  });
  watch_for_the_end();
  co_await send_parts(*what.stream);
  socket_.cancel(ec);
  co_return false;
}

awaitable<void> session::send_parts(body_stream& parts) {
  while (!left_ && !shared_.stop.stop_requested()) {
    std::string text = parts.next();
    if (text.empty()) {
      if (parts.over() || shared_.draining) co_return;
      const bool more = co_await rest(shared_.limits.heartbeat);
      if (more) continue;
      text = parts.heartbeat();
    }
    arm(shared_.limits.write_timeout, false);
    error_code ec;
    co_await asio::async_write(socket_, asio::buffer(text), redirect_error(use_awaitable, ec));
    disarm();
    if (ec) co_return cut();
  }
}

// @return false when nothing happened for that long
awaitable<bool> session::rest(duration limit) {
  if (std::exchange(woken_, false)) co_return true;
  pulse_.expires_after(limit);
  error_code ec;
  co_await pulse_.async_wait(redirect_error(use_awaitable, ec));
  woken_ = false;
  co_return ec == asio::error::operation_aborted;
}

// Whoever is sent a stream has nothing more to say; what comes is dropped until it leaves.
void session::watch_for_the_end() {
  const auto room = buffer_.prepare(512);
  socket_.async_read_some(room, [self = shared_from_this()](error_code ec, std::size_t) {
    if (!ec) return self->watch_for_the_end();
    if (ec == asio::error::operation_aborted) return;
    self->left_ = true;
    self->wake();
  });
}

}  // namespace polypool::server
