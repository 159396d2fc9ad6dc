// SPDX-License-Identifier: Apache-2.0
#include "drivers/postgres/connect.hpp"
#include "drivers/postgres/session.hpp"

#include <polypool/postgres.hpp>

namespace polypool::postgres {
namespace {

class postgres_driver final : public driver {
 public:
  std::string_view type() const noexcept override { return "postgres"; }
  database_kind kind() const noexcept override { return database_kind::sql; }
  task<std::unique_ptr<polypool::session>> connect(const endpoint& where) override;

 private:
  static task<std::unique_ptr<polypool::session>> attempt(const endpoint& where, bool own_limit);
};

task<std::unique_ptr<polypool::session>> postgres_driver::connect(const endpoint& where) {
  environment env = co_await this_environment();
  time_point limit = no_deadline;
  if (where.connect_timeout > duration::zero()) limit = saturating_add(env.time->now(), where.connect_timeout);
  const bool own_limit = limit < env.deadline;
  if (own_limit) env.deadline = limit;
  co_return co_await attempt(where, own_limit).in(env);
}

task<std::unique_ptr<polypool::session>> postgres_driver::attempt(const endpoint& where, bool own_limit) {
  connector work(where, own_limit);
  connection_ptr connection = co_await work.run();
  auto made = std::make_unique<session>(std::move(connection), where, place_of(where));
  if (where.statement_cache == 0) co_await made->settle();
  std::unique_ptr<polypool::session> out = std::move(made);
  co_return out;
}

}  // namespace

std::shared_ptr<driver> make_driver() { return std::make_shared<postgres_driver>(); }

}  // namespace polypool::postgres
