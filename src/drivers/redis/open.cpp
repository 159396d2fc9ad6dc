// SPDX-License-Identifier: Apache-2.0
#include "drivers/redis/open.hpp"

#include "drivers/redis/dial.hpp"

#include <optional>

namespace polypool::redis {

task<std::unique_ptr<session>> open_session(std::shared_ptr<const session_settings> settings, server_address to,
                                            duration connect_timeout, bool own_limit, bool must_be_primary) {
  dialer way(*settings, std::move(to), connect_timeout, own_limit);
  task<std::unique_ptr<wire>> dialing = way.dial();
  std::unique_ptr<wire> line = co_await std::move(dialing);
  std::optional<error> failure;
  try {
    task<server_facts> introducing = introduce(*line, introduction_of(*settings));
    server_facts facts = co_await std::move(introducing);
    co_return std::make_unique<session>(std::move(line), std::move(facts), settings, must_be_primary);
  } catch (const error& problem) {
    failure = problem;
  }
  throw way.explained(std::move(*failure));
}

}  // namespace polypool::redis
