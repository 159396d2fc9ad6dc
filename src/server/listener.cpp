// SPDX-License-Identifier: Apache-2.0
#include "server/listener.hpp"

#include "base/loopback.hpp"
#include "server/serving.hpp"

#include <polypool/error.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cctype>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace polypool::server {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t most_turned_away = 64;  // clients being told that there are too many
constexpr auto accept_pause = std::chrono::milliseconds(100);

asio::ip::address loopback_address(std::string host) {
  if (!is_loopback_host(host)) {
    throw error(errc::invalid_configuration,
                "server.host: refuses to listen on '" + host +
                    "': there is no authentication yet, so whoever reaches the address could steer every database")
        .with_hint("use a loopback address: " + std::string(loopback_hosts));
  }
  if (std::isalpha(static_cast<unsigned char>(host.front())) != 0) host = "127.0.0.1";  // localhost
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return asio::ip::make_address(host);
}

std::string text_of(const asio::ip::address& address, std::uint16_t port) {
  const auto host = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
  return host + ':' + std::to_string(port);
}

tcp::acceptor listen(asio::io_context& io, const config::server_settings& settings) {
  const auto address = loopback_address(settings.host);
  const tcp::endpoint where(address, settings.port);
  tcp::acceptor out(io);
  error_code ec;
  out.open(where.protocol(), ec);
  if (!ec) out.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) out.bind(where, ec);
  if (!ec) out.listen(asio::socket_base::max_listen_connections, ec);
  if (!ec) return out;
  throw error(errc::invalid_configuration, "cannot listen on " + text_of(address, settings.port) + ": " + ec.message())
      .with_hint("stop the program that uses this port, or set another server.port (0: any free one)");
}

}  // namespace

struct listener::state {
  state(const config::server_settings& settings, const server_limits& limits, const router& routes, answering run,
        log::logger log)
      : acceptor(listen(io, settings)),
        pause(io),
        drain_timer(io),
        shared{io,
               settings.max_body_bytes,
               settings.request_timeout,
               limits,
               routes,
               std::move(run),
               std::move(log),
               {},
               0,
               false,
               0,
               {},
               {}},
        port(acceptor.local_endpoint().port()),
        address(text_of(acceptor.local_endpoint().address(), port)) {}

  asio::awaitable<void> accept_all();
  void begin_stop(duration drain);
  void run() noexcept;

  asio::io_context io{1};
  tcp::acceptor acceptor;
  asio::steady_timer pause;
  asio::steady_timer drain_timer;
  serving shared;
  const std::uint16_t port;
  const std::string address;
  std::mutex stopping;
  std::thread thread;
};

asio::awaitable<void> listener::state::accept_all() {
  while (acceptor.is_open()) {
    error_code ec;
    tcp::socket client = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, ec));
    if (ec == asio::error::operation_aborted || ec == asio::error::connection_aborted) continue;
    if (ec) {
      // Most likely no file descriptors are left; trying again at once would only burn the processor.
      shared.log.error("server", "cannot accept clients", {{"error", ec.message()}});
      pause.expires_after(accept_pause);
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      continue;
    }
    const bool full = shared.sessions.size() - shared.turned_away >= shared.limits.max_connections;
    if (full && shared.turned_away >= most_turned_away) continue;
    start_session(shared, std::move(client), full);
  }
}

void listener::state::begin_stop(duration drain) {
  error_code ignored;
  acceptor.close(ignored);
  pause.cancel();
  shared.draining = true;
  const std::vector<session*> all(shared.sessions.begin(), shared.sessions.end());
  for (auto* one : all) close_when_idle(*one);
  if (shared.sessions.empty()) return;
  shared.on_last_gone = [this] { drain_timer.cancel(); };
  drain_timer.expires_after(drain);
  drain_timer.async_wait([this](error_code ec) {
    if (ec) return;
    shared.log.warning("server", "interrupting requests that did not finish in time",
                       {{"clients", std::to_string(shared.sessions.size())}});
    shared.stop.request_stop();
    const std::vector<session*> rest(shared.sessions.begin(), shared.sessions.end());
    for (auto* one : rest) cut(*one);
  });
}

void listener::state::run() noexcept {
  for (;;) {
    try {
      io.run();
      return;
    } catch (const std::exception& fault) {
      shared.log.error("server", "unexpected error", {{"error", fault.what()}});
    }
  }
}

listener::listener(const config::server_settings& settings, const server_limits& limits, const router& routes,
                   answering run, log::logger log)
    : state_(std::make_unique<state>(settings, limits, routes, std::move(run), std::move(log))) {
  asio::co_spawn(state_->io, state_->accept_all(), asio::detached);
  state_->thread = std::thread([state = state_.get()] { state->run(); });
  state_->shared.log.info("server", "listening", {{"address", state_->address}});
}

listener::~listener() { stop(std::chrono::seconds(2)); }

std::uint16_t listener::port() const noexcept { return state_->port; }
const std::string& listener::address() const noexcept { return state_->address; }

void listener::adjust(const config::server_settings& settings) noexcept {
  asio::post(state_->io, [state = state_.get(), body = settings.max_body_bytes, time = settings.request_timeout] {
    state->shared.max_body_bytes = body;
    state->shared.request_timeout = time;
  });
}

void listener::stop(duration drain) {
  const std::lock_guard lock(state_->stopping);
  if (!state_->thread.joinable()) return;
  asio::post(state_->io, [state = state_.get(), drain] { state->begin_stop(drain); });
  state_->thread.join();
  state_->shared.log.info("server", "stopped", {{"address", state_->address}});
}

}  // namespace polypool::server
