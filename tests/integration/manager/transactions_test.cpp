// SPDX-License-Identifier: Apache-2.0
// Transactions on a real server, seen from a second session.
#include "support/whole_stack.hpp"

#include <thread>

namespace polypool::test {
namespace {

class manager_transactions : public manager_test {
 protected:
  void SetUp() override {
    manager_test::SetUp();
    if (playground_) admin().execute("CREATE TABLE " + playground_->name() + ".t (id int PRIMARY KEY, x int)");
  }
  std::string count() { return admin().value("SELECT count(*) FROM " + playground_->name() + ".t"); }
  int in_transaction() {
    return std::stoi(
        admin().value("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND "
                      "application_name = '" +
                      playground_->name() + "'"));
  }
};

TEST_F(manager_transactions, the_destructor_rolls_back_on_the_server) {
  auto db = make({postgres()}).sql("pg");
  {
    auto tx = db.begin();
    tx.execute("INSERT INTO t VALUES (1, 1)");
    EXPECT_EQ(in_transaction(), 1);
  }
  EXPECT_TRUE(wait_until([&] { return in_transaction() == 0; }));
  EXPECT_EQ(count(), "0");
  EXPECT_THROW(db.transact([](transaction& tx) {
    tx.execute("INSERT INTO t VALUES (2, 2)");
    throw std::runtime_error("on the way");
  }),
               std::runtime_error);
  EXPECT_TRUE(wait_until([&] { return in_transaction() == 0; }));
  EXPECT_EQ(count(), "0");
  EXPECT_EQ(db.transact([](transaction& tx) { return tx.execute("INSERT INTO t VALUES (3, 3)"); }), 1u);
  EXPECT_EQ(count(), "1");
}

TEST_F(manager_transactions, savepoints_go_back_alone) {
  auto& mgr = make({postgres(), sqlite()});
  mgr.sql("lite").execute("CREATE TABLE t (id int PRIMARY KEY, x int)");
  for (const std::string name : {"pg", "lite"}) {
    SCOPED_TRACE(name);
    auto db = mgr.sql(name);
    auto tx = db.begin();
    tx.execute("INSERT INTO t VALUES (1, 1)");
    {
      auto save = tx.savepoint();
      EXPECT_EQ(tx.depth(), 1u);
      tx.execute("INSERT INTO t VALUES (2, 2)");
      {
        auto inner = tx.savepoint();
        tx.execute("INSERT INTO t VALUES (3, 3)");
        inner.commit();
      }
      EXPECT_EQ(error_of([&] { tx.execute("INSERT INTO t VALUES (1, 9)"); }).portable_code(), errc::unique_violation);
    }  // undone
    EXPECT_EQ(tx.depth(), 0u);
    {
      auto save = tx.savepoint();
      tx.execute("INSERT INTO t VALUES (4, 4)");
      save.commit();
    }
    {
      auto save = tx.savepoint();
      tx.execute("INSERT INTO t VALUES (5, 5)");
      save.rollback();
    }
    EXPECT_EQ(tx.query_column<int>("SELECT id FROM t ORDER BY id"), (std::vector<int>{1, 4}));
    tx.commit();
    EXPECT_EQ(db.query_column<int>("SELECT id FROM t ORDER BY id"), (std::vector<int>{1, 4}));
  }
}

TEST_F(manager_transactions, a_savepoint_that_failed_can_be_given_up) {
  auto db = make({postgres()}).sql("pg");
  auto tx = db.begin();
  tx.execute("INSERT INTO t VALUES (1, 1)");
  auto save = tx.savepoint();
  EXPECT_THROW(tx.query("SELECT * FROM no_such_table"), error);
  EXPECT_EQ(error_of([&] { save.commit(); }).portable_code(), errc::transaction_aborted);
  EXPECT_EQ(tx.query_value<int>("SELECT count(*) FROM t"), 1);
  tx.commit();
  EXPECT_EQ(count(), "1");
}

TEST_F(manager_transactions, committing_what_failed_is_said) {
  auto db = make({postgres()}).sql("pg");
  auto tx = db.begin();
  tx.execute("INSERT INTO t VALUES (1, 1)");
  EXPECT_EQ(error_of([&] { tx.query("SELECT * FROM no_such_table"); }).portable_code(), errc::undefined_object);
  EXPECT_EQ(error_of([&] { tx.query("SELECT 1"); }).portable_code(), errc::transaction_aborted);
  EXPECT_EQ(error_of([&] { tx.commit(); }).portable_code(), errc::transaction_aborted);
  EXPECT_EQ(count(), "0");
  EXPECT_EQ(in_transaction(), 0);
  EXPECT_EQ(error_of([&] { tx.commit(); }).portable_code(), errc::invalid_argument);
  EXPECT_EQ(error_of([&] { tx.query("SELECT 1"); }).portable_code(), errc::invalid_argument);
  EXPECT_EQ(db.query_value<int>("SELECT 1"), 1);
  EXPECT_TRUE(sessions_become(1));
}

TEST_F(manager_transactions, a_serialization_failure_is_retryable) {
  auto db = make({postgres()}).sql("pg");
  db.execute("INSERT INTO t VALUES (1, 1)");
  const transaction_options strict{.isolation = isolation::repeatable_read};
  auto first = db.begin(strict);
  EXPECT_EQ(first.query_value<int>("SELECT x FROM t WHERE id = 1"), 1);
  db.transact([](transaction& other) { other.execute("UPDATE t SET x = 10 WHERE id = 1"); });
  const auto problem = error_of([&] { first.execute("UPDATE t SET x = x + 1 WHERE id = 1"); });
  EXPECT_EQ(problem.portable_code(), errc::serialization_failure);
  EXPECT_EQ(problem.disposition(), disposition::retryable);
  EXPECT_EQ(problem.sqlstate(), "40001");
  first.rollback();
  auto again = db.begin(strict);
  again.execute("UPDATE t SET x = x + 1 WHERE id = 1");
  again.commit();
  EXPECT_EQ(db.query_value<int>("SELECT x FROM t"), 11);
}

TEST_F(manager_transactions, two_callers_do_not_enter_each_others) {
  auto db = make({postgres()}).sql("pg");
  auto one = db.begin();
  auto two = db.begin();
  one.execute("INSERT INTO t VALUES (1, 1)");
  EXPECT_EQ(two.query_value<int>("SELECT count(*) FROM t"), 0);
  EXPECT_EQ(db.query_value<int>("SELECT count(*) FROM t"), 0);
  std::jthread([&] { EXPECT_EQ(db.query_value<int>("SELECT count(*) FROM t"), 0); }).join();
  two.execute("INSERT INTO t VALUES (2, 2)");
  two.rollback();
  one.commit();
  EXPECT_EQ(db.query_column<int>("SELECT id FROM t"), std::vector<int>{1});
}

TEST_F(manager_transactions, a_read_only_one_refuses_and_the_session_lives) {
  auto db = make({postgres()}).sql("pg");
  auto tx = db.begin({.read_only = true});
  EXPECT_EQ(error_of([&] { tx.execute("INSERT INTO t VALUES (1, 1)"); }).portable_code(), errc::read_only);
  tx.rollback();
  EXPECT_EQ(db.execute("INSERT INTO t VALUES (1, 1)"), 1u);
  EXPECT_TRUE(sessions_become(1));
}

TEST_F(manager_transactions, a_commit_cut_off_is_in_doubt) {
  auto db = make({postgres()}).sql("pg");
  admin().execute("CREATE FUNCTION " + playground_->name() +
                  ".slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$");
  admin().execute("CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON " + playground_->name() +
                  ".t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION " + playground_->name() + ".slow()");
  const auto sleeps = [&] {
    return admin().value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND application_name = '" +
                         playground_->name() + "'") == "1";
  };
  const std::string terminate =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '" + playground_->name() + "'";
  for (const std::string how : {"terminated", "late", "closed by force"}) {
    SCOPED_TRACE(how);
    auto tx = db.with(call().timeout(how == "late" ? duration(300ms) : duration(60s))).begin();
    tx.execute("INSERT INTO t VALUES (1, 1)");
    std::jthread other([&] {
      EXPECT_TRUE(wait_until(sleeps));
      if (how == "terminated") admin().execute(terminate);
      if (how == "closed by force") manager_->close(0s, 0s);
    });
    const auto problem = error_of([&] { tx.commit(); });
    EXPECT_EQ(problem.portable_code(), errc::in_doubt) << problem.what();
    EXPECT_EQ(problem.disposition(), disposition::in_doubt);
    other.join();
    EXPECT_TRUE(how != "late" || wait_until([&] { return running() == 0; }));
  }
  admin().execute(terminate);
  EXPECT_TRUE(sessions_become(0));
  EXPECT_EQ(count(), "0");
}

}  // namespace
}  // namespace polypool::test
