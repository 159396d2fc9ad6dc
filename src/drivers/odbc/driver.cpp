// SPDX-License-Identifier: Apache-2.0
#include "drivers/odbc/calls.hpp"
#include "drivers/odbc/connection_plan.hpp"

#include <polypool/duration.hpp>
#include <polypool/odbc.hpp>

#include <algorithm>
#include <utility>

namespace polypool::odbc {
namespace {

error hung(wait_result how, const connection_plan& plan, bool own_limit, duration waited) {
  const std::string at = "cannot connect to " + plan.place + ": ";
  if (how == wait_result::stopped) return {errc::cancelled, at + "the caller asked to stop"};
  if (!own_limit) return {errc::deadline_exceeded, at + "the deadline passed, and the server has not answered"};
  error problem(errc::connect_failed, at + "it hung for connect_timeout (" + format_duration_short(waited) + ")");
  problem.with_hint("check the address, the network and firewalls, and whether the server is frozen");
  return problem;
}

class odbc_driver final : public driver {
 public:
  using planner = connection_plan (*)(const endpoint& where, const installation& installed);
  odbc_driver(std::string_view type, planner plan) : type_(type), plan_(plan) {}
  std::string_view type() const noexcept override { return type_; }
  database_kind kind() const noexcept override { return database_kind::sql; }
  bool session_owns_data(const endpoint& where) const noexcept override { return owns_data(where); }
  task<std::unique_ptr<polypool::session>> connect(const endpoint& where) override;

 private:
  std::string_view type_;
  planner plan_;
  const std::shared_ptr<shared_parts> parts_ = std::make_shared<shared_parts>();
};

task<std::unique_ptr<polypool::session>> odbc_driver::connect(const endpoint& where) {
  environment env = co_await this_environment();
  time_point limit = no_deadline;
  if (where.connect_timeout > duration::zero()) limit = saturating_add(env.time->now(), where.connect_timeout);
  const bool own_limit = limit < env.deadline;
  if (own_limit) env.deadline = limit;
  const auto plan = std::make_shared<const connection_plan>(plan_(where, this_machine()));
  task<std::shared_ptr<connection>> opening = open_connection(parts_, plan, own_limit);
  auto made = co_await std::move(opening).in(env);
  std::unique_ptr<polypool::session> out = std::make_unique<session>(parts_, plan, std::move(made));
  co_return out;
}

}  // namespace

task<std::shared_ptr<connection>> open_connection(std::shared_ptr<shared_parts> parts,
                                                  std::shared_ptr<const connection_plan> plan, bool own_limit) {
  const environment& env = co_await this_environment();
  const auto began = env.time->now();
  if (env.expired() || env.stop.stop_requested()) {
    throw hung(env.expired() ? wait_result::timed_out : wait_result::stopped, *plan, own_limit, duration::zero());
  }
  auto limit = std::chrono::seconds(3600);
  if (env.deadline != no_deadline) limit = std::chrono::ceil<std::chrono::seconds>(env.deadline - began);
  auto work = [environment = parts->environment, plan, limit] { return connection::open(environment, plan, limit); };
  const auto call = start_call(parts->threads, std::move(work));
  task<wait_result> waiting = call->done.wait();
  const wait_result how = co_await std::move(waiting);
  // What is opened too late is closed on its thread.
  if (how != wait_result::ready) throw hung(how, *plan, own_limit, env.time->now() - began);
  co_return call->take();
}

std::shared_ptr<driver> make_driver() { return std::make_shared<odbc_driver>("odbc", &plan_odbc); }
std::shared_ptr<driver> make_mssql_driver() { return std::make_shared<odbc_driver>("mssql", &plan_mssql); }

}  // namespace polypool::odbc
