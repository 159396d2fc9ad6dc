// SPDX-License-Identifier: Apache-2.0
#include "server/creation.hpp"

#include <polypool/config.hpp>

#include <optional>
#include <utility>

namespace polypool::server {
namespace {

constexpr std::size_t connects_at_once = 16;

constexpr duration connect_limit = std::chrono::seconds(45);
constexpr duration close_drain = std::chrono::seconds(10);

// One connection on its way; a job writes its own entry only.
struct attempt {
  std::string name;
  secret password;
  std::string url;
  connection_kind kind = connection_kind::database;
  bool activate = false;
  std::optional<connection> made;
  std::optional<error> cause;
};

// A driver or library may have quoted what it was given.
std::string safe_text(const attempt& one) {
  std::string text = one.cause->what();
  if (!one.password.empty()) text = redact(text, one.password);
  for (auto at = text.find(one.url); !one.url.empty() && at != std::string::npos; at = text.find(one.url)) {
    text.replace(at, one.url.size(), "the given url");
  }
  return text;
}

// Each kind is created by its own call: a slip would put it where nobody looks for it.
void require_kind(const config::connection& made, connection_kind wanted) {
  const bool redis = config::kind_of(made.type) == database_kind::key_value;
  if (redis == (wanted == connection_kind::redis)) return;
  throw error(errc::invalid_configuration,
              "the url is of a " + std::string(config::to_string(made.type)) + " connection")
      .with_hint(redis ? "POST …/multi/redis creates those" : "POST …/multi/database creates those");
}

void register_one(context& shared, attempt& one) {
  try {
    if (auto problem = problem_of_name(one.name); !problem.empty()) {
      throw error(errc::invalid_configuration, problem);
    }
    auto configuration = config::connection_from_url(one.name, one.url);
    one.password = configuration.where.password;
    require_kind(configuration, one.kind);
    one.made = shared.manager.register_connection(std::move(configuration));
  } catch (const error& cause) {
    one.cause = cause;
    if (cause.portable_code() == errc::already_registered) {
      const std::string what = one.kind == connection_kind::redis ? "Redis" : "Database";
      one.cause = error(errc::already_registered, what + " connection '" + one.name + "' already exists");
    }
  }
}

task<void> connect_one(attempt& one) {
  try {
    co_await with_timeout(connect_limit, one.made->async_connect());
  } catch (const error& cause) {
    one.cause = cause;
  } catch (const std::exception& fault) {
    one.cause = error(errc::internal_error, fault.what());
  }
}

task<void> close_one(attempt& one) {
  try {
    co_await one.made->async_close(close_drain);
  } catch (const error& cause) {
    one.cause = cause;
  } catch (const std::exception& fault) {
    one.cause = error(errc::internal_error, fault.what());
  }
}

task<void> forget_one(context& shared, const attempt& one) {
  try {
    if (one.kind == connection_kind::redis) {
      co_await shared.manager.async_remove_redis(one.name, duration::zero());
    } else {
      co_await shared.manager.async_remove(one.name, duration::zero());
    }
  } catch (const error& cause) {
    shared.log.warning("server", "could not drop a connection that failed to connect",
                       {{"connection", one.name}, {"error", cause.what()}});
  }
}

void activate_one(context& shared, attempt& one) {
  try {
    one.kind == connection_kind::redis ? shared.manager.switch_active_redis(one.name)
                                       : shared.manager.switch_active(one.name);
  } catch (const error& cause) {
    one.cause = cause;
  }
}

batch_outcome outcome_of(const std::vector<attempt>& all) {
  batch_outcome out;
  for (const auto& one : all) {
    if (one.cause) {
      batch_outcome::failed_one failed;
      failed.name = one.name;
      failed.error = safe_text(one);
      failed.code = one.cause->portable_code();
      out.failed.push_back(std::move(failed));
    } else {
      out.successful.push_back(one.name);
    }
  }
  return out;
}

std::vector<attempt> attempts_for(std::vector<creation> wanted, connection_kind kind) {
  std::vector<attempt> all(wanted.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].name = std::move(wanted[i].name);
    all[i].url = std::move(wanted[i].url);
    all[i].kind = kind;
    all[i].activate = wanted[i].activate;
  }
  return all;
}

}  // namespace

task<batch_outcome> create_all(context& shared, std::vector<creation> wanted, connection_kind kind) {
  auto all = attempts_for(std::move(wanted), kind);
  std::vector<task<void>> jobs;
  for (auto& one : all) {
    register_one(shared, one);
    if (one.made) jobs.push_back(connect_one(one));
  }
  co_await run_all(shared.manager.work(), std::move(jobs), connects_at_once);
  for (auto& one : all) {
    if (one.made && one.cause) {
      co_await forget_one(shared, one);
    } else if (one.made && one.activate) {
      activate_one(shared, one);
    }
  }
  co_return outcome_of(all);
}

task<batch_outcome> disconnect_all(context& shared) {
  std::vector<attempt> all;
  for (auto& each : shared.manager.get_all()) {
    auto& one = all.emplace_back();
    one.name = each.name();
    one.made = std::move(each);
  }
  std::vector<task<void>> jobs;
  for (auto& one : all) jobs.push_back(close_one(one));
  co_await run_all(shared.manager.work(), std::move(jobs), connects_at_once);
  co_return outcome_of(all);
}

}  // namespace polypool::server
