// SPDX-License-Identifier: Apache-2.0
// One client: reads requests, writes answers.
#include "server/session.hpp"

#include "server/envelope.hpp"

#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 takes the frame's own operator delete for a mistake once it has inlined its operator new.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

#include <polypool/asio.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <array>
#include <chrono>
#include <ctime>
#include <memory>
#include <utility>

namespace polypool::server {

using asio::redirect_error;
using asio::use_awaitable;

namespace {

constexpr duration linger_time = std::chrono::seconds(2);  // for a client to take the answer before its socket goes
constexpr duration short_linger_time = std::chrono::milliseconds(200);  // when the server stops
constexpr std::size_t linger_bytes = 8 * 1024 * 1024;                   // read and dropped meanwhile

// The answer to what cannot be parsed or is too much; nothing when the client just left.
std::optional<response> refusal_for(error_code ec, const serving& shared) {
  if (ec == http::error::header_limit || ec == http::error::buffer_overflow) {
    const auto most = std::to_string(shared.limits.max_header_bytes);
    return failure(431, "Request header fields too large", "at most " + most + " bytes");
  }
  if (ec == http::error::body_limit) {
    const auto most = std::to_string(shared.max_body_bytes);
    return failure(413, "Request body too large", "at most " + most + " bytes");
  }
  if (ec == http::error::bad_version) return failure(505, "HTTP version not supported", "this is HTTP/1.1");
  if (ec == http::error::end_of_stream) return std::nullopt;
  if (ec.category() == make_error_code(http::error::bad_method).category()) {
    return failure(400, "Bad request", "not HTTP as it should be: " + ec.message());
  }
  return std::nullopt;
}

}  // namespace

std::string http_date() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 64> text{};
  const auto length = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), length};
}

// A socket whose receiving side is shut down, or that is closed, stays so; a mere cancel would miss an operation that
// is just between two of its steps.
void session::arm(duration limit, bool reading) {
  timed_out_ = false;
  timer_.expires_after(limit);
  timer_.async_wait([self = shared_from_this(), mine = ++armed_, reading](error_code ec) {
    if (ec || mine != self->armed_) return;
    self->timed_out_ = true;
    error_code ignored;
    if (reading) {
      self->socket_.shutdown(tcp::socket::shutdown_receive, ignored);
      self->socket_.cancel(ignored);
    } else {
      self->socket_.close(ignored);
    }
  });
}

awaitable<void> session::serve() {
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  while (co_await await_request()) {
    const bool more = co_await serve_one();
    if (!more) break;
  }
  co_await linger();
}

awaitable<bool> session::await_request() {
  if (!socket_.is_open()) co_return false;
  if (buffer_.size() != 0) co_return true;
  if (shared_.draining) co_return false;
  idle_ = true;
  arm(shared_.limits.idle_timeout, true);
  error_code ec;
  const auto room = buffer_.prepare(4096);
  const std::size_t got = co_await socket_.async_read_some(room, redirect_error(use_awaitable, ec));
  disarm();
  idle_ = false;
  buffer_.commit(got);
  co_return !ec && got != 0;
}

request_head session::head_of(const parser& incoming) const {
  const auto view = [](boost::beast::string_view text) { return std::string_view(text.data(), text.size()); };
  const auto& message = incoming.get();
  request_head head;
  head.method = view(message.method_string());
  head.target = view(message.target());
  head.http_1_0 = message.version() < 11;
  const auto hosts = message.equal_range(http::field::host);
  for (auto it = hosts.first; it != hosts.second; ++it) head.hosts.push_back(view(it->value()));
  if (const auto it = message.find(http::field::content_type); it != message.end()) {
    head.content_type = view(it->value());
  }
  head.expect = view(message[http::field::expect]);
  head.has_body = !incoming.is_done();
  return head;
}

awaitable<bool> session::serve_one() {
  const auto started = std::chrono::steady_clock::now();
  parser incoming;
  incoming.header_limit(static_cast<std::uint32_t>(shared_.limits.max_header_bytes));
  incoming.body_limit(shared_.max_body_bytes);
  arm(shared_.request_timeout, true);
  error_code ec;
  co_await http::async_read_header(socket_, buffer_, incoming, redirect_error(use_awaitable, ec));
  if (ec || timed_out_) co_return co_await refuse(ec, false);
  const auto& message = incoming.get();
  const bool head_only = message.method() == http::verb::head;
  const unsigned version = message.version();
  const auto head = head_of(incoming);
  auto admitted = admit(head, shared_.routes);
  if (!admitted.answer) {
    disarm();  // a body that is still to come stays unread, so this client cannot be kept
    const bool keep = message.keep_alive() && incoming.is_done();
    co_return co_await reply(admitted.refusal, version, head_only, keep);
  }
  const bool read = co_await read_body(incoming);
  if (!read) co_return false;
  disarm();

  request asked;
  asked.method = admitted.method;
  asked.path = std::move(admitted.path);
  asked.query = std::move(admitted.query);
  asked.accept = incoming.get()[http::field::accept];
  asked.last_event_id = incoming.get()["Last-Event-ID"];
  asked.body = std::move(incoming.get().body());
  auto work = shared_.run(*admitted.answer, asked, shared_.stop.get_token());
  const response result = co_await spawn(socket_.get_executor(), std::move(work), use_awaitable);
  if (shared_.log.enabled(log::level::debug, "server")) {
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - started);
    shared_.log.debug("server", "answered",
                      {{"method", std::string(to_string(asked.method))},
                       {"path", asked.path},
                       {"status", std::to_string(result.status)},
                       {"microseconds", std::to_string(took.count())}});
  }
  if (result.stream) co_return co_await send_stream(result, version, head_only);
  const bool keep = incoming.get().keep_alive();
  co_return co_await reply(result, version, head_only, keep);
}

