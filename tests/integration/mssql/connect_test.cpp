// SPDX-License-Identifier: Apache-2.0
// Opening sessions with SQL Server: what works, and what each failure says.
#include "fixture.hpp"
#include "support/shared_work.hpp"

#include <atomic>
#include <thread>
#include <vector>

namespace polypool::test {
namespace {

class mssql_connect : public mssql_ways {
 protected:
  error refused(const endpoint& to) {
    auto problem = failure_of(go_, driver_->connect(to));
    EXPECT_EQ(std::string(problem.what()).find(to.password.reveal()), std::string::npos) << problem.what();
    return problem;
  }
  std::shared_ptr<driver> driver_ = odbc::make_mssql_driver();
};
POLYPOOL_BOTH_WAYS(mssql_connect);

TEST_P(mssql_connect, wrong_credentials_and_databases) {
  auto to = where();
  to.password = "wrong; {password}";
  const auto problem = refused(to);
  EXPECT_EQ(problem.portable_code(), errc::authentication_failed) << problem.what();
  EXPECT_EQ(problem.native_code(), 18456);
  EXPECT_EQ(problem.disposition(), disposition::permanent);
  to = where();
  to.database = "elsewhere";
  const auto missing = refused(to);
  EXPECT_EQ(missing.portable_code(), errc::connect_failed);
  EXPECT_EQ(missing.native_code(), 4060);
  EXPECT_EQ(missing.disposition(), disposition::permanent);
}

TEST_P(mssql_connect, nobody_listens) {
  auto to = where();
  {
    const tds_server gone;
    to.port = gone.port();
  }
  const auto problem = refused(to);
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_EQ(problem.disposition(), disposition::retryable_elsewhere);
  EXPECT_NE(problem.cause().find("127.0.0.1:" + std::to_string(to.port)), std::string::npos) << problem.what();
  EXPECT_NE(problem.hint().find("`host`"), std::string::npos) << problem.what();
  to.host = "no-such-host.invalid";
  EXPECT_EQ(refused(to).portable_code(), errc::connect_failed);
}

TEST_P(mssql_connect, tls) {
  auto to = where();
  for (const auto mode : {tls_mode::disable, tls_mode::allow, tls_mode::prefer}) {
    to.tls = mode;
    mssql_client db(go_, to);
    EXPECT_EQ(db.text("SELECT 1"), "1");
  }
  to.tls = tls_mode::require;
  EXPECT_EQ(refused(to).portable_code(), errc::connect_failed) << "this server has none";
  server_->encrypts(true);
  {
    mssql_client db(go_, to);
    EXPECT_EQ(server_->encrypted(), 1);
    EXPECT_EQ(db.query("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 5000) SELECT x FROM c")
                  .size(),
              5000u);
    failure_of(go_, with_timeout(50ms, db.executing("WAITFOR DELAY '00:01:00'")));
    EXPECT_EQ(db.text("SELECT 7"), "7");
  }
  to.tls = tls_mode::prefer;
  {
    mssql_client db(go_, to);
    EXPECT_EQ(db.text("SELECT 8"), "8");
    EXPECT_EQ(server_->hidden_logins(), 1);
  }
  to.tls = tls_mode::verify_full;
  const auto problem = refused(to);
  EXPECT_EQ(problem.portable_code(), errc::invalid_configuration);
  EXPECT_FALSE(problem.hint().empty());
}

TEST_P(mssql_connect, the_schema_of_the_user) {
  auto to = where();
  to.schema = "dbo";
  mssql_client db(go_, to);
  EXPECT_EQ(db.text("SELECT 1"), "1");
  to.schema = "other";
  const auto problem = refused(to);
  EXPECT_EQ(problem.portable_code(), errc::invalid_configuration);
  EXPECT_NE(std::string(problem.what()).find("DEFAULT_SCHEMA"), std::string::npos) << problem.what();
}

TEST_P(mssql_connect, fields_are_nothing_but_values) {
  auto to = where();
  to.user = "tester;PWD=x";
  EXPECT_EQ(refused(to).portable_code(), errc::authentication_failed);
  to = where();
  to.database = "x;UID=y";
  const auto strange = refused(to);
  EXPECT_EQ(strange.native_code(), 4060) << strange.what();
  to = where();
  to.password = "a};b";
  EXPECT_EQ(refused(to).portable_code(), errc::invalid_configuration) << "FreeTDS has no way to write it";
  to = where();
  to.options["UID"] = "x";
  EXPECT_EQ(refused(to).portable_code(), errc::invalid_configuration);
}

TEST_P(mssql_connect, too_many_connections) {
  server_->most_sessions(1);
  auto db = make_client();
  const auto problem = refused(where());
  EXPECT_EQ(problem.portable_code(), errc::too_many_connections) << problem.what();
  EXPECT_EQ(problem.disposition(), disposition::retryable);
}

// The whole way: configuration, manager, pool, transactions with savepoints.
class mssql_manager : public ::testing::Test {};

std::unique_ptr<manager> manager_of(const tds_server& server, bool connected = true) {
  config::settings settings;
  config::connection connection;
  connection.name = "sales";
  connection.type = config::database_type::mssql;
  connection.where = server.endpoint();
  connection.overrides.max_open_conns = 4;
  settings.connections.push_back(connection);
  manager_options options;
  options.drivers.push_back(odbc::make_mssql_driver());
  auto out = std::make_unique<manager>(std::move(settings), std::move(options));
  if (connected) out->connect();
  return out;
}

// A server without room says so; the pool backs off, and goes on with the sessions there are.
TEST_F(mssql_manager, a_server_without_room) {
  if (const auto reason = why_no_library("libtdsodbc.so"); !reason.empty()) GTEST_SKIP() << reason;
  tds_server server;
  server.most_sessions(1);
  const auto mgr = manager_of(server);
  std::atomic<int> fine = 0;
  {
    std::vector<std::jthread> running;
    for (int i = 0; i < 6; ++i) {
      running.emplace_back([&] {
        for (int k = 0; k < 10; ++k) fine += mgr->sql("sales").query_value<int>("SELECT 1");
      });
    }
  }
  EXPECT_EQ(fine, 60) << "the one session goes from hand to hand";
  EXPECT_LT(mgr->get("sales").statistics().pool.connect_failures, 200u);
  const auto other = manager_of(server, false);
  try {
    other->sql("sales").with(call().timeout(300ms)).query("SELECT 1");
    ADD_FAILURE() << "there is no room";
  } catch (const error& problem) {
    EXPECT_NE(std::string(problem.what()).find("maximum number of"), std::string::npos) << problem.what();
  }
  server.most_sessions(100);
  EXPECT_TRUE(wait_until([&] {
    try {
      return other->sql("sales").with(call().timeout(2s)).query_value<int>("SELECT 7") == 7;
    } catch (const error&) {
      return false;
    }
  }));
}

TEST_F(mssql_manager, works_with_sql_server) {
  if (const auto reason = why_no_library("libtdsodbc.so"); !reason.empty()) GTEST_SKIP() << reason;
  tds_server server;
  const auto mgr = manager_of(server);
  auto db = mgr->sql("sales");
  db.execute("CREATE TABLE account (id int PRIMARY KEY, balance decimal(10, 2))");
  auto tx = db.begin();
  tx.execute("INSERT INTO account VALUES ($1, $2)", 1, numeric{"100.50"});
  {
    auto inner = tx.savepoint();
    tx.execute("INSERT INTO account VALUES ($1, $2)", 2, numeric{"1.00"});
  }
  {
    auto inner = tx.savepoint();
    tx.execute("INSERT INTO account VALUES ($1, $2)", 3, numeric{"2.25"});
    inner.commit();
  }
  tx.commit();
  EXPECT_EQ(db.query_column<int>("SELECT id FROM account ORDER BY id"), (std::vector<int>{1, 3}));
  EXPECT_EQ(db.query_value<numeric>("SELECT balance FROM account WHERE id = $1", 1).text, "100.50");
  std::size_t rows = 0;
  for (auto row : db.stream("SELECT id FROM account")) rows += row.get<int>(0) > 0 ? 1 : 0;
  EXPECT_EQ(rows, 2u);
  EXPECT_EQ(server.sessions(), 1);
}

TEST_F(mssql_manager, three_threads_and_a_hundred_tasks_share_one_connection) {
  if (const auto reason = why_no_library("libtdsodbc.so"); !reason.empty()) GTEST_SKIP() << reason;
  tds_server server;
  const auto mgr = manager_of(server);
  mgr->sql("sales").execute_script("CREATE TABLE counter (x int); INSERT INTO counter VALUES (0)");
  three_threads_and_a_hundred_tasks(mgr->sql("sales"));
  EXPECT_LE(server.sessions(), 4);
}

}  // namespace
}  // namespace polypool::test
