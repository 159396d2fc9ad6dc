// SPDX-License-Identifier: Apache-2.0
// A manager over fake servers, one for each connection, on a virtual loop.
#pragma once

#include "support/caught.hpp"

#include <polypool/config.hpp>
#include <polypool/manager.hpp>
#include <polypool/testing.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace polypool::testing {

/// Sends each connection to the fake server of its host name.
class routing_driver final : public driver {
 public:
  explicit routing_driver(std::map<std::string, std::shared_ptr<fake_server>>& servers) : servers_(servers) {}
  std::string_view type() const noexcept override { return "postgres"; }
  database_kind kind() const noexcept override { return database_kind::sql; }
  task<std::unique_ptr<session>> connect(const endpoint& where) override {
    const auto found = servers_.find(where.host);
    if (found == servers_.end()) throw error(errc::connect_failed, "no such host: " + where.host);
    const auto target = make_fake_driver(found->second);
    task<std::unique_ptr<session>> connecting = target->connect(where);
    co_return co_await std::move(connecting);
  }

 private:
  std::map<std::string, std::shared_ptr<fake_server>>& servers_;
};

inline config::connection fake_connection(std::string name) {
  config::connection made;
  made.where.host = name;
  made.where.database = "app";
  made.where.user = "app";
  made.name = std::move(name);
  return made;
}

/// Owns the clock, the loop, the servers and the manager, in the order in which they need each other.
struct fake_world {
  using adjust = std::function<void(manager_options&)>;
  explicit fake_world(std::initializer_list<const char*> names, config::settings base = {}, const adjust& also = {}) {
    for (const char* each : names) {
      servers[each] = std::make_shared<fake_server>();
      base.connections.push_back(fake_connection(each));
    }
    start(std::move(base), also);
  }
  fake_world(std::vector<config::connection> connections, config::settings base) {
    for (auto& each : connections) servers[each.name] = std::make_shared<fake_server>();
    base.connections = std::move(connections);
    start(std::move(base));
  }
  void start(config::settings base, const adjust& also = {}) {
    manager_options options;
    options.drivers.push_back(std::make_shared<routing_driver>(servers));
    options.work = std::shared_ptr<background>(std::shared_ptr<void>(), &loop);
    if (also) also(options);
    mgr = std::make_unique<manager>(std::move(base), std::move(options));
  }
  ~fake_world() {
    // The destructor of a manager blocks; on a loop of one thread it is closed there first.
    loop.run(mgr->async_close(std::chrono::seconds(1), std::chrono::seconds(2)));
    mgr.reset();
  }
  template <class T>
  T run(task<T> work) {
    return loop.run(std::move(work));
  }

  std::map<std::string, std::shared_ptr<fake_server>> servers;
  virtual_clock time;
  virtual_loop loop{time};
  std::unique_ptr<manager> mgr;
};

/// Callers that call without a pause, and what became of their calls. Outlives them: see `stop`.
struct busy_callers {
  int done = 0;
  int failed = 0;
  bool stop = false;

  void add(fake_world& world, sql_database db) { world.loop.spawn(call_on(std::move(db), *this)); }

 private:
  static task<void> call_on(sql_database db, busy_callers& seen) {
    while (!seen.stop) {
      try {
        co_await db.async_query("SELECT 1");
        ++seen.done;
      } catch (const error&) {
        ++seen.failed;
      }
    }
  }
};

/// The error that an action throws; fails the test when it throws none.
template <class Action>
error error_of(Action&& action) {
  return test::caught(std::forward<Action>(action));
}

/// What a call gets whose server broke off in the middle of it.
inline error lost() {
  return error(errc::connection_lost, "the server broke off")
      .with_disposition(disposition::in_doubt)
      .with_poisoned_session();
}

}  // namespace polypool::testing