awaitable<bool> session::read_body(parser& incoming) {
  error_code ec;
  const bool asks = incoming.get().version() >= 11 && !incoming.get()[http::field::expect].empty();
  if (asks && !incoming.is_done() && buffer_.size() == 0) {
    static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    const auto text = asio::buffer(go_on.data(), go_on.size());
    co_await asio::async_write(socket_, text, redirect_error(use_awaitable, ec));
    if (ec) co_return false;
  }
  co_await http::async_read(socket_, buffer_, incoming, redirect_error(use_awaitable, ec));
  if (!ec && !timed_out_) co_return true;
  co_await refuse(ec, incoming.get().method() == http::verb::head);
  co_return false;
}

awaitable<bool> session::refuse(error_code ec, bool head_only) {
  disarm();
  auto what = refusal_for(ec, shared_);
  if (timed_out_) {
    what = failure(408, "Request timeout", "the request did not arrive in time");
  }
  if (!what) {
    cut();
    co_return false;
  }
  shared_.log.debug("server", "refused a request", {{"status", std::to_string(what->status)}, {"why", ec.message()}});
  co_return co_await reply(*what, 11, head_only, false);
}

awaitable<bool> session::reply(const response& what, unsigned version, bool head_only, bool keep) {
  keep = keep && !shared_.draining;
  http::response<http::string_body> out;
  out.version(version);
  out.result(static_cast<unsigned>(what.status));
  out.set(http::field::server, "polypool");
  out.set(http::field::date, http_date());
  out.set(http::field::cache_control, "no-store");
  out.set("X-Content-Type-Options", "nosniff");
  if (!what.allow.empty()) out.set(http::field::allow, what.allow);
  if (what.status != 204) out.set(http::field::content_type, what.content_type);
  out.keep_alive(keep);
  out.body() = what.body;
  if (what.status != 204) out.content_length(what.body.size());

  arm(shared_.limits.write_timeout, false);
  http::response_serializer<http::string_body> serializer(out);
  error_code ec;
  if (head_only) {
    co_await http::async_write_header(socket_, serializer, redirect_error(use_awaitable, ec));
  } else {
    co_await http::async_write(socket_, serializer, redirect_error(use_awaitable, ec));
  }
  disarm();
  if (ec) cut();
  co_return keep && !ec;
}

// Closing a socket that holds unread bytes resets the connection, and the client may lose the answer. So it is told
// that no more will come, and what it still sends is dropped for a while.
awaitable<void> session::linger() {
  if (!socket_.is_open()) co_return;
  error_code ec;
  socket_.shutdown(tcp::socket::shutdown_send, ec);
  if (ec) co_return;
  arm(shared_.draining ? short_linger_time : linger_time, false);
  std::size_t dropped = 0;
  buffer_.clear();
  while (!ec && dropped < linger_bytes && !shared_.stop.stop_requested()) {
    const auto room = buffer_.prepare(spare_buffer_bytes);
    dropped += co_await socket_.async_read_some(room, redirect_error(use_awaitable, ec));
  }
  disarm();
}

awaitable<void> session::turn_away() {
  const auto busy = failure(503, "Too many connections", "this server has as many clients as it takes; try again");
  co_await reply(busy, 11, false, false);
  co_await linger();
}

void start_session(serving& shared, tcp::socket client, bool full) {
  auto executor = client.get_executor();
  auto one = std::make_shared<session>(shared, std::move(client));
  if (full) one->count_as_turned_away();
  auto life = full ? one->turn_away() : one->serve();
  // The handler holds the session, so that it goes after the coroutine that runs in it.
  asio::co_spawn(executor, std::move(life), [one, log = shared.log](std::exception_ptr failed) {
    try {
      if (failed) std::rethrow_exception(failed);
    } catch (const std::exception& fault) {
      log.error("server", "a client's session failed", {{"error", fault.what()}});
    }
  });
}

void close_when_idle(session& one) { one.close_when_idle(); }
void cut(session& one) { one.cut(); }

}  // namespace polypool::server
