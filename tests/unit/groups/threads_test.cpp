// SPDX-License-Identifier: Apache-2.0
// A group at work in several threads while its servers change roles.
#include "support/fake_manager.hpp"
#include "support/process.hpp"

#include <polypool/groups.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace polypool::testing {
namespace {

using namespace std::chrono_literals;
using role_type = server_info::role_type;

TEST(group_in_threads, follows_its_servers) {
  std::map<std::string, std::shared_ptr<fake_server>> servers;
  config::settings all;
  all.defaults.retry_attempts = 1;
  all.defaults.lazy_connect = true;
  for (const char* name : {"a", "b", "dr"}) {
    servers[name] = std::make_shared<fake_server>();
    servers[name]->set_role(role_type::replica);
    all.connections.push_back(fake_connection(name));
  }
  servers["a"]->set_role(role_type::primary);
  config::group orders;
  orders.name = "orders";
  orders.primary = "a";
  orders.replicas = {{"b"}, {"dr"}};
  orders.role_check_interval = 10ms;
  orders.read_your_writes = true;
  all.groups.push_back(orders);
  manager_options options;
  options.drivers.push_back(std::make_shared<routing_driver>(servers));
  manager mgr(std::move(all), std::move(options));
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> calls{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      auto db = mgr.sql("orders").with(call().on(t == 0 ? role::replica : role::primary));
      while (!done) {
        try {
          db.query("SELECT 1");
        } catch (const error&) {
          std::this_thread::yield();  // nobody is the primary just now
        }
        ++calls;
        if (calls % 16 == 0) mgr.group("orders").status();
      }
    });
  }
  std::string now = "a";
  for (const std::string next : {"b", "a", "dr"}) {
    servers[now]->set_role(role_type::replica);
    servers[next]->set_role(role_type::primary);
    EXPECT_TRUE(test::wait_until([&] { return mgr.group("orders").status().primary == next; }));
    now = next;
  }
  const auto before = calls.load();
  EXPECT_TRUE(test::wait_until([&] { return calls > before + 100; }));
  done = true;
  threads.clear();
  EXPECT_EQ(mgr.group("orders").status().failovers, 3U);
  mgr.close(1s, 5s);
}

}  // namespace
}  // namespace polypool::testing
