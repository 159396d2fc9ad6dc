// SPDX-License-Identifier: Apache-2.0
#include "drivers/mongodb/library.hpp"
#include "drivers/mongodb/session.hpp"

#include <polypool/mongodb.hpp>

#include <algorithm>
#include <utility>

namespace polypool::mongodb {
namespace {

class mongodb_driver final : public driver {
 public:
  std::string_view type() const noexcept override { return "mongodb"; }
  database_kind kind() const noexcept override { return database_kind::document; }

  task<std::unique_ptr<polypool::session>> connect(const endpoint& where) override {
    environment env = co_await this_environment();
    time_point limit = no_deadline;
    if (where.connect_timeout > duration::zero()) limit = saturating_add(env.time->now(), where.connect_timeout);
    const bool own_limit = limit < env.deadline;
    if (own_limit) env.deadline = limit;
    const auto call = [&where, &env, own_limit]() -> std::unique_ptr<polypool::session> {
      prepare_library();
      return std::make_unique<session>(read_settings(where), env, own_limit);
    };
    offload opening(call);
    co_return co_await opening;
  }
};

}  // namespace

std::shared_ptr<driver> make_driver() {
  prepare_library();
  return std::make_shared<mongodb_driver>();
}

}  // namespace polypool::mongodb
