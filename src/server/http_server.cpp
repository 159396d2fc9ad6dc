// SPDX-License-Identifier: Apache-2.0
#include "server/context.hpp"
#include "server/listener.hpp"

#include <polypool/server.hpp>

#include <utility>

namespace polypool {

struct http_server::parts {
  parts(polypool::manager& manager, const config::server_settings& settings, log::logger log,
        const server_limits& limits, std::shared_ptr<configuration_source> source, const webhook_sender* webhooks,
        bool starting)
      : shared(manager, log, limits.max_json_depth, std::move(source), webhooks, starting),
        routes(make_routes(shared)),
        front(settings, limits, *routes, answer_with(limits), log) {}

  static std::unique_ptr<server::router> make_routes(server::context& shared) {
    auto routes = std::make_unique<server::router>();
    server::add_probe_routes(*routes, shared);
    server::add_admin_routes(*routes, shared);
    server::add_group_routes(*routes, shared);
    server::add_breaker_routes(*routes, shared);
    server::add_monitor_routes(*routes, shared);
    server::add_multi_routes(*routes, shared);
    server::add_reload_routes(*routes, shared);
    return routes;
  }
  server::answering answer_with(const server_limits& limits) {
    return [this, limit = limits.handler_timeout](const server::handler& with, const server::request& asked,
                                                  std::stop_token stop) {
      return server::answer(shared, with, asked, limit, std::move(stop));
    };
  }

  server::context shared;
  std::unique_ptr<server::router> routes;
  server::listener front;  // last: its thread uses the others
};

http_server::http_server(manager& manager, const config::server_settings& settings, log::logger log,
                         const server_limits& limits, std::shared_ptr<configuration_source> source,
                         const webhook_sender* webhooks, bool starting)
    : parts_(
          std::make_unique<parts>(manager, settings, std::move(log), limits, std::move(source), webhooks, starting)) {}
http_server::~http_server() { stop(std::chrono::seconds(2)); }

std::uint16_t http_server::port() const noexcept { return parts_->front.port(); }
const std::string& http_server::address() const noexcept { return parts_->front.address(); }
void http_server::announce_started() noexcept { parts_->shared.starting = false; }
void http_server::adjust(const config::server_settings& settings) noexcept { parts_->front.adjust(settings); }
void http_server::announce_shutdown() noexcept { parts_->shared.shutting_down = true; }

void http_server::stop(duration drain) {
  announce_shutdown();
  parts_->front.stop(drain);
}

}  // namespace polypool
