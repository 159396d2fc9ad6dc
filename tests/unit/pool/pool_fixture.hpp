// SPDX-License-Identifier: Apache-2.0
// A pool on a virtual loop and a fake server, and callers that ask it for sessions.
#pragma once

#include "support/log_capture.hpp"

#include <polypool/error.hpp>
#include <polypool/log.hpp>
#include <polypool/pool.hpp>
#include <polypool/testing.hpp>
#include <polypool/waits.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace polypool {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

using test::log_capture;

/// One who asks for a session, and what came of it.
struct caller {
  lease held;
  std::optional<error> failure;
  bool done = false;
  int turn = 0;  // served as the how manyth
  std::stop_source stop;
  void release() { held.release(); }
  void stop_asking() { stop.request_stop(); }
};

class pool_fixture : public ::testing::Test {
 public:
  pool_fixture() {
    options.name = "primary";
    options.max_open = 2;
    options.max_idle = 2;
    options.leak_threshold = 0ns;
    options.keepalive_interval = 0ns;
  }

  pool& make() {
    const auto driver = testing::make_fake_driver(server);
    const auto where = std::make_shared<endpoint>();
    const session_opener open = [driver, where] { return driver->connect(*where); };
    made = std::make_unique<pool>(options, open, loop, log::logger(log));
    return *made;
  }

  task<void> ask_for(pool& from, caller& who) {
    try {
      lease got = co_await from.acquire();
      who.held = std::move(got);
    } catch (const error& e) {
      who.failure.emplace(e);
    }
    who.done = true;
    who.turn = ++turns;
  }
  /// Somebody asks; what can happen at once has happened when this returns.
  caller& ask(duration within = duration::max()) {
    caller& who = ask_later(within);
    loop->run_ready();
    return who;
  }
  /// Somebody asks, as soon as the loop runs.
  caller& ask_later(duration within = duration::max()) {
    caller& who = callers.emplace_back();
    task<void> asking = with_timeout(within, ask_for(*made, who));
    loop->spawn(with_stop(who.stop.get_token(), std::move(asking)));
    return who;
  }
  lease get() { return loop->run(made->acquire()); }
  result execute(const lease& on, std::string_view text) { return loop->run(on.sql().execute(statement(text))); }
  pool_statistics now() const { return made->statistics(); }
  void pass(duration span) { loop->advance(span); }
  void ready() { loop->run_ready(); }
  static error unreachable() { return {errc::connect_failed, "nobody listens on port 5432"}; }
  static error refused() { return {errc::authentication_failed, "the password is wrong"}; }

  testing::virtual_clock time;
  std::shared_ptr<testing::virtual_loop> loop = std::make_shared<testing::virtual_loop>(time);
  std::shared_ptr<testing::fake_server> server = std::make_shared<testing::fake_server>();
  std::shared_ptr<log_capture> log = std::make_shared<log_capture>();
  pool_options options;
  int turns = 0;
  std::deque<caller> callers;
  std::unique_ptr<pool> made;
};

}  // namespace polypool
