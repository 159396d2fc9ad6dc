// SPDX-License-Identifier: Apache-2.0
#include "server/context.hpp"

#include "server/envelope.hpp"

#include <polypool/metrics.hpp>

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

}  // namespace

context::context(polypool::manager& served, log::logger logger, std::size_t json_depth)
    : manager(served),
      log(std::move(logger)),
      max_json_depth(json_depth),
      health([&served] { return served.async_health_check(); }),
      metrics([&served] { return metrics_samples(served); }) {}

void throw_not_found(const std::string& name) {
  throw http_failure(404, "Database connection '" + name + "' not found",
                     "GET /api/admin/connections/multi/list shows the names", "CONNECTION_NOT_FOUND");
}

void throw_no_redis() {
  throw http_failure(501, "This build has no driver for redis", "redis connections cannot be used here",
                     "UNSUPPORTED_DATABASE");
}

connection find_connection(const context& shared, const std::string& name) {
  try {
    return shared.manager.get(name);
  } catch (const error& cause) {
    const auto code = cause.portable_code();
    if (code == errc::connection_not_found || code == errc::no_default_connection) throw_not_found(name);
    throw;
  }
}

task<response> answer(const context& shared, const handler& with, const request& asked, duration limit,
                      std::stop_token stop) {
  try {
    auto limited = with_timeout(limit, with(asked));
    auto result = co_await with_stop(std::move(stop), std::move(limited));
    co_return result;
  } catch (...) {
    co_return answer_to_current(shared, asked);
  }
}

}  // namespace polypool::server
