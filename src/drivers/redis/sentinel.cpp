// SPDX-License-Identifier: Apache-2.0
#include "drivers/redis/sentinel.hpp"

#include "drivers/redis/dial.hpp"
#include "drivers/redis/hello.hpp"

#include <optional>

namespace polypool::redis {
namespace {

// Sentinels have users of their own and no databases.
session_settings for_sentinel(const session_settings& settings) {
  session_settings out = settings;
  out.user = settings.sentinel_user;
  out.password = settings.sentinel_password;
  out.database = 0;
  out.protocol = 2;
  out.client_name.clear();
  return out;
}

task<server_address> ask(const session_settings& settings, server_address sentinel, duration limit) {
  dialer way(settings, sentinel, limit, true);
  task<std::unique_ptr<wire>> dialing = way.dial();
  const std::unique_ptr<wire> line = co_await std::move(dialing);
  task<server_facts> introducing = introduce(*line, introduction_of(settings));
  co_await std::move(introducing);
  const redis_command question("SENTINEL", "get-master-addr-by-name", settings.sentinel_master);
  task<redis_reply> asking = line->exchange(question);
  const redis_reply answer = co_await std::move(asking);
  if (answer.size() != 2) {
    throw error(errc::connect_failed,
                "the sentinel at " + sentinel.text() + " knows no primary '" + settings.sentinel_master + "'");
  }
  server_address found;
  found.host = answer[0].text();
  found.port = parse_address("x:" + std::string(answer[1].text()), 0).port;
  co_return found;
}

}  // namespace

task<server_address> find_primary(const session_settings& settings, duration connect_timeout) {
  const session_settings own = for_sentinel(settings);
  const environment env = co_await this_environment();
  // One that hangs must leave time for the others, and for the primary itself.
  const auto count = static_cast<duration::rep>(settings.servers.size());
  const duration all = connect_timeout > duration::zero() ? connect_timeout : duration(std::chrono::seconds(10));
  const duration share = all / (count + 1);
  std::string said;
  for (const auto& each : settings.servers) {
    std::optional<error> failure;
    try {
      task<server_address> asking = ask(own, each, share);
      co_return co_await with_timeout(share, std::move(asking));
    } catch (const error& problem) {
      failure = problem;
    }
    if (env.expired() || env.stop.stop_requested()) throw *failure;
    said += (said.empty() ? "" : "; ") + failure->cause();
  }
  error problem(errc::connect_failed,
                "no sentinel tells where the primary '" + settings.sentinel_master + "' is: " + said);
  throw problem.with_hint("check the sentinels' addresses and the primary's name");
}

}  // namespace polypool::redis
