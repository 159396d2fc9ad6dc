// SPDX-License-Identifier: Apache-2.0
#include "server/context.hpp"

#include "server/envelope.hpp"

#include <polypool/metrics.hpp>
#include <polypool/webhooks.hpp>

#include <utility>

namespace polypool::server {
namespace {

// The answer to whatever is being thrown; called in a handler of it.
response answer_to_current(const context& shared, const request& asked) {
  try {
    throw;
  } catch (const http_failure& refusal) {
    return failure(refusal);
  } catch (const error& cause) {
    const std::string at = cause.connection().empty() ? "" : " on connection '" + cause.connection() + "'";
    shared.log.warning("server", "request failed", {{"path", asked.path}, {"error", cause.what()}});
    return failure(cause, "Request failed" + at);
  } catch (const std::exception& fault) {
    shared.log.error("server", "unexpected error", {{"path", asked.path}, {"error", fault.what()}});
    return failure(500, "Internal error", "see the server's log", "INTERNAL_ERROR");
  }
}

whole_sample whole_of(const manager& served, const webhook_sender* webhooks) {
  auto out = metrics_of_the_whole(served);
  if (webhooks == nullptr) return out;
  for (const auto& each : webhooks->statistics()) {
    webhook_sample one;
    one.name = each.name;
    one.sent = each.sent;
    one.failed = each.refused;
    one.retries = each.retries;
    one.dropped = each.dropped;
    one.pending = each.pending;
    out.webhooks.push_back(std::move(one));
  }
  return out;
}

}  // namespace

context::context(polypool::manager& served, log::logger logger, std::size_t json_depth,
                 std::shared_ptr<configuration_source> from, const webhook_sender* webhooks, bool still_starting)
    : manager(served),
      log(std::move(logger)),
      max_json_depth(json_depth),
      health([&served] { return served.async_health_check(); }),
      metrics([&served] { return metrics_samples(served); },
              [&served, webhooks] { return whole_of(served, webhooks); }),
      source(std::move(from)),
      events(served.events()),
      starting(still_starting) {}

void throw_not_found(const std::string& name, connection_kind kind) {
  const std::string what = kind == connection_kind::redis ? "Redis" : "Database";
  throw http_failure(404, what + " connection '" + name + "' not found",
                     "GET /api/admin/connections/multi/list shows the names", "CONNECTION_NOT_FOUND");
}

namespace {

// `find` gives a connection, or throws that there is none.
template <class Find>
connection found_or_404(const std::string& name, connection_kind kind, Find&& find) {
  try {
    return find();
  } catch (const error& cause) {
    const auto code = cause.portable_code();
    if (code == errc::connection_not_found || code == errc::no_default_connection) throw_not_found(name, kind);
    throw;
  }
}

}  // namespace

connection find_connection(const context& shared, const std::string& name) {
  return found_or_404(name, connection_kind::database, [&] { return shared.manager.get(name); });
}

connection find_connection(const context& shared, const std::string& name, connection_kind kind) {
  if (kind == connection_kind::redis) {
    return found_or_404(name, kind, [&] { return shared.manager.get_redis(name); });
  }
  auto found = find_connection(shared, name);
  if (found.kind() == database_kind::key_value) throw_not_found(name, kind);
  return found;
}

task<response> answer(const context& shared, const handler& with, const request& asked, duration limit,
                      std::stop_token stop) {
  if (shared.starting && asked.path.starts_with("/api/")) {
    co_return failure(503, "Starting", "databases are being connected; GET /health/ready says when that is over",
                      "STARTING");
  }
  try {
    auto limited = with_timeout(limit, with(asked));
    auto result = co_await with_stop(std::move(stop), std::move(limited));
    co_return result;
  } catch (...) {
    co_return answer_to_current(shared, asked);
  }
}

}  // namespace polypool::server
