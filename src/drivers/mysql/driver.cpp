// SPDX-License-Identifier: Apache-2.0
#include "drivers/mysql/connect.hpp"
#include "drivers/mysql/session.hpp"

#include <polypool/mysql.hpp>

#include <optional>
#include <utility>

namespace polypool::mysql {
namespace {

class mysql_driver final : public driver {
 public:
  // Otherwise the first two connections would do so, perhaps at once.
  mysql_driver() {
    static const bool ready = mysql_library_init(0, nullptr, nullptr) == 0;
    if (!ready) throw error(errc::internal_error, "MariaDB Connector/C cannot be initialized");
  }
  std::string_view type() const noexcept override { return "mysql"; }
  database_kind kind() const noexcept override { return database_kind::sql; }
  task<std::unique_ptr<polypool::session>> connect(const endpoint& where) override;

 private:
  static task<std::unique_ptr<polypool::session>> attempt(const endpoint& where, bool own_limit);
};

task<std::unique_ptr<polypool::session>> mysql_driver::connect(const endpoint& where) {
  environment env = co_await this_environment();
  time_point limit = no_deadline;
  if (where.connect_timeout > duration::zero()) limit = saturating_add(env.time->now(), where.connect_timeout);
  const bool own_limit = limit < env.deadline;
  if (own_limit) env.deadline = limit;
  task<std::unique_ptr<polypool::session>> work = attempt(where, own_limit);
  co_return co_await std::move(work).in(env);
}

task<std::unique_ptr<polypool::session>> mysql_driver::attempt(const endpoint& where, bool own_limit) {
  settings how = read_settings(where);
  connector work(how, where, own_limit);
  connection_ptr connection = co_await work.run();
  auto made = std::make_unique<session>(std::move(connection), how, where);
  std::optional<error> problem;
  try {
    task<void> settling = made->settle();
    co_await std::move(settling);
  } catch (const error& e) {
    problem.emplace(e);
  }
  if (problem) throw work.login_failed(*problem);
  std::unique_ptr<polypool::session> out = std::move(made);
  co_return out;
}

}  // namespace

std::shared_ptr<driver> make_driver() { return std::make_shared<mysql_driver>(); }

}  // namespace polypool::mysql
