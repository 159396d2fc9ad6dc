// SPDX-License-Identifier: Apache-2.0
// Configurations that change under load, on real servers: no query fails.
#include "support/whole_stack.hpp"

#include <atomic>
#include <thread>

namespace polypool::test {
namespace {

/// A role of the test's own, whose password it may change.
class manager_rotation : public manager_test {
 protected:
  void SetUp() override {
    manager_test::SetUp();
    if (IsSkipped()) return;
    role_ = playground_->name() + "_role";
    admin().execute("CREATE ROLE " + role_ + " LOGIN PASSWORD 'first'");
    admin().execute("GRANT ALL ON SCHEMA " + playground_->name() + " TO " + role_);
  }
  void TearDown() override {
    if (!role_.empty()) {
      manager_.reset();
      admin().execute("DROP OWNED BY " + role_);
      admin().execute("DROP ROLE " + role_);
    }
    manager_test::TearDown();
  }
  postgres_admin& admin() { return playground_->admin(); }
  config::connection as_role(const char* password) const {
    auto where = playground_->endpoint();
    where.user = role_;
    where.password = secret(password);
    return postgres_connection("pg", where);
  }
  std::string role_;
};

TEST_F(manager_rotation, a_new_password_costs_no_query) {
  auto& mgr = make({as_role("first")});
  mgr.connect();
  std::atomic<int> done = 0;
  std::atomic<int> failed = 0;
  std::atomic<bool> stop = false;
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 4; ++i) {
      callers.emplace_back([&, db = mgr.sql("pg")]() mutable {
        while (!stop) {
          try {
            db.query("SELECT 1");
            ++done;
          } catch (const error& why) {
            ++failed;
            ADD_FAILURE() << why.what();
          }
        }
      });
    }
    const auto progress = [&] {
      const int before = done;
      EXPECT_TRUE(wait_until([&] { return done >= before + 50; }));
    };
    for (const char* password : {"second", "third", "fourth"}) {
      progress();
      admin().execute("ALTER ROLE " + role_ + " PASSWORD '" + std::string(password) + "'");
      auto next = mgr.configuration();
      next.connections = {as_role(password)};
      const auto changes = mgr.apply(next);
      ASSERT_EQ(changes.size(), 1U);
      EXPECT_EQ(changes.front().to_string(), "~ connection 'pg': password");
      progress();
    }
    stop = true;
  }
  EXPECT_EQ(failed, 0);
  // A wrong one changes nothing.
  auto wrong = mgr.configuration();
  wrong.connections = {as_role("wrong")};
  EXPECT_EQ(error_of([&] { mgr.apply(wrong); }).portable_code(), errc::authentication_failed);
  EXPECT_EQ(mgr.sql("pg").query_value<int>("SELECT 7"), 7);
  mgr.close();
  EXPECT_TRUE(sessions_become(0));
}

}  // namespace
}  // namespace polypool::test
