// SPDX-License-Identifier: Apache-2.0
#include "drivers/redis/dial.hpp"
#include "drivers/redis/session.hpp"

#include <polypool/redis.hpp>

namespace polypool::redis {
namespace {

class redis_driver final : public driver {
 public:
  std::string_view type() const noexcept override { return "redis"; }
  database_kind kind() const noexcept override { return database_kind::key_value; }
  task<std::unique_ptr<polypool::session>> connect(const endpoint& where) override;
};

task<std::unique_ptr<polypool::session>> open_one(std::shared_ptr<const session_settings> settings,
                                                  const server_address& to, duration connect_timeout, bool own_limit) {
  dialer way(*settings, to, connect_timeout, own_limit);
  task<std::unique_ptr<wire>> dialing = way.dial();
  std::unique_ptr<wire> line = co_await std::move(dialing);
  std::optional<error> failure;
  try {
    task<server_facts> introducing = introduce(*line, introduction_of(*settings));
    server_facts facts = co_await std::move(introducing);
    std::unique_ptr<polypool::session> made =
        std::make_unique<session>(std::move(line), std::move(facts), settings, false);
    co_return std::move(made);
  } catch (const error& problem) {
    failure = problem;
  }
  throw way.explained(std::move(*failure));
}

task<std::unique_ptr<polypool::session>> redis_driver::connect(const endpoint& where) {
  environment env = co_await this_environment();
  time_point limit = no_deadline;
  if (where.connect_timeout > duration::zero()) limit = saturating_add(env.time->now(), where.connect_timeout);
  const bool own_limit = limit < env.deadline;
  if (own_limit) env.deadline = limit;
  auto settings = std::make_shared<const session_settings>(settings_for(where));
  const server_address& to = settings->servers.front();
  task<std::unique_ptr<polypool::session>> opening = open_one(settings, to, where.connect_timeout, own_limit);
  co_return co_await std::move(opening).in(env);
}

}  // namespace

std::shared_ptr<driver> make_driver() { return std::make_shared<redis_driver>(); }

}  // namespace polypool::redis
