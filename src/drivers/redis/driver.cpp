// SPDX-License-Identifier: Apache-2.0
#include "drivers/redis/cluster_session.hpp"
#include "drivers/redis/open.hpp"
#include "drivers/redis/sentinel.hpp"

#include <polypool/redis.hpp>

namespace polypool::redis {
namespace {

class redis_driver final : public driver {
 public:
  std::string_view type() const noexcept override { return "redis"; }
  database_kind kind() const noexcept override { return database_kind::key_value; }
  task<std::unique_ptr<polypool::session>> connect(const endpoint& where) override;
};

// The primary that sentinels name may have just been demoted: then it is refused, and the pool tries again.
task<std::unique_ptr<polypool::session>> open_primary(std::shared_ptr<const session_settings> settings,
                                                      duration connect_timeout, bool own_limit) {
  task<server_address> finding = find_primary(*settings, connect_timeout);
  const server_address found = co_await std::move(finding);
  task<std::unique_ptr<session>> opening = open_session(settings, found, connect_timeout, own_limit, true);
  std::unique_ptr<session> made = co_await std::move(opening);
  std::optional<error> failure;
  try {
    task<void> probing = made->probe();
    co_await std::move(probing);
  } catch (const error& problem) {
    failure = problem;
  }
  if (failure) {
    throw error(errc::connect_failed, "cannot connect to Redis at " + found.text() + ": " + failure->cause())
        .with_disposition(disposition::retryable);
  }
  std::unique_ptr<polypool::session> out = std::move(made);
  co_return std::move(out);
}

task<std::unique_ptr<polypool::session>> open_single(std::shared_ptr<const session_settings> settings,
                                                     duration connect_timeout, bool own_limit) {
  const server_address to = settings->servers.front();
  task<std::unique_ptr<session>> opening = open_session(settings, to, connect_timeout, own_limit, false);
  std::unique_ptr<polypool::session> out = co_await std::move(opening);
  co_return std::move(out);
}

task<std::unique_ptr<polypool::session>> open_cluster(std::shared_ptr<const session_settings> settings,
                                                      duration connect_timeout) {
  auto made = std::make_unique<cluster_session>(std::move(settings), connect_timeout);
  task<void> starting = made->start();
  co_await std::move(starting);
  std::unique_ptr<polypool::session> out = std::move(made);
  co_return std::move(out);
}

task<std::unique_ptr<polypool::session>> open_any(std::shared_ptr<const session_settings> settings,
                                                  duration connect_timeout, bool own_limit) {
  if (settings->cluster) return open_cluster(std::move(settings), connect_timeout);
  if (!settings->sentinel_master.empty()) return open_primary(std::move(settings), connect_timeout, own_limit);
  return open_single(std::move(settings), connect_timeout, own_limit);
}

task<std::unique_ptr<polypool::session>> redis_driver::connect(const endpoint& where) {
  environment env = co_await this_environment();
  time_point limit = no_deadline;
  if (where.connect_timeout > duration::zero()) limit = saturating_add(env.time->now(), where.connect_timeout);
  const bool own_limit = limit < env.deadline;
  if (own_limit) env.deadline = limit;
  auto settings = std::make_shared<const session_settings>(settings_for(where));
  task<std::unique_ptr<polypool::session>> opening = open_any(std::move(settings), where.connect_timeout, own_limit);
  co_return co_await std::move(opening).in(env);
}

}  // namespace

std::shared_ptr<driver> make_driver() { return std::make_shared<redis_driver>(); }

}  // namespace polypool::redis
